//! Clients that change everything at random and know what every reply has to be.
//!
//! Each client has two databases to itself, so that FLUSHDB and SWAPDB concern nobody else, and keys in a database shared
//! by all for what expires soon. What it sends and what is acknowledged goes into its [`Ledger`].
//!
//! Beside the random keys there are two rules that no ledger of single keys can see broken:
//! - **a quartet**: four keys of one slot that are only ever set by one MSET: they are equal, always;
//! - **a chain**: eight keys of one slot, set in turn to 1, 2, 3, ...: a store that lost the end of its log has a prefix
//!   of that, so the highest number found says what all eight must be.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::client::{Client, NoReply, request};
use crate::ledger::{Effects, Expiry, Ledger, Name, State, now_ms};
use crate::reply::Reply;
use crate::seed::Random;

/// Keys of one client in each of its databases.
const KEY_COUNT: u64 = 80;
/// Keys of one client that expire soon.
const BRIEF_COUNT: u64 = 20;
/// The database of keys that expire soon, and of quartets and chains.
pub const SHARED_DB: u32 = 15;
/// Keys of a chain.
const CHAIN_COUNT: u64 = 8;
/// Values longer than this are not made longer.
const GROWN_BYTES_MAX: usize = 8 * 1024;
/// An expiry that no test lives to see: some hours.
const FAR_MS: u64 = 10_000_000;

/// How hard a client works.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Requests that are sent at once, at most.
    pub pipeline_max: u64,
    /// Of 10,000 values, so many are longer than a log segment of 1 MiB.
    pub giants: u64,
}

/// One client: its keys, its randomness.
#[derive(Debug)]
pub struct Workload {
    number: u32,
    random: Random,
    pace: Pace,
    /// What the client knows.
    pub ledger: Ledger,
    /// Numbers the values.
    turn: u64,
    chain: u64,
    /// The database that is selected once everything sent has happened.
    db: u32,
}

/// A request, the reply it must get and what it changes.
struct Move {
    words: Vec<Vec<u8>>,
    reply: Reply,
    effects: Effects,
}

impl Workload {
    /// The client of this number.
    pub fn new(number: u32, seed: u64, pace: Pace) -> Self {
        let random = Random::new(seed ^ u64::from(number) << 32);
        Self { number, random, pace, ledger: Ledger::default(), turn: 0, chain: 0, db: 0 }
    }

    /// Its own databases.
    pub fn dbs(&self) -> [u32; 2] {
        [self.number * 2, self.number * 2 + 1]
    }

    /// Works until `is_over`, or until the connection ends; counts acknowledgements in `done`.
    ///
    /// # Errors
    ///
    /// A reply that is not the right one.
    pub fn work(&mut self, address: SocketAddr, is_over: &AtomicBool, done: &AtomicU64) -> Result<(), String> {
        let Ok(mut client) = Client::connect(address) else { return Ok(()) };
        self.db = 0;
        while !is_over.load(Ordering::Relaxed) {
            let mut bytes = Vec::new();
            let mut awaited = Vec::new();
            for _ in 0..=self.random.below(self.pace.pipeline_max) {
                for Move { words, reply, effects } in self.moves() {
                    bytes.extend(request(&words));
                    self.ledger.send(effects);
                    awaited.push((words, reply));
                }
            }
            let is_sent = client.send_raw(&bytes).is_ok();
            for (words, expected) in awaited {
                match client.read() {
                    Ok(reply) if reply == expected => self.ledger.acknowledge(),
                    Ok(reply) => {
                        let words: Vec<_> =
                            words.iter().map(|word| crate::text::quote(&word[..word.len().min(60)])).collect();
                        let words = words.join(" ");
                        return Err(format!("client {}: {words} answers {reply}, not {expected}", self.number));
                    }
                    Err(NoReply::Closed) => return Ok(()),
                    Err(other) => return Err(format!("client {}: {other}", self.number)),
                }
                done.fetch_add(1, Ordering::Relaxed);
            }
            if !is_sent {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Judges what a server has after a crash; see [`Ledger::verify`].
    ///
    /// # Errors
    ///
    /// What is wrong.
    ///
    /// # Panics
    ///
    /// If the server does not answer.
    pub fn verify(&mut self, client: &mut Client, safe_at: u64) -> Result<usize, String> {
        let number = self.number;
        let chain: Vec<String> = (0..CHAIN_COUNT).map(|index| format!("{{chain{number}}}:{index}")).collect();
        let quartet = quartet(number);
        client.command(&format!("SELECT {SHARED_DB}"));
        let mut get = |keys: &[String]| -> Vec<Option<String>> {
            let words: Vec<&str> = std::iter::once("MGET").chain(keys.iter().map(String::as_str)).collect();
            client.call(&words).elements().iter().map(Reply::text).collect()
        };
        let values = get(&quartet);
        if values.iter().any(|value| *value != values[0]) {
            return Err(format!("a group is torn: {quartet:?} are {values:?}"));
        }
        let values = get(&chain);
        let numbers: Vec<u64> =
            values.iter().map(|value| value.as_ref().map_or(0, |it| it.parse().unwrap_or(0))).collect();
        let last = *numbers.iter().max().expect("there are several");
        for (index, found) in (0..CHAIN_COUNT).zip(&numbers) {
            let expected = (0..=last).rev().take(CHAIN_COUNT as usize).find(|turn| turn % CHAIN_COUNT == index);
            if expected.unwrap_or(0) != *found {
                return Err(format!("this is no prefix of what was sent: {chain:?} are {values:?}"));
            }
        }
        self.chain = last;
        let count = self.ledger.verify(client, safe_at)?;
        for db in self.dbs() {
            let known = self.ledger.names(db).len() as i64;
            client.command(&format!("SELECT {db}"));
            let found = client.command("DBSIZE").integer();
            if found != known {
                return Err(format!("db {db} has {found} keys, of which {known} are known"));
            }
        }
        Ok(count)
    }

    /// A key of one of its databases.
    fn name(&mut self) -> Name {
        (self.db, format!("k{}", self.random.below(KEY_COUNT)))
    }

    /// An existing key of the database, if there is one.
    fn present(&mut self) -> Name {
        for _ in 0..8 {
            let name = self.name();
            if self.ledger.now(&name).is_some() {
                return name;
            }
        }
        self.name()
    }

    /// A new value, which tells which one it is.
    fn value(&mut self) -> Vec<u8> {
        self.turn += 1;
        let length = match self.random.below(10_000) {
            draw if draw < self.pace.giants => 1_200_000 + self.random.below(600_000),
            0..100 => 20_000 + self.random.below(80_000),
            100..1_000 => 300 + self.random.below(5_000),
            _ => self.random.below(100),
        };
        let mut value = format!("{}.{}.", self.number, self.turn).into_bytes();
        let start = self.random.bits() as u8;
        value.extend((0..length).map(|index| start.wrapping_add((index % 251) as u8)));
        value
    }

    /// The next requests: one, or one with its SELECTs.
    fn moves(&mut self) -> Vec<Move> {
        match self.random.below(1_000) {
            0..40 => {
                let db = self.dbs()[self.random.below(2) as usize];
                vec![self.select(db)]
            }
            40..120 => self.shared_moves(),
            _ => {
                if !self.dbs().contains(&self.db) {
                    let db = self.dbs()[0];
                    return vec![self.select(db)];
                }
                vec![self.own_move()]
            }
        }
    }

    fn select(&mut self, db: u32) -> Move {
        self.db = db;
        Move { words: words(&["SELECT", &db.to_string()]), reply: ok(), effects: Vec::new() }
    }

    /// Keys that expire soon, a quartet, or the next of the chain.
    fn shared_moves(&mut self) -> Vec<Move> {
        let number = self.number;
        let select = self.select(SHARED_DB);
        let next = match self.random.below(3) {
            0 => {
                let name = (SHARED_DB, format!("brief{number}:{}", self.random.below(BRIEF_COUNT)));
                let value = self.value();
                let ttl = 1 + self.random.below(400);
                let state = State { value: value.as_slice().into(), expiry: Expiry::In(ttl) };
                let words = words(&["SET", &name.1]);
                let words = [words, vec![value, b"PX".to_vec(), ttl.to_string().into_bytes()]].concat();
                Move { words, reply: ok(), effects: vec![(name, Some(state))] }
            }
            1 => {
                let value = self.value();
                let mut words = words(&["MSET"]);
                let mut effects = Effects::new();
                for key in quartet(number) {
                    words.extend([key.clone().into_bytes(), value.clone()]);
                    effects.push(((SHARED_DB, key), Some(State::lasting(&value))));
                }
                Move { words, reply: ok(), effects }
            }
            _ => {
                self.chain += 1;
                let key = format!("{{chain{number}}}:{}", self.chain % CHAIN_COUNT);
                let value = self.chain.to_string();
                let words = words(&["SET", &key, &value]);
                Move { words, reply: ok(), effects: vec![((SHARED_DB, key), Some(State::lasting(value.as_bytes())))] }
            }
        };
        vec![select, next]
    }

    /// One request for keys of the selected database.
    fn own_move(&mut self) -> Move {
        match self.random.below(1_000) {
            0..260 => self.set(),
            260..420 => self.change_in_place(),
            420..520 => self.count(),
            520..640 => self.remove(),
            640..720 => self.expire(),
            720..800 => self.set_many(),
            800..940 => self.carry(),
            940..990 => {
                let name = self.present();
                let reply = self.ledger.now(&name).map_or(Reply::Nil, |state| Reply::Bulk(state.value.to_vec()));
                Move { words: words(&["GET", &name.1]), reply, effects: Vec::new() }
            }
            990..993 => {
                let effects = self.ledger.names(self.db).into_iter().map(|name| (name, None)).collect();
                Move { words: words(&["FLUSHDB"]), reply: ok(), effects }
            }
            _ => self.swap(),
        }
    }

    fn set(&mut self) -> Move {
        let name = self.name();
        let value = self.value();
        let old = self.ledger.now(&name).cloned();
        let mut state = State::lasting(&value);
        let mut words = words(&["SET", &name.1]);
        words.push(value);
        let mut reply = ok();
        match self.random.below(10) {
            0 => {
                let at = now_ms() + FAR_MS + self.random.below(FAR_MS);
                state.expiry = Expiry::At(at);
                words.extend([b"PXAT".to_vec(), at.to_string().into_bytes()]);
            }
            1 => {
                state.expiry = Expiry::In(FAR_MS);
                words.extend([b"PX".to_vec(), FAR_MS.to_string().into_bytes()]);
            }
            2 => {
                state.expiry = old.map_or(Expiry::Never, |old| old.expiry);
                words.push(b"KEEPTTL".to_vec());
            }
            3 => {
                reply = old.map_or(Reply::Nil, |old| Reply::Bulk(old.value.to_vec()));
                words.push(b"GET".to_vec());
            }
            4 => {
                words.push(b"NX".to_vec());
                if old.is_some() {
                    return Move { words, reply: Reply::Nil, effects: Vec::new() };
                }
            }
            5 => {
                words.push(b"XX".to_vec());
                if old.is_none() {
                    return Move { words, reply: Reply::Nil, effects: Vec::new() };
                }
            }
            _ => {}
        }
        Move { words, reply, effects: vec![(name, Some(state))] }
    }

    /// APPEND, SETRANGE or SETBIT.
    fn change_in_place(&mut self) -> Move {
        let name = self.name();
        let old = self.ledger.now(&name).cloned();
        let mut bytes = old.as_ref().map_or(Vec::new(), |old| old.value.to_vec());
        let expiry = old.map_or(Expiry::Never, |old| old.expiry);
        if bytes.len() > GROWN_BYTES_MAX {
            return self.set();
        }
        let short = format!("<{}>", self.random.below(1_000_000)).into_bytes();
        let (words, reply) = match self.random.below(4) {
            0 | 1 => {
                bytes.extend_from_slice(&short);
                ([words(&["APPEND", &name.1]), vec![short]].concat(), Reply::Integer(bytes.len() as i64))
            }
            2 => {
                let offset = self.random.below(bytes.len() as u64 + 20) as usize;
                bytes.resize(bytes.len().max(offset + short.len()), 0);
                bytes[offset..offset + short.len()].copy_from_slice(&short);
                let words = [words(&["SETRANGE", &name.1, &offset.to_string()]), vec![short]].concat();
                (words, Reply::Integer(bytes.len() as i64))
            }
            _ => {
                let bit = self.random.below(400) as usize;
                bytes.resize(bytes.len().max(bit / 8 + 1), 0);
                let (byte, mask) = (&mut bytes[bit / 8], 0x80 >> (bit % 8));
                let was_set = i64::from(*byte & mask != 0);
                *byte ^= mask;
                let set = if was_set == 1 { "0" } else { "1" };
                (words(&["SETBIT", &name.1, &bit.to_string(), set]), Reply::Integer(was_set))
            }
        };
        let state = State { value: bytes.into(), expiry };
        Move { words, reply, effects: vec![(name, Some(state))] }
    }

    /// INCRBY of a key that is a number, or made one.
    fn count(&mut self) -> Move {
        let name = (self.db, format!("n{}", self.random.below(10)));
        let old = self.ledger.now(&name).cloned();
        let number: i64 =
            old.as_ref().map_or(0, |old| String::from_utf8_lossy(&old.value).parse().expect("it is counted"));
        let by = self.random.below(2_000) as i64 - 900;
        let state = State {
            value: (number + by).to_string().into_bytes().into(),
            expiry: old.map_or(Expiry::Never, |old| old.expiry),
        };
        let words = words(&["INCRBY", &name.1, &by.to_string()]);
        Move { words, reply: Reply::Integer(number + by), effects: vec![(name, Some(state))] }
    }

    /// DEL of several, UNLINK, GETDEL.
    fn remove(&mut self) -> Move {
        if self.random.below(3) == 0 {
            let name = self.present();
            let old = self.ledger.now(&name).cloned();
            let words = words(&["GETDEL", &name.1]);
            return match old {
                None => Move { words, reply: Reply::Nil, effects: Vec::new() },
                Some(old) => Move { words, reply: Reply::Bulk(old.value.to_vec()), effects: vec![(name, None)] },
            };
        }
        let word = if self.random.below(2) == 0 { "DEL" } else { "UNLINK" };
        let mut names: Vec<Name> = (0..=self.random.below(4)).map(|_| self.name()).collect();
        names.sort();
        names.dedup();
        let words = [words(&[word]), names.iter().map(|name| name.1.clone().into_bytes()).collect()].concat();
        names.retain(|name| self.ledger.now(name).is_some());
        let reply = Reply::Integer(names.len() as i64);
        Move { words, reply, effects: names.into_iter().map(|name| (name, None)).collect() }
    }

    /// EXPIRE, PEXPIREAT, PERSIST.
    fn expire(&mut self) -> Move {
        let name = self.present();
        let old = self.ledger.now(&name).cloned();
        let (words, expiry) = match self.random.below(4) {
            0 => (words(&["PEXPIRE", &name.1, &FAR_MS.to_string()]), Expiry::In(FAR_MS)),
            1 | 2 => {
                let at = now_ms() + FAR_MS + self.random.below(FAR_MS);
                (words(&["PEXPIREAT", &name.1, &at.to_string()]), Expiry::At(at))
            }
            _ => (words(&["PERSIST", &name.1]), Expiry::Never),
        };
        let is_nothing = |old: &State| expiry == Expiry::Never && old.expiry == Expiry::Never;
        match old {
            Some(old) if !is_nothing(&old) => {
                Move { words, reply: Reply::Integer(1), effects: vec![(name, Some(State { expiry, ..old }))] }
            }
            _ => Move { words, reply: Reply::Integer(0), effects: Vec::new() },
        }
    }

    /// MSET or MSETNX over shards.
    fn set_many(&mut self) -> Move {
        let mut names: Vec<Name> = (0..2 + self.random.below(5)).map(|_| self.name()).collect();
        names.sort();
        names.dedup();
        let is_careful = self.random.below(4) == 0;
        let mut words = words(&[if is_careful { "MSETNX" } else { "MSET" }]);
        let mut effects = Effects::new();
        let is_free = names.iter().all(|name| self.ledger.now(name).is_none());
        for name in names {
            let value = self.value();
            words.extend([name.1.clone().into_bytes(), value.clone()]);
            effects.push((name, Some(State::lasting(&value))));
        }
        if !is_careful {
            return Move { words, reply: ok(), effects };
        }
        if !is_free {
            effects.clear();
        }
        Move { words, reply: Reply::Integer(i64::from(is_free)), effects }
    }

    /// RENAME, RENAMENX, COPY or MOVE.
    fn carry(&mut self) -> Move {
        let (source, mut target) = (self.present(), self.name());
        let old = self.ledger.now(&source).cloned();
        if source == target {
            return self.set();
        }
        let other_db = self.dbs()[usize::from(self.db == self.dbs()[0])];
        match self.random.below(5) {
            0 | 1 => {
                let words = words(&["RENAME", &source.1, &target.1]);
                match old {
                    None => Move { words, reply: Reply::Error(b"ERR no such key".to_vec()), effects: Vec::new() },
                    Some(old) => Move { words, reply: ok(), effects: vec![(source, None), (target, Some(old))] },
                }
            }
            2 => {
                let is_free = self.ledger.now(&target).is_none();
                let words = words(&["RENAMENX", &source.1, &target.1]);
                match old {
                    None => Move { words, reply: Reply::Error(b"ERR no such key".to_vec()), effects: Vec::new() },
                    Some(old) if is_free => {
                        Move { words, reply: Reply::Integer(1), effects: vec![(source, None), (target, Some(old))] }
                    }
                    Some(_) => Move { words, reply: Reply::Integer(0), effects: Vec::new() },
                }
            }
            3 => {
                target.0 = other_db;
                let words = words(&["COPY", &source.1, &target.1, "DB", &other_db.to_string(), "REPLACE"]);
                let reply = Reply::Integer(i64::from(old.is_some()));
                let effects = old.map_or(Effects::new(), |old| vec![(target, Some(old))]);
                Move { words, reply, effects }
            }
            _ => {
                target = (other_db, source.1.clone());
                let words = words(&["MOVE", &source.1, &other_db.to_string()]);
                match old {
                    Some(old) if self.ledger.now(&target).is_none() => {
                        Move { words, reply: Reply::Integer(1), effects: vec![(source, None), (target, Some(old))] }
                    }
                    _ => Move { words, reply: Reply::Integer(0), effects: Vec::new() },
                }
            }
        }
    }

    fn swap(&mut self) -> Move {
        let [first, second] = self.dbs();
        let mut effects = Effects::new();
        let mut keys: Vec<String> =
            [first, second].into_iter().flat_map(|db| self.ledger.names(db)).map(|name| name.1).collect();
        keys.sort();
        keys.dedup();
        for key in keys {
            let (one, other) = ((first, key.clone()), (second, key));
            let (first, second) = (self.ledger.now(&one).cloned(), self.ledger.now(&other).cloned());
            effects.extend([(one, second), (other, first)]);
        }
        Move { words: words(&["SWAPDB", &first.to_string(), &second.to_string()]), reply: ok(), effects }
    }
}

/// Works with all clients at one server until `until` returns, then calls `end` (which may kill the server) and waits for
/// the clients.
///
/// # Panics
///
/// If a reply is wrong.
pub fn work_all(
    workloads: &mut [Workload],
    address: SocketAddr,
    until: impl FnOnce(&AtomicU64),
    end: impl FnOnce(),
) -> u64 {
    let (is_over, done) = (Arc::new(AtomicBool::new(false)), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let workers: Vec<_> = workloads
            .iter_mut()
            .map(|workload| {
                let (is_over, done) = (&is_over, &done);
                scope.spawn(move || workload.work(address, is_over, done))
            })
            .collect();
        until(&done);
        end();
        is_over.store(true, Ordering::Relaxed);
        for worker in workers {
            if let Err(sentence) = worker.join().expect("a client does not panic") {
                panic!("{sentence}");
            }
        }
    });
    done.into_inner()
}

/// The four keys that one MSET sets.
fn quartet(number: u32) -> Vec<String> {
    ["a", "b", "c", "d"].map(|end| format!("{{quartet{number}}}:{end}")).to_vec()
}

fn words(words: &[&str]) -> Vec<Vec<u8>> {
    words.iter().map(|word| word.as_bytes().to_vec()).collect()
}

fn ok() -> Reply {
    Reply::Simple(b"OK".to_vec())
}
