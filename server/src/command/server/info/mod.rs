//! INFO: what the server says of itself, in sections of `name:value` lines.

mod persistence;
mod sections;

use locksley_wire::resp::Reply;

use super::report;
use super::source::Source;
use crate::command::row::{Command, Flags, Group, JoinInput, Keys, Memory, Outcome, Run};
use sections::SECTIONS;

pub(super) static INFO: Command = Command {
    name: "info",
    arity: -1,
    flags: Flags::LOADING.union(Flags::STALE),
    keys: Keys::None,
    categories: &["dangerous"],
    group: Group::Server,
    since: "1.0.0",
    summary: "Returns what the server counts and how it is set up",
    complexity: "O(1)",
    syntax: "[section [section ...]]",
    run: Run::Survey { part: report::part, join: info, memory: Memory::Report },
};

/// When a section is shown without being named.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// By INFO alone.
    ByDefault,
    /// By `INFO all` and `INFO everything`.
    InAll,
}

/// One section.
struct Section {
    /// Its name as an argument.
    name: &'static str,
    /// Its name as a heading.
    title: &'static str,
    /// When it is shown.
    shown: Shown,
    /// Appends its lines.
    write: fn(&Source, &mut String),
}

fn info(input: &JoinInput<'_>, reply: &mut Reply<'_>) -> Outcome {
    let text = text(&Source::read(input)?, &input.args[1..]);
    reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// The sections that `words` ask for.
pub(super) fn text(source: &Source, words: &[&[u8]]) -> String {
    let mut text = String::new();
    for section in SECTIONS.iter().filter(|section| is_asked(section, words)) {
        if !text.is_empty() {
            text.push_str("\r\n");
        }
        text.push_str("# ");
        text.push_str(section.title);
        text.push_str("\r\n");
        (section.write)(source, &mut text);
    }
    text
}

/// Whether the words of a request, possibly none, ask for `section`.
fn is_asked(section: &Section, words: &[&[u8]]) -> bool {
    let asks = |word: &&[u8]| {
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        is(section.name) || is("all") || is("everything") || (is("default") && section.shown == Shown::ByDefault)
    };
    if words.is_empty() { section.shown == Shown::ByDefault } else { words.iter().any(asks) }
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Rig, check};

    fn text(rig: &mut Rig, line: &str) -> String {
        String::from_utf8(rig.run(line)).expect("INFO is text")
    }

    #[test]
    fn sections_are_chosen_by_name() {
        let mut rig = Rig::new(3);
        let has = |text: &str, title: &str| text.contains(&format!("# {title}\r\n"));
        let titles =
            |text: &str| text.lines().filter(|line| line.starts_with('#')).map(str::to_owned).collect::<Vec<_>>();
        let default = text(&mut rig, "INFO");
        assert!(has(&default, "Server") && has(&default, "Keyspace") && !has(&default, "Commandstats"));
        assert_eq!(titles(&default), titles(&text(&mut rig, "INFO default")));
        let all = text(&mut rig, "INFO all");
        assert!(has(&all, "Commandstats") && has(&all, "Latencystats") && has(&all, "Shards"));
        let two = text(&mut rig, "INFO cpu SERVER");
        assert!(has(&two, "Server") && has(&two, "CPU") && !has(&two, "Clients"));
        check(&[("INFO nothing", "$0 ")]);
    }

    #[test]
    fn what_caches_need_is_counted() {
        let mut rig = Rig::new(3);
        for db in ["@db 0", "@db 2"] {
            rig.run(db);
            // So many that they are not deleted at once.
            (0..2_000).for_each(|number| drop(rig.run(&format!("SET {number} v"))));
        }
        rig.run("@db 0");
        for line in [
            "SETABSENT a",
            "GET a",
            "GET a",
            "GETL b 1000",
            "GETL b 1000",
            "SETL b 5 v",
            "LOCK l 1000",
            "LOCK l 1000 WAIT 1",
            "LOCK m 1000",
            "THROTTLE t 1 1 60",
            "THROTTLE t 1 1 60",
            "DELPREFIX \"p:\\x00\"",
            "@db 2",
            "DELPREFIX p:",
        ] {
            rig.reply(line);
        }
        let cache = text(&mut rig, "INFO cache");
        for line in [
            "negative_hits:2",
            "leases:1",
            "lease_wins:1",
            "lease_refreshes:0",
            "lease_waits:1",
            "lease_stale:0",
            "lease_refused:1",
            "waiters:0",
            "lock_grants:2",
            "lock_waits:1",
            "lock_refused:1",
            "throttled:1",
            "pending_prefixes:2",
            "prefix0:db=0,prefix=\"p:\\x00\"",
            "prefix1:db=2,prefix=\"p:\"",
        ] {
            assert!(cache.contains(&format!("\r\n{line}\r\n")), "{line} is missing in\n{cache}");
        }
        rig.run("CONFIG RESETSTAT");
        let cache = text(&mut rig, "INFO cache");
        for line in ["negative_hits:0", "leases:1", "lease_wins:0", "lock_grants:0", "throttled:0"] {
            assert!(cache.contains(&format!("\r\n{line}\r\n")), "{line} is missing in\n{cache}");
        }
    }

    #[test]
    fn numbers_of_all_shards_are_added_up() {
        let mut rig = Rig::new(3);
        for line in ["SET a 1", "SET b 2 PX 1000", "GET c", "GET a", "SET a", "INCRBY a x"] {
            rig.reply(line);
        }
        let text = text(&mut rig, "INFO everything");
        for line in [
            "redis_version:7.2.",
            "locksley_version:",
            "locksley_shards:3\r\n",
            "redis_mode:standalone\r\n",
            "loading:0\r\n",
            "rdb_last_save_time:1700000000\r\n",
            "wal_shard2:appended=",
            "wal_stalls:0\r\n",
            "wal_unlogged_removals:0\r\n",
            "connected_clients:1\r\n",
            "keyspace_hits:1\r\n",
            "keyspace_misses:1\r\n",
            "evicted_keys:0\r\n",
            "role:master\r\n",
            "cluster_enabled:0\r\n",
            "errorstat_ERR:count=1\r\n",
            "db0:keys=2,expires=1,avg_ttl=1000\r\n",
            "cmdstat_set:calls=2,",
            "latency_percentiles_usec_set:p50=",
            "shard2:keys=",
        ] {
            assert!(text.contains(line), "{line:?} is missing in\n{text}");
        }
        for line in text.split("\r\n").filter(|line| !line.is_empty() && !line.starts_with(['#', '$'])) {
            assert!(line.contains(':'), "{line:?} is no field");
        }
    }
}
