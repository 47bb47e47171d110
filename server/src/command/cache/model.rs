//! Leases and waiters through random histories under simulated time, beside a plain account of what they should do.
//!
//! Clients ask by GETL, with and without STALE and BLOCK; they store and give up with tokens that are live, late or
//! nobody's; others set, delete, mark and flush; time passes in steps, and clients disconnect, with leases and while they
//! wait. A desk of a few lines stands for that of the thread: it parks requests and runs them again as
//! [`command::park`](crate::command::park) says.
//!
//! Besides that each answer is the one of the account, it holds at every step that
//! - a key has one live lease at most;
//! - nothing is stored by a token if somebody else changed the key since it was given;
//! - those who wait for a key are answered in their order, each by its deadline;
//! - nobody waits who could be served: a lease that ends goes to the next;
//!
//! and at the end, when all clients are gone, that no lease, waiter or watched key is left.
//!
//! `LOCKSLEY_SEED=<seed> LOCKSLEY_STEPS=<count> cargo test -p locksley-server cache::model` replays a history.

mod account;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use locksley_engine::{Db, ExpiryChange, Millis, Op, Touch};
use locksley_wire::resp::{Protocol, Reply};

use account::{Expected, Held, KeyAccount, LeaseAccount, WaiterAccount, Wish};

use crate::client::{ClientId, ClientSlot, Door};
use crate::command::context::Caller;
use crate::command::dialect::Dialect;
use crate::command::execute::{execute, execute_parkable};
use crate::command::lease;
use crate::command::park::Attempt;
use crate::command::row::Run;
use crate::command::table::{Entry, Lookup, table};
use crate::command::testing::START;
use crate::config::Config;
use crate::thread::{Random, ShardId, Shared, Thread};
use crate::waiters::WaiterId;

const CLIENT_COUNT: u64 = 6;
const KEYS: [(u8, &str); 3] = [(0, "a"), (0, "b"), (1, "a")];
const STEP_COUNT: u64 = 2_000;

/// What a reply says.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Value(String),
    Win { token: u64, value: Option<String> },
    Refresh { token: u64, value: String },
    Stale(String),
    Wait,
    Absent,
    Done,
    Nothing,
    Count(i64),
}

impl Answer {
    fn of(bytes: &[u8]) -> Answer {
        let text = str::from_utf8(bytes).expect("keys and values of the model are text");
        let lines: Vec<&str> = text.trim_end_matches("\r\n").split("\r\n").collect();
        let number = |line: &str| line.strip_prefix(':').expect("an integer").parse().expect("an integer");
        match lines[..] {
            ["+OK"] => Answer::Done,
            ["$-1"] => Answer::Nothing,
            [head, value] if head.starts_with('$') => Answer::Value(value.to_owned()),
            ["*3", _, "win", token, "$-1"] => Answer::Win { token: number(token), value: None },
            ["*3", _, "win", token, _, value] => Answer::Win { token: number(token), value: Some(value.to_owned()) },
            ["*3", _, "refresh", token, _, value] => Answer::Refresh { token: number(token), value: value.to_owned() },
            ["*3", _, "stale", "$-1", _, value] => Answer::Stale(value.to_owned()),
            ["*3", _, "wait", "$-1", "$-1"] => Answer::Wait,
            ["*3", _, "absent", "$-1", "$-1"] => Answer::Absent,
            [line] if line.starts_with(':') => Answer::Count(number(line) as i64),
            _ => panic!("not a reply of the model: {text}"),
        }
    }
}

/// A request that waits.
struct Parked {
    caller: Caller,
    entry: Entry,
    args: Vec<Vec<u8>>,
}

/// A thread, and the part of its desk that parks requests.
struct World {
    thread: Thread,
    parked: HashMap<WaiterId, Parked>,
}

impl World {
    fn new(seed: u64) -> World {
        let shared = Arc::new(Shared::new(1, START, "0".repeat(40), Config::default()));
        let thread = Thread::new(ShardId(0), shared, table().entries().len(), seed).expect("a small shard");
        World { thread, parked: HashMap::new() }
    }

    /// Runs a request; nothing if it waits.
    fn ask(&mut self, client: ClientId, db: u8, words: &[&str]) -> Option<Answer> {
        let caller = caller(client, Db(db));
        let args: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        let Lookup::Found(entry) = table().find(&args) else { panic!("no command `{}`", words[0]) };
        let mut out = Vec::new();
        let mut reply = Reply::new(&mut out, Protocol::Resp2);
        if !matches!(entry.row.run, Run::Park { .. }) {
            execute(&mut self.thread, caller, entry, &args, &mut reply);
            return Some(Answer::of(&out));
        }
        let Some(parking) = execute_parkable(&mut self.thread, caller, entry, &args, Attempt::First, &mut reply) else {
            return Some(Answer::of(&out));
        };
        let id = self.thread.waiters.push(caller.db, args[1], parking).expect("there is room");
        self.thread.shard.watch(self.thread.shard.key(caller.db, args[1]));
        let args = args.iter().map(|arg| arg.to_vec()).collect();
        self.parked.insert(id, Parked { caller, entry, args });
        None
    }

    /// Runs those again that wait and may be served; who was answered, in order.
    fn serve(&mut self) -> Vec<(ClientId, Answer)> {
        let mut answers = Vec::new();
        self.thread.settle_touched();
        while let Some((id, attempt)) = self.thread.waiters.next(self.thread.now) {
            let Parked { caller, entry, args } = &self.parked[&id];
            let (caller, args) = (*caller, args.iter().map(Vec::as_slice).collect::<Vec<_>>());
            let mut out = Vec::new();
            let mut reply = Reply::new(&mut out, Protocol::Resp2);
            if let Some(parking) = execute_parkable(&mut self.thread, caller, *entry, &args, attempt, &mut reply) {
                self.thread.shard.watch(self.thread.shard.key(caller.db, args[1]));
                self.thread.waiters.stay(id, parking.look_at);
            } else {
                self.leave(id);
                answers.push((caller.id, Answer::of(&out)));
            }
            self.thread.settle_touched();
        }
        answers
    }

    fn leave(&mut self, id: WaiterId) {
        let Parked { caller, args, .. } = self.parked.remove(&id).expect("who waits has a request");
        self.thread.waiters.leave(id);
        self.thread.unwatch_unused(caller.db, &args[1]);
    }

    fn disconnect(&mut self, client: ClientId) {
        lease::drop_holder(&mut self.thread, client);
        let waiting = self.parked.iter().find(|(_, parked)| parked.caller.id == client).map(|(id, _)| *id);
        if let Some(id) = waiting {
            self.leave(id);
        }
    }

    fn apply(&mut self, op: Op<'_>) {
        self.thread.shard.apply(op, self.thread.now).expect("there is room");
    }
}

fn caller(id: ClientId, db: Db) -> Caller {
    Caller {
        home: ShardId(0),
        slot: ClientSlot(0),
        id,
        db,
        dialect: Dialect::of(Door::Shared),
        protocol: Protocol::Resp2,
        touch: Touch::Count,
        door: Door::Shared,
    }
}

/// A history.
struct History {
    world: World,
    random: Random,
    keys: BTreeMap<(u8, &'static str), KeyAccount>,
    clients: Vec<ClientId>,
    next_client: u64,
    /// Tokens that were given out, by key.
    tokens: Vec<(u8, &'static str, u64)>,
    value_count: u64,
    answer_counts: BTreeMap<&'static str, u64>,
}

impl History {
    fn new(seed: u64) -> History {
        let keys = KEYS.map(|key| {
            let account = KeyAccount { held: Held::Nothing, lease: None, waiters: VecDeque::new(), change_count: 0 };
            (key, account)
        });
        History {
            world: World::new(seed),
            random: Random::new(seed),
            keys: BTreeMap::from(keys),
            clients: (1..=CLIENT_COUNT).map(ClientId).collect(),
            next_client: CLIENT_COUNT + 1,
            tokens: Vec::new(),
            value_count: 0,
            answer_counts: BTreeMap::new(),
        }
    }

    fn below(&mut self, end: u64) -> u64 {
        self.random.next() % end
    }

    fn now(&self) -> u64 {
        self.world.thread.now.0
    }

    fn value(&mut self) -> String {
        self.value_count += 1;
        format!("v{}", self.value_count)
    }

    fn step(&mut self) {
        let key @ (db, name) = KEYS[self.below(KEYS.len() as u64) as usize];
        let place = self.below(CLIENT_COUNT) as usize;
        let client = self.clients[place];
        let is_waiting = self.keys.values().any(|account| account.waiters.iter().any(|waiter| waiter.client == client));
        match self.below(100) {
            0..15 => self.pass(),
            15..18 => self.disconnect(place),
            // Who waits sends nothing.
            _ if is_waiting => {}
            18..60 => self.getl(client, key),
            60..80 => self.setl(client, key),
            80..83 => self.dell(client, key),
            83..86 => self.setabsent(client, key),
            86..89 => {
                let text = self.value();
                let answer = self.world.ask(client, db, &["SET", name, &text]);
                assert_eq!(answer, Some(Answer::Done));
                let held = Held::Value { text, until: u64::MAX, grace_ms: 0, cost_ms: 0, is_stale: false };
                self.account(key).change(held);
            }
            89..92 => {
                let now = self.now();
                let existed = matches!(self.account(key).held, Held::Value { until, .. } if now < until);
                assert_eq!(self.world.ask(client, db, &["DEL", name]), Some(Answer::Count(i64::from(existed))));
                self.account(key).change(Held::Nothing);
            }
            92..95 => self.invalidate(key),
            95..99 => self.expire(client, key),
            _ => {
                self.world.apply(Op::Flush { db: Some(Db(db)) });
                self.keys
                    .iter_mut()
                    .filter(|(key, _)| key.0 == db)
                    .for_each(|(_, account)| account.change(Held::Nothing));
            }
        }
        // Several requests may come before those who wait are looked at.
        if self.below(3) > 0 {
            self.serve();
        }
    }

    fn account(&mut self, key: (u8, &'static str)) -> &mut KeyAccount {
        self.keys.get_mut(&key).expect("all keys have an account")
    }

    /// Lets time pass: some of it, or until something ends.
    fn pass(&mut self) {
        let (draw, now) = (self.below(4), self.now());
        let next_end = self.keys.values().flat_map(KeyAccount::ends).filter(|end| *end > now).min();
        self.world.thread.now.0 = match (draw, next_end) {
            (0, Some(end)) => end,
            _ => now + self.below([3, 30, 300][draw as usize % 3]),
        };
    }

    fn disconnect(&mut self, place: usize) {
        let client = std::mem::replace(&mut self.clients[place], ClientId(self.next_client));
        self.next_client += 1;
        self.world.disconnect(client);
        for account in self.keys.values_mut() {
            account.lease = account.lease.filter(|lease| lease.holder != client);
            account.waiters.retain(|waiter| waiter.client != client);
        }
    }

    fn getl(&mut self, client: ClientId, key: (u8, &'static str)) {
        let lease_ms = 1 + self.below(100);
        let stale_ms = (self.below(2) == 0).then(|| self.below(300));
        let block_ms = (self.below(2) == 0).then(|| 1 + self.below(150));
        let mut words = vec!["GETL".to_owned(), key.1.to_owned(), lease_ms.to_string()];
        for (name, number) in [("STALE", stale_ms), ("BLOCK", block_ms)] {
            words.extend(number.into_iter().flat_map(|number| [name.to_owned(), number.to_string()]));
        }
        let now = self.now();
        let answer = self.world.ask(client, key.0, &words.iter().map(String::as_str).collect::<Vec<_>>());
        let wish = Wish { lease_ms, stale_ms };
        let account = self.account(key);
        let expected = account.expected(wish, !account.waiters.is_empty(), now);
        match (answer, block_ms) {
            (None, Some(block_ms)) => {
                assert!(matches!(expected, Expected::Wait), "{client:?} waits at {now}, though {expected:?}");
                account.waiters.push_back(WaiterAccount { client, wish, deadline: now + block_ms });
            }
            (None, None) => panic!("who did not ask to wait waits"),
            (Some(answer), _) => {
                assert!(answer != Answer::Wait || block_ms.is_none(), "who asked to wait is told to");
                account.take(client, wish, &expected, &answer, now);
                self.note(key, &answer);
            }
        }
    }

    /// Remembers what an answer gave.
    fn note(&mut self, key: (u8, &'static str), answer: &Answer) {
        let name = match answer {
            Answer::Win { token, .. } | Answer::Refresh { token, .. } => {
                self.tokens.push((key.0, key.1, *token));
                if matches!(answer, Answer::Win { .. }) { "win" } else { "refresh" }
            }
            Answer::Stale(_) => "stale",
            Answer::Wait => "wait",
            Answer::Absent => "absent",
            _ => "value",
        };
        *self.answer_counts.entry(name).or_default() += 1;
    }

    /// The token of the live lease, one that was given out some time, or nobody's.
    fn token(&mut self, key: (u8, &'static str)) -> u64 {
        let now = self.now();
        let live = self.account(key).live_lease(now).map(|lease| lease.token);
        let draw = self.below(8);
        let late = self.below(self.tokens.len().max(1) as u64) as usize;
        match (draw, live, self.tokens.get(late)) {
            (0..5, Some(live), _) => live,
            (0..7, _, Some((_, _, token))) => *token,
            _ => 1 + self.below(1 << 62),
        }
    }

    /// Checks whether a token was rightly taken or refused; the lease, if it was taken.
    fn settle(&mut self, key: (u8, &'static str), token: u64, is_taken: bool) -> Option<LeaseAccount> {
        let now = self.now();
        let account = self.account(key);
        let lease = account.live_lease(now).filter(|lease| lease.token == token);
        assert_eq!(is_taken, lease.is_some(), "the live token of {key:?}, and no other, counts at {now}");
        if let Some(lease) = lease {
            assert_eq!(account.change_count, lease.change_count, "nothing is stored that was made of older data");
        }
        lease
    }

    fn setl(&mut self, client: ClientId, key: (u8, &'static str)) {
        let (token, text, now) = (self.token(key), self.value(), self.now());
        let ttl_ms = (self.below(4) > 0).then(|| 1 + self.below(60));
        let grace_ms = ttl_ms.and_then(|_| (self.below(3) > 0).then(|| self.below(600)));
        let mut words = vec!["SETL".to_owned(), key.1.to_owned(), token.to_string(), text.clone()];
        for (name, number) in [("PX", ttl_ms), ("STALE", grace_ms)] {
            words.extend(number.into_iter().flat_map(|number| [name.to_owned(), number.to_string()]));
        }
        let answer = self.world.ask(client, key.0, &words.iter().map(String::as_str).collect::<Vec<_>>());
        if let Some(lease) = self.settle(key, token, answer == Some(Answer::Done)) {
            let cost_ms = ttl_ms.map_or(0, |_| now - lease.began);
            let until = ttl_ms.map_or(u64::MAX, |ttl_ms| now + ttl_ms);
            let grace_ms = grace_ms.unwrap_or(0);
            self.account(key).change(Held::Value { text, until, grace_ms, cost_ms, is_stale: false });
        }
    }

    fn dell(&mut self, client: ClientId, key: (u8, &'static str)) {
        let token = self.token(key);
        let answer = self.world.ask(client, key.0, &["DELL", key.1, &token.to_string()]);
        if self.settle(key, token, answer == Some(Answer::Count(1))).is_some() {
            self.account(key).lease = None;
        }
    }

    fn setabsent(&mut self, client: ClientId, key: (u8, &'static str)) {
        let ttl_ms = 1 + self.below(100);
        let held = Held::Absent { until: self.now() + ttl_ms };
        let ttl = ttl_ms.to_string();
        if self.below(2) == 0 {
            assert_eq!(self.world.ask(client, key.0, &["SETABSENT", key.1, "PX", &ttl]), Some(Answer::Done));
            return self.account(key).change(held);
        }
        let token = self.token(key);
        let words = ["SETABSENT", key.1, "TOKEN", &token.to_string(), "PX", &ttl];
        let answer = self.world.ask(client, key.0, &words);
        if self.settle(key, token, answer == Some(Answer::Done)).is_some() {
            self.account(key).change(held);
        }
    }

    /// Marks a value as out of date, as `md` with `I` does.
    fn invalidate(&mut self, key: (u8, &'static str)) {
        let now = self.now();
        let named = self.world.thread.shard.key(Db(key.0), key.1.as_bytes());
        self.world.apply(Op::Invalidate { key: named, expiry: ExpiryChange::Keep });
        let account = self.account(key);
        let mut held = account.held.clone();
        match &mut held {
            Held::Value { until, is_stale, .. } if now < *until => *is_stale = true,
            _ => {}
        }
        account.change(held);
    }

    /// Changes when a value ends, which ends no lease.
    fn expire(&mut self, client: ClientId, key: (u8, &'static str)) {
        let (now, ttl_ms) = (self.now(), 1 + self.below(200));
        let answer = self.world.ask(client, key.0, &["PEXPIRE", key.1, &ttl_ms.to_string()]);
        match &mut self.account(key).held {
            Held::Value { until, grace_ms, .. } if now < *until => {
                assert_eq!(answer, Some(Answer::Count(1)));
                (*until, *grace_ms) = (now + ttl_ms, 0);
            }
            _ => assert_eq!(answer, Some(Answer::Count(0))),
        }
    }

    /// Lets those be answered who wait and may be, and checks that it was done in order and that nobody was left out.
    fn serve(&mut self) {
        let now = self.now();
        for (client, answer) in self.world.serve() {
            let waits = |account: &KeyAccount| account.waiters.iter().position(|waiter| waiter.client == client);
            let (key, place) =
                self.keys.iter().find_map(|(key, account)| Some((*key, waits(account)?))).expect("it waited");
            let account = self.account(key);
            let waiter = account.waiters[place];
            let expected = account.expected(waiter.wish, place > 0, now);
            let is_late = waiter.deadline <= now;
            assert!(is_late || place == 0, "who came first is served first, or before its deadline nobody");
            assert!(is_late || !matches!(expected, Expected::Wait), "before its deadline nobody is told to wait");
            account.waiters.remove(place);
            account.take(client, waiter.wish, &expected, &answer, now);
            self.note(key, &answer);
        }
        for (key, account) in &self.keys {
            assert!(account.waiters.iter().all(|waiter| now < waiter.deadline), "each is answered by its deadline");
            if let Some(first) = account.waiters.front() {
                let expected = account.expected(first.wish, false, now);
                assert!(matches!(expected, Expected::Wait), "the first of {key:?} waits at {now}, though {expected:?}");
            }
        }
    }

    /// Lets all clients go, and checks that they leave nothing behind.
    fn end(&mut self) {
        for place in 0..self.clients.len() {
            self.disconnect(place);
            self.serve();
        }
        let thread = &mut self.world.thread;
        assert!(self.world.parked.is_empty() && thread.waiters.all().is_empty(), "nobody waits who is gone");
        assert_eq!(thread.leases.live_count(Millis(0)), 0, "nobody has a lease who is gone");
        for (db, name) in KEYS {
            let key = thread.shard.key(Db(db), name.as_bytes());
            thread.shard.apply(Op::Delete { key }, thread.now).expect("there is room");
        }
        assert!(!thread.shard.has_touched(), "no key is watched for nobody");
    }
}

/// Prints how to replay a history when a test fails in it.
struct Replay {
    seed: u64,
    step_count: u64,
}

impl Drop for Replay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Replay { seed, step_count } = self;
            println!(
                "replay: LOCKSLEY_SEED={seed} LOCKSLEY_STEPS={step_count} cargo test -p locksley-server cache::model"
            );
        }
    }
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

#[test]
fn leases_and_waiters_do_as_the_account_says() {
    let seeds = setting("LOCKSLEY_SEED").map_or(1..41, |seed| seed..seed + 1);
    let is_whole = seeds.end - seeds.start > 1;
    let step_count = setting("LOCKSLEY_STEPS").unwrap_or(STEP_COUNT);
    let mut answer_counts: BTreeMap<&'static str, u64> = BTreeMap::new();
    for seed in seeds {
        let _replay = Replay { seed, step_count };
        let mut history = History::new(seed);
        for _ in 0..step_count {
            history.step();
        }
        history.end();
        for (name, count) in &history.answer_counts {
            *answer_counts.entry(name).or_default() += count;
        }
    }
    if is_whole {
        for name in ["value", "win", "refresh", "stale", "wait", "absent"] {
            assert!(
                answer_counts.get(name).is_some_and(|count| *count > 100),
                "the histories show all answers: {answer_counts:?}"
            );
        }
    }
}
