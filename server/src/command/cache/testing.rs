//! Tables of lease commands: as [`command::testing`](crate::command::testing), with names for tokens, which are random.
//!
//! The first token that is given out is shown as `T1`, the second as `T2`, and so on; in a line these stand for the
//! numbers. `T0` is a token that nobody has.

use crate::command::testing::Rig;

/// Runs each line of `table` in turn, on one shard and then on three, and compares its reply.
///
/// # Panics
/// At the first reply that differs.
pub(super) fn check(table: &[(&str, &str)]) {
    for shard_count in [1, 3] {
        let mut rig = Rig::new(shard_count);
        let mut tokens = vec!["1".to_owned()];
        for (index, (line, expected)) in table.iter().enumerate() {
            let reply = run(&mut rig, line, &mut tokens);
            assert_eq!(&reply, expected, "reply to line {index} `{line}` on {shard_count} shards");
        }
    }
}

fn run(rig: &mut Rig, line: &str, tokens: &mut Vec<String>) -> String {
    let words: Vec<&str> = line.split(' ').map(|word| named(word, tokens).map_or(word, String::as_str)).collect();
    let line = words.join(" ");
    let reply = rig.reply(&line);
    let Some(token) = token(&reply) else { return reply };
    let name = format!(":T{}", tokens.len());
    let shown = reply.replacen(&format!(":{token}"), &name, 1);
    assert!(!tokens.contains(&token), "no token is given out twice");
    tokens.push(token);
    shown
}

/// The token in a reply of GETL that gives a lease.
pub(in crate::command) fn token(reply: &str) -> Option<String> {
    let rest = ["*3 $3 win :", "*3 $7 refresh :"].iter().find_map(|head| reply.strip_prefix(head))?;
    rest.split_once(' ').map(|(token, _)| token.to_owned())
}

fn named<'a>(word: &str, tokens: &'a [String]) -> Option<&'a String> {
    tokens.get(word.strip_prefix('T')?.parse::<usize>().ok()?)
}
