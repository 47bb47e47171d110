//! Locks and who waits for them through random histories, on real desks of several threads under simulated time.
//!
//! Clients of all threads take, give back and prolong locks, with tokens that are live or late, wait for them or not, and
//! remove them by what removes any key; time passes, the clock is set back, and clients disconnect, with locks and while
//! they wait. Only the ring is missing: parcels go from desk to desk until none is on its way, so that at every step the
//! world is at rest, and a plain account of one list for each name knows every answer.
//!
//! Besides that each answer is the one of the account, it holds that
//! - a lock has one holder at most, and tokens of a name grow, across removals and clocks set back;
//! - who waits is served in the order of arrival, by the end of the lock or its release, and else answered at his deadline;
//! - a client that waits is held, and no other is;
//!
//! and at the end, when all clients are gone, that nothing is left of them.
//!
//! `LOCKSLEY_SEED=<seed> cargo test -p locksley-server turn::model` replays a history.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bumpalo::Bump;
use locksley_engine::Millis;

use super::desk::Desk;
use crate::client::{Arrival, Client, ClientSlot, Door};
use crate::command::table::table;
use crate::command::testing::START;
use crate::config::Config;
use crate::frontend::batch::{Batch, Input};
use crate::reactor::connection::{Parser, State};
use crate::reactor::mesh::{Bells, Mesh, mesh};
use crate::router::parcel::Parcel;
use crate::thread::{Random, ShardId, Shared, Thread};

const CLIENT_COUNT: usize = 8;
/// Names of which some lie on each of three shards.
const NAMES: [&str; 4] = ["a", "b", "c", "d"];
const STEP_COUNT: usize = 4_000;

/// Where a client is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seat {
    shard: usize,
    pub(super) slot: u32,
}

/// Threads without rings.
pub(super) struct World {
    pub(super) desks: Vec<Desk>,
    ends: Vec<Mesh<Box<Parcel>>>,
    pub(super) shared: Arc<Shared>,
    pub(super) now: Millis,
    /// A thread that is at one turn all the time.
    pub(super) stalled: Option<usize>,
    bump: Bump,
}

impl World {
    pub(super) fn new(shard_count: u16) -> World {
        let shared = Arc::new(Shared::new(shard_count, START, "0".repeat(40), Config::default()));
        let desk = |id| {
            let thread = Thread::new(ShardId(id), Arc::clone(&shared), table().entries().len(), 7);
            Desk::new(thread.expect("a small shard"), table(), 128)
        };
        World {
            desks: (0..shard_count).map(desk).collect(),
            ends: mesh(&Bells::new(shard_count)),
            shared,
            now: START,
            stalled: None,
            bump: Bump::new(),
        }
    }

    pub(super) fn connect(&mut self, shard: usize) -> Seat {
        self.connect_by(shard, Door::Shared)
    }

    pub(super) fn connect_by(&mut self, shard: usize, door: Door) -> Seat {
        let desk = &mut self.desks[shard];
        let slot = desk.connections.open().expect("there is room");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 50_000));
        let client = Client::new(Arrival {
            id: self.shared.next_client_id(),
            address,
            local_address: address,
            door,
            at: self.now,
            authenticated: true,
        });
        desk.thread.add_client(ClientSlot(slot), client);
        desk.connections.get(slot).parser = Parser::of(door);
        Seat { shard, slot }
    }

    /// Lets a client send a line; what comes of it is in the outputs once the world is at rest.
    pub(super) fn send(&mut self, seat: Seat, line: &str) {
        let bytes = format!("{line}\r\n").into_bytes();
        let desk = &mut self.desks[seat.shard];
        let mut batch = Batch::new(&self.bump);
        let input = Input { slot: seat.slot, ready: 0, bytes: &bytes, position: 0, request_count_max: usize::MAX };
        let cut = desk.cut(&mut batch, input, &mut Vec::new());
        assert_eq!(cut.position, bytes.len(), "the line is whole");
        let mut stops = Vec::new();
        desk.run(&mut batch, &mut stops);
        assert!(stops.is_empty(), "who waits sends nothing");
    }

    /// Lets a client send a line that may not run now; how many requests are held back.
    pub(super) fn held(&mut self, seat: Seat, line: &str) -> usize {
        let bytes = format!("{line}\r\n").into_bytes();
        let desk = &mut self.desks[seat.shard];
        let mut batch = Batch::new(&self.bump);
        let input = Input { slot: seat.slot, ready: 0, bytes: &bytes, position: 0, request_count_max: usize::MAX };
        desk.cut(&mut batch, input, &mut Vec::new());
        let mut stops = Vec::new();
        desk.run(&mut batch, &mut stops);
        stops.len()
    }

    pub(super) fn disconnect(&mut self, seat: Seat) {
        self.desks[seat.shard].begin_close(seat.slot);
    }

    /// Turns all desks until nothing is on its way between them.
    pub(super) fn rest(&mut self) {
        let mut is_moving = true;
        while std::mem::take(&mut is_moving) {
            for (index, (desk, end)) in self.desks.iter_mut().zip(&mut self.ends).enumerate() {
                if self.stalled == Some(index) {
                    continue;
                }
                desk.thread.begin_turn(self.now);
                while let Some((source, parcel)) = end.take() {
                    desk.read_parcel(source, parcel, &self.bump);
                    is_moving = true;
                }
                desk.serve_waiters();
                desk.look_at_surveys();
                desk.look_at_streams();
                desk.thread.settle();
                desk.post.send(end);
                for slot in std::mem::take(&mut desk.closing) {
                    desk.connections.free(slot);
                }
                desk.dirty.clear();
            }
            // What the last one sent, the first has not seen.
            let ends = self.ends.iter_mut().enumerate().filter(|(index, _)| self.stalled != Some(*index));
            is_moving |= ends.map(|(_, end)| end).any(Mesh::has_messages);
            self.bump.reset();
        }
    }

    /// What a client was answered since the last time.
    pub(super) fn answer(&mut self, seat: Seat) -> Option<String> {
        let connection = self.desks[seat.shard].connections.get(seat.slot);
        connection.state.remove(State::DIRTY);
        let bytes = std::mem::take(&mut connection.output);
        let text = String::from_utf8(bytes).expect("replies about locks are text");
        (!text.is_empty()).then(|| text.trim_end().replace("\r\n", " "))
    }

    /// The bytes that a client is sent, as text.
    pub(super) fn taken(&mut self, seat: Seat) -> String {
        let bytes = std::mem::take(&mut self.desks[seat.shard].connections.get(seat.slot).output);
        String::from_utf8(bytes).expect("only text was asked for")
    }

    fn is_held(&mut self, seat: Seat) -> bool {
        let connection = self.desks[seat.shard].connections.get(seat.slot);
        assert_eq!(connection.state.contains(State::HELD), connection.awaited_hole.is_some());
        connection.awaited_hole.is_some()
    }
}

const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";

/// Who holds a lock.
#[derive(Clone, Copy, Debug)]
struct Holder {
    /// 0 until its answer was seen.
    token: u64,
    ends: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Waiter {
    client: usize,
    ttl_ms: u64,
    deadline: u64,
}

/// What is under a name, and who waits for it. Where nothing is, nobody waits.
#[derive(Clone, Debug, Default)]
struct Line {
    holder: Option<Holder>,
    is_string: bool,
    queue: Vec<Waiter>,
    last_token: u64,
}

/// An answer that somebody is to get.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Due {
    Text(String),
    /// The token of a lock, which only the server knows.
    Lock(usize),
}

/// What should be.
#[derive(Debug)]
struct Account {
    lines: Vec<Line>,
    now: u64,
    due: Vec<(usize, Due)>,
}

impl Account {
    fn say(&mut self, client: usize, text: impl Into<String>) {
        self.due.push((client, Due::Text(text.into())));
    }

    fn give(&mut self, name: usize, client: usize, ttl_ms: u64) {
        self.lines[name].holder = Some(Holder { token: 0, ends: Some(self.now + ttl_ms) });
        self.due.push((client, Due::Lock(name)));
    }

    fn lock(&mut self, client: usize, name: usize, ttl_ms: u64, wait_ms: Option<u64>) {
        let line = &mut self.lines[name];
        match (line.is_string, line.holder, wait_ms) {
            (true, ..) => self.say(client, WRONG_TYPE),
            (false, None, _) => self.give(name, client, ttl_ms),
            (false, Some(_), None) => self.say(client, "$-1"),
            (false, Some(_), Some(wait_ms)) => {
                line.queue.push(Waiter { client, ttl_ms, deadline: self.now + wait_ms });
            }
        }
    }

    /// What was under a name is gone, or a string.
    fn end(&mut self, name: usize, is_string: bool) {
        let line = &mut self.lines[name];
        (line.holder, line.is_string) = (None, is_string);
        if is_string {
            let queue = std::mem::take(&mut line.queue);
            queue.iter().for_each(|waiter| self.say(waiter.client, WRONG_TYPE));
        } else if !line.queue.is_empty() {
            let Waiter { client, ttl_ms, .. } = line.queue.remove(0);
            self.give(name, client, ttl_ms);
        }
    }

    fn holds(&self, name: usize, token: u64) -> bool {
        self.lines[name].holder.is_some_and(|holder| holder.token == token)
    }

    /// Ends what is over: locks first, whoever comes next, and then the patience of those who wait.
    fn look_at_times(&mut self) {
        for name in 0..NAMES.len() {
            let ends = self.lines[name].holder.and_then(|holder| holder.ends);
            if ends.is_some_and(|ends| ends <= self.now) {
                self.end(name, false);
            }
            let (over, queue): (Vec<Waiter>, Vec<Waiter>) =
                self.lines[name].queue.iter().partition(|waiter| waiter.deadline <= self.now);
            self.lines[name].queue = queue;
            over.iter().for_each(|waiter| self.say(waiter.client, "$-1"));
        }
    }

    fn set_back(&mut self, by_ms: u64) {
        self.now -= by_ms;
        self.lines.iter_mut().flat_map(|line| &mut line.queue).for_each(|waiter| waiter.deadline -= by_ms);
    }

    fn waits(&self, client: usize) -> bool {
        self.lines.iter().flat_map(|line| &line.queue).any(|waiter| waiter.client == client)
    }

    /// What LOCKINFO tells.
    fn told(&self, name: usize) -> String {
        let Line { holder, is_string, queue, .. } = &self.lines[name];
        match holder {
            _ if *is_string => WRONG_TYPE.to_owned(),
            None => "$-1".to_owned(),
            Some(Holder { token, ends }) => {
                let ttl_ms = ends.map_or(-1, |ends| (ends - self.now) as i64);
                format!("*6 $5 token :{token} $6 ttl_ms :{ttl_ms} $7 waiters :{}", queue.len())
            }
        }
    }
}

/// A history under way.
struct History {
    world: World,
    account: Account,
    random: Random,
    clients: Vec<Seat>,
    observer: Seat,
}

impl History {
    fn new(shard_count: u16, seed: u64) -> History {
        let mut world = World::new(shard_count);
        let clients = (0..CLIENT_COUNT).map(|index| world.connect(index % usize::from(shard_count))).collect();
        let observer = world.connect(0);
        let account = Account { lines: vec![Line::default(); NAMES.len()], now: START.0, due: Vec::new() };
        History { world, account, random: Random::new(seed), clients, observer }
    }

    fn below(&mut self, end: u64) -> u64 {
        self.random.next() % end
    }

    /// A client that does not wait, if there is one.
    fn idle(&mut self) -> Option<usize> {
        let first = self.below(CLIENT_COUNT as u64) as usize;
        (0..CLIENT_COUNT).map(|index| (first + index) % CLIENT_COUNT).find(|client| !self.account.waits(*client))
    }

    /// The token of a lock's holder, or one that it had, or none at all.
    fn token(&mut self, name: usize) -> u64 {
        let line = &self.account.lines[name];
        let current = line.holder.map_or(1, |holder| holder.token).max(1);
        let late = line.last_token.max(1);
        [current, current, late, late.saturating_sub(1).max(1), 7][self.below(5) as usize]
    }

    /// Lets a client ask for a lock; what it sent.
    fn lock(&mut self, client: usize, name: usize) -> String {
        let ttl_ms = 1 + self.below(60);
        let wait_ms = [None, Some(1 + self.below(80))][usize::from(self.below(4) > 0)];
        self.account.lock(client, name, ttl_ms, wait_ms);
        let wait = wait_ms.map_or(String::new(), |wait_ms| format!(" WAIT {wait_ms}"));
        let line = format!("LOCK {} {ttl_ms}{wait}", NAMES[name]);
        self.world.send(self.clients[client], &line);
        line
    }

    /// One thing that a client does; what it sent.
    fn act(&mut self, client: usize, name: usize) -> String {
        let (text, ttl_ms) = (NAMES[name], 1 + self.below(60));
        let line = match self.below(16) {
            0..=4 => return self.lock(client, name),
            5..=8 => {
                let token = self.token(name);
                self.change(client, name, token, |account| account.end(name, false));
                format!("UNLOCK {text} {token}")
            }
            9..=10 => {
                let token = self.token(name);
                let ends = Some(self.account.now + ttl_ms);
                self.change(client, name, token, |account| {
                    account.lines[name].holder = Some(Holder { token, ends });
                });
                format!("RELOCK {text} {token} {ttl_ms}")
            }
            11 => self.replace(client, name),
            12..=13 => self.prolong(client, name, ttl_ms),
            _ => {
                let Line { holder, is_string, .. } = self.account.lines[name];
                self.account.say(client, format!(":{}", u8::from(is_string || holder.is_some())));
                if is_string || holder.is_some() {
                    self.account.end(name, false);
                }
                format!("{} {text}", ["DEL", "UNLINK"][self.below(2) as usize])
            }
        };
        self.world.send(self.clients[client], &line);
        line
    }

    /// UNLOCK and RELOCK: what they do if the token is that of the holder.
    fn change(&mut self, client: usize, name: usize, token: u64, change: impl FnOnce(&mut Account)) {
        if self.account.lines[name].is_string {
            return self.account.say(client, WRONG_TYPE);
        }
        let is_held = self.account.holds(name, token);
        self.account.say(client, format!(":{}", u8::from(is_held)));
        if is_held {
            change(&mut self.account);
        }
    }

    /// Writes over a name, or two, or everything.
    fn replace(&mut self, client: usize, name: usize) -> String {
        self.account.say(client, "+OK");
        let other = (name + 1) % NAMES.len();
        match self.below(4) {
            0 => {
                self.account.end(name, true);
                format!("SET {} v", NAMES[name])
            }
            1 => {
                self.account.end(name, true);
                self.account.end(other, true);
                format!("MSET {} v {} v", NAMES[name], NAMES[other])
            }
            _ => {
                (0..NAMES.len()).for_each(|name| self.account.end(name, false));
                "FLUSHALL".to_owned()
            }
        }
    }

    /// Gives a lock another end by what does so for any key; a string is looked at.
    fn prolong(&mut self, client: usize, name: usize, ttl_ms: u64) -> String {
        let text = NAMES[name];
        let now = self.account.now;
        let Some(holder) = self.account.lines[name].holder.as_mut() else {
            self.account.say(client, if self.account.lines[name].is_string { "+string" } else { "+none" });
            return format!("TYPE {text}");
        };
        if ttl_ms.is_multiple_of(3) {
            let had_end = holder.ends.take().is_some();
            self.account.say(client, format!(":{}", u8::from(had_end)));
            return format!("PERSIST {text}");
        }
        holder.ends = Some(now + ttl_ms);
        self.account.say(client, ":1");
        format!("PEXPIRE {text} {ttl_ms}")
    }

    /// One step; what happened.
    fn step(&mut self) -> String {
        match self.below(20) {
            0..=5 => {
                self.account.now += 1 + self.below(25);
                self.account.look_at_times();
                format!("it is {}", self.account.now)
            }
            6 if self.below(8) == 0 => {
                let by_ms = 1 + self.below(5_000);
                self.account.set_back(by_ms);
                format!("the clock is set back by {by_ms}")
            }
            7 => {
                let client = self.below(CLIENT_COUNT as u64) as usize;
                let Seat { shard, .. } = self.clients[client];
                self.world.disconnect(self.clients[client]);
                self.world.rest();
                self.account.lines.iter_mut().for_each(|line| line.queue.retain(|waiter| waiter.client != client));
                self.clients[client] = self.world.connect(shard);
                format!("client {client} disconnects")
            }
            _ => {
                let Some(client) = self.idle() else { return "all wait".to_owned() };
                let name = self.below(NAMES.len() as u64) as usize;
                let mut done = format!("client {client}: {}", self.act(client, name));
                // A newcomer of the same thread, before those who wait are looked at: it overtakes nobody. (What writes to
                // several shards is under way for a while.)
                let shard = self.clients[client].shard;
                let is_due = |other: usize| self.account.due.iter().any(|(due, _)| *due == other);
                let other = (0..CLIENT_COUNT).find(|other| self.clients[*other].shard == shard && !is_due(*other));
                if let Some(other) = other.filter(|other| !self.account.waits(*other) && !done.contains("MSET")) {
                    done = format!("{done}; client {other}: {}", self.lock(other, name));
                }
                done
            }
        }
    }

    /// Compares what everybody was answered with what was due.
    fn check(&mut self, done: &str) {
        self.world.now = Millis(self.account.now);
        self.world.rest();
        let due = std::mem::take(&mut self.account.due);
        for client in 0..CLIENT_COUNT {
            let answer = self.world.answer(self.clients[client]);
            let mut expected = due.iter().filter(|(other, _)| *other == client).map(|(_, due)| due);
            let first = expected.next();
            assert_eq!(expected.next(), None, "one answer at a time: {done}");
            match (first, answer) {
                (Some(Due::Lock(name)), Some(answer)) => {
                    let token = answer.strip_prefix(':').and_then(|digits| digits.parse().ok());
                    let token: u64 = token.unwrap_or_else(|| panic!("{answer} is a token: {done}"));
                    let line = &mut self.account.lines[*name];
                    assert!(token > line.last_token, "{token} is higher than {}: {done}", line.last_token);
                    line.last_token = token;
                    line.holder.as_mut().expect("it was just given").token = token;
                }
                (Some(Due::Text(text)), Some(answer)) => assert_eq!(answer, *text, "client {client}: {done}"),
                (None, None) => {}
                (due, answer) => panic!("client {client} was due {due:?} and got {answer:?}: {done}"),
            }
            assert_eq!(self.world.is_held(self.clients[client]), self.account.waits(client), "client {client}: {done}");
        }
        for (name, text) in NAMES.iter().enumerate() {
            self.world.send(self.observer, &format!("LOCKINFO {text}"));
            self.world.rest();
            assert_eq!(self.world.answer(self.observer), Some(self.account.told(name)), "{text}: {done}");
        }
    }

    /// Everybody goes, and nothing is left.
    fn end(mut self) {
        for client in 0..CLIENT_COUNT {
            self.world.disconnect(self.clients[client]);
        }
        self.world.rest();
        for desk in &self.world.desks {
            assert!(desk.thread.waiters.is_empty() && desk.thread.waiters.next_at().is_none());
            assert!(desk.parked.is_empty() && desk.parked_by_client.is_empty());
            assert_eq!((desk.held_count, desk.owed_count), (0, 0));
        }
        self.world.send(self.observer, "FLUSHALL");
        self.world.rest();
        assert!(self.world.desks.iter().all(|desk| !desk.thread.shard.has_touched()), "no key is watched for nobody");
    }
}

#[test]
fn locks_go_from_one_to_the_next_whatever_happens() {
    let seed = std::env::var("LOCKSLEY_SEED").map_or(1, |seed| seed.parse().expect("a seed is a number"));
    for shard_count in [1, 3] {
        println!("LOCKSLEY_SEED={seed} cargo test -p locksley-server turn::model # {shard_count} shards");
        let mut history = History::new(shard_count, seed);
        let mut granted_count = 0;
        for step in 0..STEP_COUNT {
            let done = format!("step {step}, {}", history.step());
            granted_count += history.account.due.iter().filter(|(_, due)| matches!(due, Due::Lock(_))).count();
            history.check(&done);
        }
        println!("{granted_count} locks were given");
        assert!(granted_count > STEP_COUNT / 20, "the history is about locks");
        history.end();
    }
}
