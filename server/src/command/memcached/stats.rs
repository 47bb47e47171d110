//! `stats`: what the server counts, under memcached's names.
//!
//! Each shard writes its numbers, in the order of one table, and the join adds them up; what is a fact of the whole server
//! is written by the client's own thread alone. Names of memcached that mean nothing here are left out. What a shard
//! counts (items, hits, misses, evictions, bytes) counts for all doors; what is counted of commands is that of
//! memcached's.
//!
//! `stats items` and `stats slabs` know one class, number 1, which is all there is.

use std::io::Write as _;
use std::net::SocketAddr;

use locksley_engine::{Db, Policy};
use locksley_wire::memcached::reply::{self, stat};
use locksley_wire::resp::Reply;

use super::parts::check_parts;
use super::{VERSION, Verb};
use crate::client::Door;
use crate::command::context::Context;
use crate::command::row::{Args, Command, Flags, Group, JoinInput, Keys, Outcome, ReplyPart, Run};
use crate::command::server::process::Usage;
use crate::command::table::table;
use crate::config::Config;
use crate::thread::Thread;

pub(super) static STATS: Command = Command {
    name: "stats",
    arity: 2,
    flags: Flags::LOADING.union(Flags::STALE),
    keys: Keys::None,
    categories: &[],
    group: Group::Memcached,
    since: "Locksley 0.1.0",
    summary: "Returns what the server counts, or sets the counters to zero",
    complexity: "O(1)",
    syntax: "[items | slabs | sizes | settings | conns | reset]",
    run: Run::Every { part, join },
};

/// One line of the reply.
struct Figure {
    name: &'static str,
    of: Of,
}

/// Where it comes from.
enum Of {
    /// Known beforehand.
    Text(&'static str),
    /// Of the server: the client's thread says it.
    Server(fn(&Thread) -> u64),
    /// Of the server, in microseconds that are shown as seconds.
    Time(fn(&Thread) -> u64),
    /// The sum over the shards.
    Sum(fn(&Thread) -> u64),
}

const fn text(name: &'static str, text: &'static str) -> Figure {
    Figure { name, of: Of::Text(text) }
}

const fn server(name: &'static str, read: fn(&Thread) -> u64) -> Figure {
    Figure { name, of: Of::Server(read) }
}

const fn time(name: &'static str, read: fn(&Thread) -> u64) -> Figure {
    Figure { name, of: Of::Time(read) }
}

const fn sum(name: &'static str, read: fn(&Thread) -> u64) -> Figure {
    Figure { name, of: Of::Sum(read) }
}

static GENERAL: &[Figure] = &[
    server("pid", |_| u64::from(std::process::id())),
    server("uptime", |thread| thread.now.0.saturating_sub(thread.shared.started_at.0) / 1_000),
    server("time", |thread| thread.now.0 / 1_000),
    text("version", VERSION),
    server("pointer_size", |_| u64::from(usize::BITS)),
    time("rusage_user", |_| micros(Usage::now().user_seconds)),
    time("rusage_system", |_| micros(Usage::now().system_seconds)),
    server("max_connections", |thread| u64::from(thread.config.maxclients)),
    sum("curr_connections", |thread| thread.clients.len() as u64),
    sum("total_connections", |thread| thread.counters.connections),
    sum("rejected_connections", |thread| thread.counters.rejected_connections),
    sum("cmd_get", |thread| thread.shard.stats().hits + thread.shard.stats().misses),
    sum("cmd_set", stores),
    sum("cmd_flush", |thread| calls(thread, &[Verb::FlushAll])),
    sum("cmd_touch", |thread| thread.counters.cache.touch_hits + thread.counters.cache.touch_misses),
    sum("cmd_meta", |thread| calls(thread, META)),
    sum("get_hits", |thread| thread.shard.stats().hits),
    sum("get_misses", |thread| thread.shard.stats().misses),
    sum("delete_misses", |thread| thread.counters.cache.delete_misses),
    sum("delete_hits", |thread| thread.counters.cache.delete_hits),
    sum("incr_misses", |thread| thread.counters.cache.incr_misses),
    sum("incr_hits", |thread| thread.counters.cache.incr_hits),
    sum("decr_misses", |thread| thread.counters.cache.decr_misses),
    sum("decr_hits", |thread| thread.counters.cache.decr_hits),
    sum("cas_misses", |thread| thread.counters.cache.cas_misses),
    sum("cas_hits", |thread| thread.counters.cache.cas_hits),
    sum("cas_badval", |thread| thread.counters.cache.cas_badval),
    sum("touch_hits", |thread| thread.counters.cache.touch_hits),
    sum("touch_misses", |thread| thread.counters.cache.touch_misses),
    sum("store_too_large", |thread| calls(thread, &[Verb::TooLarge])),
    sum("store_no_memory", refusals),
    sum("auth_cmds", |thread| calls(thread, &[Verb::Authenticate])),
    sum("auth_errors", |thread| thread.counters.cache.auth_errors),
    sum("bytes_read", |thread| thread.counters.received_bytes),
    sum("bytes_written", |thread| thread.counters.sent_bytes),
    server("limit_maxbytes", |thread| thread.config.maxmemory),
    server("accepting_conns", |_| 1),
    server("threads", |thread| u64::from(thread.shared.shard_count)),
    sum("hash_bytes", |thread| thread.shard.memory().tables),
    sum("bytes", |thread| thread.shard.memory().cells),
    sum("curr_items", items),
    sum("total_items", |thread| thread.counters.cache.stored),
    sum("evictions", |thread| thread.shard.stats().evicted),
    sum("reclaimed", |thread| thread.shard.stats().expired),
];

static ITEMS: &[Figure] = &[
    sum("items:1:number", items),
    sum("items:1:mem_requested", |thread| thread.shard.memory().payload),
    sum("items:1:evicted", |thread| thread.shard.stats().evicted),
    sum("items:1:outofmemory", refusals),
    sum("items:1:reclaimed", |thread| thread.shard.stats().expired),
];

static SLABS: &[Figure] = &[
    sum("1:used_chunks", items),
    sum("1:mem_requested", |thread| thread.shard.memory().payload),
    sum("1:get_hits", |thread| thread.shard.stats().hits),
    sum("1:cmd_set", stores),
    sum("1:delete_hits", |thread| thread.counters.cache.delete_hits),
    sum("1:incr_hits", |thread| thread.counters.cache.incr_hits),
    sum("1:decr_hits", |thread| thread.counters.cache.decr_hits),
    sum("1:cas_hits", |thread| thread.counters.cache.cas_hits),
    sum("1:cas_badval", |thread| thread.counters.cache.cas_badval),
    sum("1:touch_hits", |thread| thread.counters.cache.touch_hits),
    server("active_slabs", |_| 1),
    sum("total_malloced", |thread| thread.shard.memory().slab),
];

/// The commands that store.
const STORES: &[Verb] = &[Verb::Set, Verb::Add, Verb::Replace, Verb::Append, Verb::Prepend, Verb::Cas, Verb::MetaSet];

/// The meta commands.
const META: &[Verb] = &[Verb::MetaGet, Verb::MetaSet, Verb::MetaDelete, Verb::MetaArithmetic, Verb::MetaDebug];

/// What the words behind `stats` ask for.
#[derive(Clone, Copy)]
enum Topic {
    /// Numbers.
    Figures(&'static [Figure]),
    /// Lines that each thread writes.
    Lines(fn(&mut Context<'_>, &mut Vec<u8>)),
    /// That nothing was counted so far.
    Reset,
    /// Something that is not known.
    Unknown,
}

impl Topic {
    /// By the first word; more are passed over, as memcached does.
    fn of(words: &[u8]) -> Topic {
        match words.split(|byte| *byte == b' ').next().unwrap_or_default() {
            b"" => Topic::Figures(GENERAL),
            b"items" => Topic::Figures(ITEMS),
            b"slabs" => Topic::Figures(SLABS),
            b"sizes" => Topic::Lines(write_sizes),
            b"settings" => Topic::Lines(write_settings),
            b"conns" => Topic::Lines(write_connections),
            b"reset" => Topic::Reset,
            _ => Topic::Unknown,
        }
    }
}

/// The first byte of a part: whatever a failure's line does not begin with.
const MARK: u8 = b'=';

fn part(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let out = reply.buffer();
    out.push(MARK);
    match Topic::of(args[1]) {
        Topic::Figures(figures) => {
            let is_home = context.caller.home == context.thread.id;
            for figure in figures {
                let number = match figure.of {
                    Of::Server(read) | Of::Time(read) if is_home => read(context.thread),
                    Of::Text(_) | Of::Server(_) | Of::Time(_) => 0,
                    Of::Sum(read) => read(context.thread),
                };
                out.extend_from_slice(&number.to_le_bytes());
            }
        }
        Topic::Lines(write) => write(context, out),
        Topic::Reset => context.thread.reset_statistics(),
        Topic::Unknown => {}
    }
    Ok(())
}

fn join(input: &JoinInput<'_>, reply: &mut Reply<'_>) -> Outcome {
    check_parts(input.parts, |bytes| bytes.first() == Some(&MARK))?;
    let out = reply.buffer();
    match Topic::of(input.args[1]) {
        Topic::Figures(figures) => {
            write_figures(figures, input.parts, out);
            out.extend_from_slice(reply::END);
        }
        Topic::Lines(_) => {
            input.parts.iter().for_each(|part| out.extend_from_slice(&part.bytes[1..]));
            out.extend_from_slice(reply::END);
        }
        Topic::Reset => out.extend_from_slice(b"RESET\r\n"),
        Topic::Unknown => out.extend_from_slice(b"ERROR\r\n"),
    }
    Ok(())
}

fn write_figures(figures: &[Figure], parts: &[ReplyPart<'_>], out: &mut Vec<u8>) {
    for (index, Figure { name, of }) in figures.iter().enumerate() {
        let number: u64 = parts.iter().map(|part| number_at(&part.bytes[1..], index)).sum();
        match of {
            Of::Text(text) => stat(name, text, out),
            Of::Server(_) | Of::Sum(_) => stat(name, number, out),
            Of::Time(_) => stat(name, format_args!("{}.{:06}", number / 1_000_000, number % 1_000_000), out),
        }
    }
}

fn number_at(bytes: &[u8], index: usize) -> u64 {
    let (numbers, rest) = bytes.as_chunks();
    assert!(rest.is_empty(), "a part is made of numbers");
    u64::from_le_bytes(numbers[index])
}

/// Memcached has no histogram of sizes either, unless it is told to keep one.
fn write_sizes(context: &mut Context<'_>, out: &mut Vec<u8>) {
    if context.caller.home == context.thread.id {
        stat("sizes_status", "disabled", out);
    }
}

fn write_settings(context: &mut Context<'_>, out: &mut Vec<u8>) {
    if context.caller.home != context.thread.id {
        return;
    }
    let config: &Config = &context.thread.config;
    let yes_no = |is_on: bool| if is_on { "yes" } else { "no" };
    stat("maxbytes", config.maxmemory, out);
    stat("maxconns", config.maxclients, out);
    stat("tcpport", config.memcached_port, out);
    stat("udpport", 0, out);
    stat("inter", config.bind.join(","), out);
    stat("verbosity", 0, out);
    stat("evictions", if config.maxmemory_policy == Policy::Noeviction { "off" } else { "on" }, out);
    stat("num_threads", context.thread.shared.shard_count, out);
    stat("cas_enabled", "yes", out);
    stat("auth_enabled_sasl", "no", out);
    stat("auth_enabled_ascii", yes_no(!config.requirepass.is_empty()), out);
    stat("item_size_max", config.memcached_max_value, out);
    stat("maxconns_fast", "yes", out);
    stat("flush_enabled", "yes", out);
    stat("dump_enabled", "no", out);
    stat("idle_timeout", config.timeout, out);
    stat("ssl_enabled", "no", out);
}

/// The clients of this door on this thread, each by its number.
fn write_connections(context: &mut Context<'_>, out: &mut Vec<u8>) {
    let (caller, thread) = (context.caller, &*context.thread);
    for (_, client) in thread.clients.iter().filter(|(_, client)| client.door == Door::Memcached) {
        let state = if client.id == caller.id { "conn_parse_cmd" } else { "conn_read" };
        let seconds = thread.now.0.saturating_sub(client.active_at.0) / 1_000;
        let id = client.id.0;
        write!(
            out,
            "STAT {id}:addr {}\r\nSTAT {id}:listen_addr {}\r\nSTAT {id}:state {state}\r\n\
             STAT {id}:secs_since_last_cmd {seconds}\r\n",
            address(client.address),
            address(client.local_address),
        )
        .expect("a buffer takes all that is written");
    }
}

/// An address as memcached spells it.
fn address(address: SocketAddr) -> String {
    let canonical = SocketAddr::new(address.ip().to_canonical(), address.port());
    format!("{}:{canonical}", if canonical.is_ipv4() { "tcp" } else { "tcp6" })
}

fn calls(thread: &Thread, verbs: &[Verb]) -> u64 {
    verbs.iter().map(|verb| thread.counters.commands[table().memcached(*verb).index()].calls).sum()
}

fn stores(thread: &Thread) -> u64 {
    calls(thread, STORES)
}

fn items(thread: &Thread) -> u64 {
    thread.shard.len(Db(0))
}

/// Requests that were refused for lack of memory.
fn refusals(thread: &Thread) -> u64 {
    thread.counters.errors.iter().find(|(code, _)| *code == "OOM").map_or(0, |(_, count)| count)
}

fn micros(seconds: f64) -> u64 {
    (seconds * 1_000_000.0) as u64
}

#[cfg(test)]
mod tests {
    use crate::command::memcached::testing::Rig;

    /// The value of `name` in a reply to `stats`.
    fn value<'a>(reply: &'a str, name: &str) -> &'a str {
        let lines = reply.split('|').filter_map(|line| line.strip_prefix("STAT ")?.split_once(' '));
        let mut values = lines.filter(|(known, _)| *known == name).map(|(_, value)| value);
        let value = values.next().unwrap_or_else(|| panic!("{name} is in {reply}"));
        assert_eq!(values.next(), None, "{name} comes once");
        value
    }

    #[test]
    fn outcomes_are_counted_over_all_shards() {
        for shard_count in [1, 3] {
            let mut rig = Rig::new(shard_count);
            for line in [
                "set a 0 0 1|1",
                "set b 0 0 1|2",
                "add b 0 0 1|2",
                "get a b none",
                "gets a",
                "incr a 1",
                "incr none 1",
                "decr b 1",
                "decr none 1",
                "decr none 1",
                "touch a 10",
                "touch none 10",
                "gat 10 b",
                "cas a 0 0 1 0|x",
                "cas none 0 0 1 1|x",
                "delete a",
                "delete a",
                "flush_all 100",
            ] {
                rig.reply(line);
            }
            let reply = rig.reply("stats");
            assert!(reply.ends_with("|END"));
            for (name, expected) in [
                ("cmd_get", "5"),
                ("cmd_set", "5"),
                ("cmd_flush", "1"),
                ("cmd_touch", "3"),
                ("cmd_meta", "0"),
                ("get_hits", "4"),
                ("get_misses", "1"),
                ("incr_hits", "1"),
                ("incr_misses", "1"),
                ("decr_hits", "1"),
                ("decr_misses", "2"),
                ("touch_hits", "2"),
                ("touch_misses", "1"),
                ("cas_hits", "0"),
                ("cas_misses", "1"),
                ("cas_badval", "1"),
                ("delete_hits", "1"),
                ("delete_misses", "1"),
                ("curr_items", "1"),
                ("total_items", "2"),
                ("curr_connections", "1"),
                ("pointer_size", "64"),
                ("time", "1700000000"),
                ("uptime", "0"),
                ("threads", &shard_count.to_string()),
            ] {
                assert_eq!(value(&reply, name), expected, "{name} of {shard_count} shards");
            }
            assert_eq!(rig.reply("stats reset"), "RESET");
            let reply = rig.reply("stats");
            assert_eq!((value(&reply, "cmd_get"), value(&reply, "delete_hits")), ("0", "0"));
            assert_eq!(value(&reply, "curr_items"), "1");
        }
    }

    #[test]
    fn each_topic_has_its_lines() {
        for shard_count in [1, 3] {
            let mut rig = Rig::new(shard_count);
            rig.reply("set a 0 0 1|1");
            assert_eq!(value(&rig.reply("stats items"), "items:1:number"), "1");
            assert_eq!(value(&rig.reply("stats slabs"), "1:cmd_set"), "1");
            assert_eq!(rig.reply("stats sizes"), "STAT sizes_status disabled|END");
            let settings = rig.reply("stats settings");
            assert_eq!(value(&settings, "item_size_max"), "1048576");
            assert_eq!(value(&settings, "evictions"), "on");
            let connections = rig.reply("stats conns");
            assert_eq!(value(&connections, "1:addr"), "tcp:127.0.0.1:50000");
            assert_eq!(value(&connections, "1:state"), "conn_parse_cmd");
            assert_eq!(rig.reply("stats noreply"), "ERROR");
            assert_eq!(rig.reply("stats what"), "ERROR");
        }
    }
}
