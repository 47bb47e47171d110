//! A server without sockets: the tests of the commands run request lines against it and compare replies.
//!
//! [`check`] takes a table of lines with their replies and runs it twice, on one shard and on three, so that every
//! command is seen both whole and split. Keys go to shards by a rule of this file's own, since no command may depend
//! on the real one.
//!
//! A line is split at blanks; `"..."` holds blanks together and knows the escapes `\n`, `\r`, `\t`, `\0`, `\"`, `\\`
//! and `\xHH`. A reply is written as its bytes, where a blank stands for CR LF (the last one left off) and what cannot
//! be printed is escaped: `*2 $1 a $-1`. Lines that begin with `@` move the world instead, and reply nothing:
//!
//! | line | what it does |
//! |---|---|
//! | `@db 3` | selects a database |
//! | `@resp 3` | selects the dialect |
//! | `@after 1500` | lets that many milliseconds pass |
//! | `@policy allkeys-lfu` | sets the eviction policy |
//! | `@bulk-max 1000` | sets `proto-max-bulk-len` |

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use locksley_engine::{Db, ExpiryChange, Millis, Op, Policy, Touch};
use locksley_wire::resp::{Protocol, Reply};

use super::context::{Caller, Context};
use super::dialect::Dialect;
use super::effect::apply_all;
use super::execute::{self, Joined, execute, execute_parkable, execute_part};
use super::failure::Failure;
use super::park::Attempt;
use super::row::{DecideInput, Join, Keys, PlanInput, PlanRead, ReplyPart, Run};
use super::table::{Entry, Lookup, table};
use super::wait::Over;
use crate::client::{Arrival, Client, ClientId, ClientSlot, Door};
use crate::config::Config;
use crate::thread::{ShardId, Shared, Thread};

/// The time at which every table starts.
pub(crate) const START: Millis = Millis(1_700_000_000_000);

/// Runs each line of `table` in turn, on one shard and then on three, and compares its reply.
///
/// # Panics
/// At the first reply that differs.
pub(crate) fn check(table: &[(&str, &str)]) {
    for shard_count in [1, 3] {
        let mut rig = Rig::new(shard_count);
        for (index, (line, expected)) in table.iter().enumerate() {
            let reply = rig.reply(line);
            assert_eq!(&reply, expected, "reply to line {index} `{line}` on {shard_count} shards");
        }
    }
}

/// Several threads with their shards, and one client of the first.
pub(crate) struct Rig {
    /// The threads, by shard.
    pub threads: Vec<Thread>,
    /// How the client's next replies are written, where that is not as always behind its door.
    pub dialect: Option<Dialect>,
}

impl Rig {
    /// An empty server of `shard_count` shards.
    pub(crate) fn new(shard_count: u16) -> Rig {
        Rig::with_config(shard_count, Config::default())
    }

    /// An empty server of `shard_count` shards with the settings `config`.
    pub(crate) fn with_config(shard_count: u16, config: Config) -> Rig {
        let shared = Arc::new(Shared::new(shard_count, START, "0".repeat(40), config));
        let command_count = table().entries().len();
        let make = |id| Thread::new(ShardId(id), Arc::clone(&shared), command_count, 7).expect("a small shard");
        let mut threads: Vec<Thread> = (0..shard_count).map(make).collect();
        threads[0].add_client(ClientSlot(0), client());
        Rig { threads, dialect: None }
    }

    /// The one client.
    pub(crate) fn client(&mut self) -> &mut Client {
        self.threads[0].clients.get_mut(ClientSlot(0)).expect("the client was put there by `new`")
    }

    /// Runs one line and shows its reply as the module's header says.
    pub(crate) fn reply(&mut self, line: &str) -> String {
        let bytes = self.run(line);
        let text = bytes.strip_suffix(b"\r\n").unwrap_or(&bytes);
        text.escape_ascii().to_string().replace("\\r\\n", " ").replace("\\\"", "\"").replace("\\'", "'")
    }

    /// Runs one line and returns the bytes of its reply.
    pub(crate) fn run(&mut self, line: &str) -> Vec<u8> {
        let words = words(line);
        if words[0].starts_with(b"@") {
            let text = |index: usize| str::from_utf8(&words[index]).expect("a word about the world is text");
            self.turn(text(0), text(1));
            return Vec::new();
        }
        let args: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        self.run_args(&args)
    }

    /// Runs one request and returns the bytes of its reply.
    pub(crate) fn run_args(&mut self, args: &[&[u8]]) -> Vec<u8> {
        let Lookup::Found(entry) = table().find(args) else { panic!("no command `{}`", args[0].escape_ascii()) };
        self.run_entry(entry, args)
    }

    /// Runs a request of which the row is known and returns the bytes of its reply.
    pub(crate) fn run_entry(&mut self, entry: Entry, args: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        let protocol = self.client().protocol;
        if !entry.row.takes(args.len()) {
            let text = format!("ERR wrong number of arguments for '{}' command", entry.full_name());
            Reply::new(&mut out, protocol).error(&text);
            return out;
        }
        let positions: Vec<usize> = entry.row.keys.positions(args.len()).collect();
        let owner = |position: usize| owner(args[position], self.threads.len());
        match &entry.row.run {
            Run::Home(_) => out = self.whole(0, entry, args),
            Run::Owner(_) => out = self.whole(owner(positions[0]), entry, args),
            Run::Park { .. } => out = self.park(owner(positions[0]), entry, args),
            Run::Chosen { choose, .. } => match choose(args, self.threads.len() as u16) {
                Ok(shard) => out = self.whole(usize::from(shard), entry, args),
                Err(failure) => Reply::new(&mut out, protocol).error(failure.text()),
            },
            Run::Split { .. } | Run::Spread { .. } => out = self.split(entry, args, &positions),
            Run::Every { join, .. } | Run::Survey { join, .. } => {
                let parts: Vec<Vec<u8>> = (0..self.threads.len()).map(|shard| self.part(shard, entry, args)).collect();
                let parts: Vec<_> =
                    parts.iter().map(|bytes| ReplyPart { bytes, key_positions: &[], is_remembered: false }).collect();
                out = self.join(entry, *join, args, &parts);
            }
            Run::Atomic { .. } if self.threads.len() == 1 => out = self.whole(0, entry, args),
            Run::Atomic { .. } => joined(&mut out, protocol, |reply| self.decide(entry, args, reply)),
            Run::Wait(_) => out = self.wait(entry, args),
            Run::Container(_) => unreachable!("the table resolves containers"),
        }
        out
    }

    /// Declares the value of a key out of date.
    pub(crate) fn invalidate(&mut self, db: u8, key: &str) {
        let (owner, now) = (owner(key.as_bytes(), self.threads.len()), self.threads[0].now);
        let shard = &mut self.threads[owner].shard;
        let key = shard.key(Db(db), key.as_bytes());
        shard.apply(Op::Invalidate { key, expiry: ExpiryChange::Keep }, now).expect("a small shard has room");
    }

    /// Whether the value of a key is out of date; nothing if there is none.
    pub(crate) fn is_stale(&self, db: u8, key: &str) -> Option<bool> {
        let shard = &self.threads[owner(key.as_bytes(), self.threads.len())].shard;
        shard.peek(shard.key(Db(db), key.as_bytes()), self.threads[0].now).map(|entry| entry.is_stale)
    }

    fn caller(&mut self) -> Caller {
        let dialect = self.dialect;
        let client = self.client();
        Caller {
            home: ShardId(0),
            slot: ClientSlot(0),
            id: client.id,
            db: client.db,
            dialect: dialect.unwrap_or(Dialect::of(client.door)),
            protocol: client.protocol,
            touch: if client.no_touch { Touch::CountOnly } else { Touch::Count },
            door: client.door,
        }
    }

    fn whole(&mut self, shard: usize, entry: Entry, args: &[&[u8]]) -> Vec<u8> {
        let (caller, mut out) = (self.caller(), Vec::new());
        execute(&mut self.threads[shard], caller, entry, args, &mut Reply::new(&mut out, caller.protocol));
        out
    }

    /// Runs a command that may wait; what it waits for comes now or never, so that the reply is there at once.
    fn wait(&mut self, entry: Entry, args: &[&[u8]]) -> Vec<u8> {
        let (caller, mut out) = (self.caller(), Vec::new());
        let thread = &mut self.threads[0];
        let wait = execute::begin_wait(thread, caller, entry, args, &mut Reply::new(&mut out, caller.protocol));
        if let Some(wait) = wait {
            let over = wait.over(&thread.shared.persist, thread.now).unwrap_or(Over::Late);
            joined(&mut out, caller.protocol, |reply| (wait.then)(&mut Context { thread, caller }, args, over, reply));
        }
        out
    }

    /// Runs a command that may wait for its key; where it would wait, its time is over at once.
    fn park(&mut self, shard: usize, entry: Entry, args: &[&[u8]]) -> Vec<u8> {
        let (caller, mut out) = (self.caller(), Vec::new());
        let thread = &mut self.threads[shard];
        thread.settle_touched();
        let mut reply = Reply::new(&mut out, caller.protocol);
        if execute_parkable(thread, caller, entry, args, Attempt::First, &mut reply).is_some() {
            execute_parkable(thread, caller, entry, args, Attempt::Last, &mut reply);
        }
        out
    }

    fn part(&mut self, shard: usize, entry: Entry, args: &[&[u8]]) -> Vec<u8> {
        let (caller, mut out) = (self.caller(), Vec::new());
        execute_part(&mut self.threads[shard], caller, entry, args, &mut Reply::new(&mut out, caller.protocol));
        out
    }

    fn join(&mut self, entry: Entry, join: Join, args: &[&[u8]], parts: &[ReplyPart<'_>]) -> Vec<u8> {
        let (caller, mut out) = (self.caller(), Vec::new());
        let mut reply = Reply::new(&mut out, caller.protocol);
        execute::join(&mut self.threads[0], caller, entry, join, args, &Joined { parts, silent: &[] }, &mut reply);
        out
    }

    fn split(&mut self, entry: Entry, args: &[&[u8]], positions: &[usize]) -> Vec<u8> {
        let (join, is_joined) = match &entry.row.run {
            Run::Split { join, .. } => (join, false),
            Run::Spread { join, .. } => (join, true),
            _ => unreachable!("called for split commands"),
        };
        let Keys::Range { step, .. } = entry.row.keys else { unreachable!("split commands have keys") };
        let mut parts = Vec::new();
        for shard in 0..self.threads.len() {
            let owned = |position: &usize| owner(args[*position], self.threads.len()) == shard;
            let mut request = args[..positions[0]].to_vec();
            let mut key_positions = Vec::new();
            for (index, position) in positions.iter().enumerate().filter(|(_, position)| owned(position)) {
                request.extend_from_slice(&args[*position..position + step]);
                key_positions.push(index as u32);
            }
            if key_positions.len() == positions.len() && !is_joined {
                return self.part(shard, entry, args);
            }
            if !key_positions.is_empty() {
                parts.push((self.part(shard, entry, &request), key_positions));
            }
        }
        let parts: Vec<_> = parts
            .iter()
            .map(|(bytes, key_positions)| ReplyPart { bytes, key_positions, is_remembered: false })
            .collect();
        self.join(entry, *join, args, &parts)
    }

    /// An atomic command whose keys may be anywhere: all threads stand still while it looks and decides.
    fn decide(&mut self, entry: Entry, args: &[&[u8]], reply: &mut Reply<'_>) -> Result<(), Failure> {
        let Run::Atomic { plan, decide } = &entry.row.run else { unreachable!("called for atomic commands") };
        let (db, now) = (self.client().db, self.threads[0].now);
        let database_count = self.threads[0].config.databases;
        let mut planned = Vec::new();
        plan(&PlanInput { args, db, database_count }, &mut planned)?;
        let mut effects = Vec::new();
        {
            let threads = &self.threads;
            let reads: Vec<_> = planned
                .iter()
                .map(|planned| {
                    let bytes = args[planned.argument];
                    let shard = &threads[owner(bytes, threads.len())].shard;
                    let wanted = planned.read != PlanRead::Nothing;
                    if wanted { shard.peek(shard.key(planned.db, bytes), now) } else { None }
                })
                .collect();
            decide(&DecideInput { args, db, reads: &reads }, &mut effects, reply)?;
        }
        for effect in &effects {
            let shard = owner(effect.key(), self.threads.len());
            apply_all(std::slice::from_ref(effect), &mut self.threads[shard].shard, now)?;
        }
        Ok(())
    }

    fn turn(&mut self, what: &str, value: &str) {
        let number = || value.parse::<u64>().expect("a number");
        match what {
            "@db" => self.client().db = Db(number() as u8),
            "@resp" => self.client().protocol = if number() == 3 { Protocol::Resp3 } else { Protocol::Resp2 },
            "@after" => self.threads.iter_mut().for_each(|thread| thread.now.0 += number()),
            "@policy" => {
                let policy = Policy::from_name(value).expect("a policy's name");
                self.configure(|config| config.maxmemory_policy = policy);
            }
            "@bulk-max" => self.configure(|config| config.proto_max_bulk_len = number()),
            _ => panic!("nothing in the world is called `{what}`"),
        }
    }

    /// Changes the settings of every thread.
    pub(crate) fn configure(&mut self, change: impl FnOnce(&mut Config)) {
        let changed = self.threads[0].shared.change_config(|config| {
            change(config);
            Ok::<(), ()>(())
        });
        changed.expect("the change cannot fail");
        self.threads.iter_mut().for_each(Thread::refresh_config);
    }
}

/// Runs `write`, and replies with its failure in place of what it wrote.
fn joined(out: &mut Vec<u8>, protocol: Protocol, write: impl FnOnce(&mut Reply<'_>) -> Result<(), Failure>) {
    let mut reply = Reply::new(out, protocol);
    if let Err(failure) = write(&mut reply) {
        reply.truncate(0);
        reply.error(failure.text());
    }
}

/// The shard that this file gives a key to.
fn owner(key: &[u8], shard_count: usize) -> usize {
    key.iter().map(|byte| usize::from(*byte)).sum::<usize>() % shard_count
}

fn client() -> Client {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 50_000));
    Client::new(Arrival {
        id: ClientId(1),
        address,
        local_address: SocketAddr::from((Ipv4Addr::LOCALHOST, 6379)),
        door: Door::Shared,
        at: START,
        authenticated: true,
    })
}

/// Splits a line into its words.
fn words(line: &str) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    let mut rest = line.bytes().peekable();
    while let Some(first) = rest.find(|byte| *byte != b' ') {
        let mut word = Vec::new();
        if first == b'"' {
            while let Some(byte) = rest.next().filter(|byte| *byte != b'"') {
                word.push(if byte == b'\\' { unescape(&mut rest) } else { byte });
            }
        } else {
            word.push(first);
            while let Some(byte) = rest.next_if(|byte| *byte != b' ') {
                word.push(byte);
            }
        }
        words.push(word);
    }
    words
}

fn unescape(rest: &mut impl Iterator<Item = u8>) -> u8 {
    match rest.next().expect("an escape has a letter") {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'0' => 0,
        b'x' => {
            let mut digit = || char::from(rest.next().expect("two digits")).to_digit(16).expect("hexadecimal") as u8;
            digit() * 16 + digit()
        }
        byte => byte,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_split_at_blanks_outside_quotes() {
        let cases: [(&str, &[&[u8]]); 4] = [
            ("GET k", &[b"GET", b"k"]),
            ("  SET  k  \"a b\"", &[b"SET", b"k", b"a b"]),
            (r#"SET k "\x00\xff\n\"\\""#, &[b"SET", b"k", b"\x00\xff\n\"\\"]),
            (r#"SET k """#, &[b"SET", b"k", b""]),
        ];
        for (line, expected) in cases {
            assert_eq!(words(line), expected, "words of `{line}`");
        }
    }

    #[test]
    fn the_world_moves_by_lines() {
        check(&[
            ("SET k v", "+OK"),
            ("@db 1", ""),
            ("GET k", "$-1"),
            ("@db 0", ""),
            ("GET k", "$1 v"),
            ("SET", "-ERR wrong number of arguments for 'set' command"),
        ]);
    }
}
