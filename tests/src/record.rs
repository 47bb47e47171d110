//! Fills in the reply lines that a file of cases does not have yet, from what a server answers.
//!
//! The server to ask is Debian's `redis-server`; what it says is then read by a person and committed. A reply is
//! written as RESP3 says it, and the RESP2 form beside it only where it does not follow. Cases marked `differs`
//! are asked of no one.

use std::collections::BTreeMap;
use std::fs;
use std::io;

use crate::binary::Kind;
use crate::cases::{Case, CaseFile, Sending};
use crate::client::NoReply;
use crate::reply::{Protocol, Reply};
use crate::runner::{Stage, protocols_of};
use crate::server::Server;

/// What one request brought: replies, then perhaps an end.
type Answer = Vec<Result<Reply, NoReply>>;

/// Records the missing replies of `file`; gives how many lines were added.
///
/// # Errors
///
/// If the file cannot be rewritten.
pub fn record(file: &CaseFile, server: &Server) -> io::Result<usize> {
    let mut added: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for case in file.cases.iter().filter(|case| case.differs.is_none() || server.kind() == Kind::Locksley) {
        if case.steps.iter().all(|step| !step.replies.is_empty()) {
            continue;
        }
        let mut answers: BTreeMap<usize, Vec<(Protocol, Answer)>> = BTreeMap::new();
        for &protocol in protocols_of(file) {
            if case.only.is_none_or(|only| only == protocol) {
                ask(file, case, server, protocol, &mut answers);
            }
        }
        for (last_line, answers) in answers {
            added.insert(last_line, written(&answers));
        }
    }
    let text = fs::read_to_string(&file.path)?;
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        lines.push(line.to_owned());
        lines.extend(added.remove(&(index + 1)).unwrap_or_default());
    }
    let count = lines.len() - text.lines().count();
    lines.push(String::new());
    fs::write(&file.path, lines.join("\n"))?;
    Ok(count)
}

fn ask(
    file: &CaseFile,
    case: &Case,
    server: &Server,
    protocol: Protocol,
    answers: &mut BTreeMap<usize, Vec<(Protocol, Answer)>>,
) {
    let mut client = server.connect();
    if let Some(password) = &file.password {
        client.call(&["AUTH", password]);
    }
    client.command("FLUSHALL");
    let mut stage = Stage::new(server, protocol);
    for step in &case.steps {
        if !step.replies.is_empty() {
            // Known replies are played for what they leave: captured texts, and nothing unread.
            if let Err((expected, got)) = stage.play_patiently(step) {
                eprintln!("{}:{}: expected {expected}, got {got}", file.path.display(), step.line);
            }
            continue;
        }
        let mut answer = Answer::new();
        if stage.send(step).is_ok() {
            answer.push(stage.read(step, false));
        }
        while step.sending == Sending::Raw && matches!(answer.last(), Some(Ok(_))) {
            let next = stage.read(step, true);
            if matches!(next, Err(NoReply::Silent)) {
                break;
            }
            answer.push(next);
        }
        answers.entry(step.last_line).or_default().push((protocol, answer));
    }
}

fn written(answers: &[(Protocol, Answer)]) -> Vec<String> {
    let text = |answer: &Result<Reply, NoReply>| match answer {
        Ok(reply) => reply.to_string(),
        Err(other) => other.to_string(),
    };
    match answers {
        [(Protocol::Resp2, old), (Protocol::Resp3, new)] => {
            let follows = old.len() == new.len()
                && old.iter().zip(new).all(|pair| match pair {
                    (Ok(old), Ok(new)) => *old == new.in_resp2(),
                    (Err(old), Err(new)) => old.to_string() == new.to_string(),
                    _ => false,
                });
            if follows {
                new.iter().map(|answer| format!("< {}", text(answer))).collect()
            } else if old.len() == 1 && matches!((&old[0], &new[0]), (Ok(Reply::NilArray), Ok(Reply::Nil))) {
                vec!["< nil[]".into()]
            } else {
                let lines = |mark: &str, answer: &Answer| -> Vec<String> {
                    answer.iter().map(|one| format!("{mark}< {}", text(one))).collect()
                };
                [lines("2", old), lines("3", new)].concat()
            }
        }
        others => others.iter().flat_map(|(_, answer)| answer.iter().map(|one| format!("< {}", text(one)))).collect(),
    }
}
