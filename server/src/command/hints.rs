//! What COMMAND tells clients beyond the rows: how a request may be spread over nodes, and what happens to its keys.
//!
//! Source: the command tips and key specifications of Redis 7, <https://redis.io/docs/latest/develop/reference/>.

use super::row::{Command, Flags, Keys};
use super::table::Entry;

/// Tips, by full name; most commands have none.
const TIPS: &[(&str, &[&str])] = &[
    ("client|info", &[VARYING]),
    ("client|list", &[VARYING]),
    ("cluster|info", &[VARYING]),
    ("cluster|links", &[VARYING]),
    ("cluster|nodes", &[VARYING]),
    ("cluster|shards", &[VARYING]),
    ("cluster|slots", &[VARYING]),
    ("cluster|getkeysinslot", &[VARYING]),
    ("command", &[UNORDERED]),
    ("command|docs", &[UNORDERED]),
    ("command|info", &[UNORDERED]),
    ("command|list", &[UNORDERED]),
    ("config|set", &["request_policy:all_nodes", ALL_SUCCEED]),
    ("config|resetstat", &["request_policy:all_nodes", ALL_SUCCEED]),
    ("dbsize", &["request_policy:all_shards", "response_policy:agg_sum"]),
    ("del", SUM),
    ("exists", SUM),
    ("flushall", &["request_policy:all_shards", ALL_SUCCEED]),
    ("flushdb", &["request_policy:all_shards", ALL_SUCCEED]),
    ("info", &[VARYING, "request_policy:all_shards", SPECIAL]),
    ("keys", &["request_policy:all_shards", UNORDERED]),
    ("lastsave", &[VARYING]),
    ("latency|doctor", EVERY_NODE),
    ("latency|graph", EVERY_NODE),
    ("latency|histogram", EVERY_NODE),
    ("latency|history", EVERY_NODE),
    ("latency|latest", EVERY_NODE),
    ("latency|reset", &["request_policy:all_nodes", ALL_SUCCEED]),
    ("memory|doctor", EVERY_SHARD),
    ("memory|malloc-stats", EVERY_SHARD),
    ("memory|purge", &["request_policy:all_shards", ALL_SUCCEED]),
    ("memory|stats", EVERY_SHARD),
    ("mget", &["request_policy:multi_shard"]),
    ("mset", &["request_policy:multi_shard", ALL_SUCCEED]),
    ("msetnx", &["request_policy:multi_shard", "response_policy:agg_min"]),
    ("object|encoding", &[VARYING]),
    ("object|freq", &[VARYING]),
    ("object|idletime", &[VARYING]),
    ("object|refcount", &[VARYING]),
    ("ping", &["request_policy:all_shards", ALL_SUCCEED]),
    ("pttl", &[VARYING]),
    ("randomkey", &["request_policy:all_shards", VARYING]),
    ("scan", &[VARYING, "request_policy:special"]),
    ("slowlog|get", &["request_policy:all_nodes", VARYING]),
    ("slowlog|len", &["request_policy:all_nodes", "response_policy:agg_sum", VARYING]),
    ("slowlog|reset", &["request_policy:all_nodes", ALL_SUCCEED]),
    ("time", &[VARYING]),
    ("touch", SUM),
    ("ttl", &[VARYING]),
    ("unlink", SUM),
    ("waitaof", &["request_policy:all_shards", "response_policy:agg_min"]),
];

const VARYING: &str = "nondeterministic_output";
const UNORDERED: &str = "nondeterministic_output_order";
const ALL_SUCCEED: &str = "response_policy:all_succeeded";
const SPECIAL: &str = "response_policy:special";
const SUM: &[&str] = &["request_policy:multi_shard", "response_policy:agg_sum"];
const EVERY_NODE: &[&str] = &[VARYING, "request_policy:all_nodes", SPECIAL];
const EVERY_SHARD: &[&str] = &[VARYING, "request_policy:all_shards", SPECIAL];

/// What happens to keys, by full name: of the first key and of the others, where they differ.
const USES: &[(&str, &[Use])] = &[
    ("append", &[&["RW", "insert"]]),
    ("bitfield", &[&["RW", "access", "update", "variable_flags"]]),
    ("bitop", &[&["OW", "update"], &["RO", "access"]]),
    ("copy", &[&["RO", "access"], &["OW", "update"]]),
    ("del", &[&["RM", "delete"]]),
    ("delifeq", &[&["RW", "access", "delete"]]),
    ("delifver", &[&["RW", "access", "delete"]]),
    ("exists", &[&["RO"]]),
    ("expire", &[&["RW", "update"]]),
    ("expireat", &[&["RW", "update"]]),
    ("getdel", &[&["RW", "access", "delete"]]),
    ("memory|usage", &[&["RO"]]),
    ("mset", &[&["OW", "update"]]),
    ("msetnx", &[&["OW", "insert"]]),
    ("object|encoding", &[&["RO"]]),
    ("object|flags", &[&["RO"]]),
    ("object|freq", &[&["RO"]]),
    ("object|idletime", &[&["RO"]]),
    ("object|refcount", &[&["RO"]]),
    ("persist", &[&["RW", "update"]]),
    ("pexpire", &[&["RW", "update"]]),
    ("pexpireat", &[&["RW", "update"]]),
    ("psetex", &[&["OW", "update"]]),
    ("rename", &[&["RW", "access", "delete"], &["OW", "update"]]),
    ("renamenx", &[&["RW", "access", "delete"], &["OW", "insert"]]),
    ("set", &[&["RW", "access", "update", "variable_flags"]]),
    ("setex", &[&["OW", "update"]]),
    ("setnx", &[&["OW", "insert"]]),
    ("setrange", &[&["RW", "update"]]),
    ("strlen", &[&["RO"]]),
    ("touch", &[&["RO"]]),
    ("type", &[&["RO"]]),
    ("unlink", &[&["RM", "delete"]]),
];

/// What happens to a key, in Redis's words.
pub(crate) type Use = &'static [&'static str];

/// Some of the keys of a command, and what happens to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeySpec {
    /// Position of the first of them; the command's name is 0.
    pub first: usize,
    /// Distance of the last from the first, or, if negative, from the end.
    pub last: isize,
    /// Distance of two keys.
    pub step: usize,
    /// What happens to them.
    pub usage: Use,
}

/// The tips of a command.
pub(crate) fn tips(entry: Entry) -> &'static [&'static str] {
    find(TIPS, entry).unwrap_or(&[])
}

/// The keys of a command, in groups that are treated alike.
pub(crate) fn key_specs(entry: Entry) -> Vec<KeySpec> {
    let Keys::Range { first, last, step } = entry.row.keys else { return Vec::new() };
    let relative = |first: usize| if last < 0 { last } else { last - first as isize };
    match find(USES, entry) {
        Some([usage, usage_of_others]) => vec![
            KeySpec { first, last: 0, step: 1, usage },
            KeySpec { first: first + 1, last: relative(first + 1), step, usage: usage_of_others },
        ],
        Some(usages) => vec![KeySpec { first, last: relative(first), step, usage: usages[0] }],
        None => vec![KeySpec { first, last: relative(first), step, usage: usage_by_flags(entry.row) }],
    }
}

/// What happens to the keys that `usage` is about in one request: two commands do less unless they are told to.
pub(crate) fn usage_in(entry: Entry, usage: Use, request: &[&[u8]]) -> Use {
    let has = |word: &str| request.iter().skip(2).any(|arg| arg.eq_ignore_ascii_case(word.as_bytes()));
    match entry.label() {
        "set" if has("get") => &["RW", "access", "update"],
        "set" => &["OW", "update"],
        "bitfield" if has("set") || has("incrby") => &["RW", "access", "update"],
        "bitfield" => &["RO", "access"],
        _ => usage,
    }
}

fn usage_by_flags(row: &Command) -> Use {
    if row.flags.contains(Flags::READONLY) { &["RO", "access"] } else { &["RW", "access", "update"] }
}

fn find<T: Copy>(list: &[(&str, T)], entry: Entry) -> Option<T> {
    let name = entry.full_name();
    list.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

/// The ACL categories of a command, in Redis's order: those of its row, and those that follow from its flags.
pub(crate) fn categories(row: &Command) -> Vec<&'static str> {
    CATEGORIES.iter().copied().filter(|name| row.categories.contains(name) || follows(row.flags, name)).collect()
}

/// Every category there is.
pub(crate) const CATEGORIES: [&str; 14] = [
    "keyspace",
    "read",
    "write",
    "string",
    "bitmap",
    "pubsub",
    "admin",
    "fast",
    "slow",
    "blocking",
    "dangerous",
    "connection",
    "transaction",
    "scripting",
];

fn follows(flags: Flags, category: &str) -> bool {
    match category {
        "read" => flags.contains(Flags::READONLY),
        "write" => flags.contains(Flags::WRITE),
        "admin" | "dangerous" => flags.contains(Flags::ADMIN),
        "pubsub" => flags.contains(Flags::PUBSUB),
        "fast" => flags.contains(Flags::FAST),
        "slow" => !flags.contains(Flags::FAST),
        "blocking" => flags.contains(Flags::BLOCKING),
        _ => false,
    }
}

/// The flags of a command, in Redis's spelling.
pub(crate) fn flag_names(flags: Flags) -> Vec<String> {
    let spell = |name: &str| if name == "MOVABLE_KEYS" { "movablekeys".to_owned() } else { name.to_lowercase() };
    flags.iter_names().map(|(name, _)| spell(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::row::Run;
    use crate::command::table::table;

    #[test]
    fn hints_are_about_commands_there_are() {
        let names: Vec<String> = table().entries().iter().map(|entry| entry.full_name()).collect();
        let hinted = TIPS.iter().map(|(name, _)| name).chain(USES.iter().map(|(name, _)| name));
        for name in hinted {
            assert!(names.iter().any(|known| known == name), "there is no command {name}");
        }
    }

    #[test]
    fn keys_of_two_kinds_have_two_specs() {
        let spec = |name: &str| key_specs(table().find_name(name.as_bytes()).expect("a command"));
        let positions =
            |name: &str| spec(name).iter().map(|spec| (spec.first, spec.last, spec.step)).collect::<Vec<_>>();
        assert_eq!(positions("get"), [(1, 0, 1)]);
        assert_eq!(positions("mset"), [(1, -1, 2)]);
        assert_eq!(positions("rename"), [(1, 0, 1), (2, 0, 1)]);
        assert_eq!(positions("bitop"), [(2, 0, 1), (3, -1, 1)]);
        assert_eq!(positions("ping"), []);
    }

    #[test]
    fn the_rows_of_the_table_agree_with_themselves() {
        for entry in table().entries() {
            let (row, name) = (entry.row, entry.full_name());
            let is_container = matches!(row.run, Run::Container(_));
            assert_eq!(row.name, row.name.to_lowercase(), "{name} is in lower case");
            assert!(!row.summary.is_empty() && !row.summary.ends_with('.'), "{name} has a summary without a full stop");
            assert!(!row.complexity.is_empty(), "{name} says what it costs");
            assert!(row.since.split('.').count() == 3 || row.since.contains(' '), "{name} says since when it is");
            assert!(row.arity != 0, "{name} has an arity");
            for category in row.categories {
                assert!(CATEGORIES.contains(category), "{name} is of the unknown category {category}");
            }
            let least = row.arity.unsigned_abs() as usize;
            assert!(row.keys.positions(least).all(|position| position < least), "keys of {name} are in every request");
            let (writes, reads) = (row.flags.contains(Flags::WRITE), row.flags.contains(Flags::READONLY));
            assert!(!(writes && reads), "{name} either writes or reads");
            assert!(row.keys == Keys::None || writes || reads, "{name} has keys and says what it does to them");
            assert!(!is_container || row.syntax.is_empty(), "{name} leaves its syntax to its subcommands");
        }
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<String> = table().entries().iter().map(|entry| entry.full_name()).collect();
        let count = names.len();
        names.sort_unstable();
        // These are containers and commands.
        names.dedup_by(|one, other| one == other && one != "command" && one != "debug");
        for name in ["command", "debug"] {
            assert_eq!(names.iter().filter(|other| *other == name).count(), 2, "{name}");
        }
        assert_eq!(names.len(), count);
    }
}
