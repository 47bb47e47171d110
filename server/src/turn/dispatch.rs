//! Brings a client's request to the shards that own its keys.

use locksley_wire::resp::Reply;
use locksley_wire::slot;

use super::desk::Desk;
use super::hand::{Hand, Sink};
use super::parking::may_wait;
use super::surveys::Survey;
use crate::client::Door;
use crate::command::context::Caller;
use crate::command::execute::{Joined, conclude, execute, execute_part, join};
use crate::command::failure::Failure;
use crate::command::readable::readable;
use crate::command::row::{Args, Flags, Join, PlanInput, ReplyPart, Run};
use crate::command::table::Entry;
use crate::observe::monitor;
use crate::reactor::connection::State;
use crate::router::atomic::Atomic;
use crate::router::gather::{self, Gather, Part};
use crate::router::locks::{Waiting, is_whole};
use crate::router::parcel::{HoleId, Message, OwnedRequest, Token};
use crate::router::route::{self, Owners};

/// The keys of a request live in different shards, and its client asked one of them.
const CROSS_SLOT: Failure = Failure::fixed("CROSSSLOT Keys in request don't hash to the same slot");

impl Desk {
    /// Runs a request that may run, here or elsewhere.
    #[inline]
    pub(crate) fn dispatch(
        &mut self,
        hand: &mut Hand,
        entry: Entry,
        args: Args<'_>,
        owner: Option<u16>,
        sink: &mut Sink,
    ) {
        if self.thread.is_monitored {
            self.show_monitors(hand, entry, args);
        }
        if self.thread.is_loading && !entry.row.runs_while_loading() {
            return self.refuse(hand, entry, &Failure::LOADING, sink);
        }
        if self.thread.shared.shard_count > 1 {
            return self.route(hand, entry, args, owner, sink);
        }
        match entry.row.run {
            Run::Every { join, .. } | Run::Survey { join, .. } | Run::Spread { join, .. } => {
                self.run_only_part(hand, entry, join, args, sink);
            }
            Run::Wait(_) => self.run_wait(hand, entry, args, sink),
            Run::Park { .. } => self.run_parkable(hand, entry, args, sink),
            _ => self.run_here(hand, entry, args, sink),
        }
    }

    /// Runs a request on this thread, for which nothing has to be waited.
    #[inline]
    fn run_here(&mut self, hand: &mut Hand, entry: Entry, args: Args<'_>, sink: &mut Sink) {
        let is_home = matches!(entry.row.run, Run::Home(_));
        if is_home {
            self.note_command(hand, entry);
        }
        let mut reply = Reply::new(&mut sink.buffer, hand.caller.protocol);
        execute(&mut self.thread, hand.caller, entry, args, &mut reply);
        if is_home {
            self.obey();
            *hand = Hand::of(&mut self.thread, hand.caller.slot);
        }
    }

    /// Notes the command that is about to run, for those that show it (CLIENT LIST).
    pub(super) fn note_command(&mut self, hand: &Hand, entry: Entry) {
        if let Some(client) = self.thread.clients.get_mut(hand.caller.slot) {
            client.last_command = entry.label();
        }
    }

    /// Asks this shard for its part where it is the only one.
    pub(super) fn run_only_part(&mut self, hand: &mut Hand, entry: Entry, make: Join, args: Args<'_>, sink: &mut Sink) {
        self.note_command(hand, entry);
        let mut bytes = self.pool.take();
        let protocol = hand.caller.protocol;
        execute_part(&mut self.thread, hand.caller, entry, args, &mut Reply::new(&mut bytes, protocol));
        let key_positions: Vec<u32> = match entry.row.run {
            Run::Spread { .. } => (0..entry.row.keys.positions(args.len()).count() as u32).collect(),
            _ => Vec::new(),
        };
        let parts = [ReplyPart { bytes: &bytes, key_positions: &key_positions, is_remembered: false }];
        let mut reply = Reply::new(&mut sink.buffer, protocol);
        join(&mut self.thread, hand.caller, entry, make, args, &Joined { parts: &parts, silent: &[] }, &mut reply);
        self.pool.give(bytes);
        self.obey();
        *hand = Hand::of(&mut self.thread, hand.caller.slot);
    }

    /// Finds the shards for a request.
    fn route(&mut self, hand: &mut Hand, entry: Entry, args: Args<'_>, owner: Option<u16>, sink: &mut Sink) {
        let (here, shard_count) = (self.thread.id.0, self.thread.shared.shard_count);
        let is_shard_door = hand.caller.door == Door::Shard;
        match &entry.row.run {
            Run::Home(_) => self.run_here(hand, entry, args, sink),
            Run::Wait(_) => self.run_wait(hand, entry, args, sink),
            Run::Every { join, .. } | Run::Survey { join, .. } if is_shard_door => {
                if is_whole(entry.row) && self.locks.blocks_whole() {
                    return self.ask_every(hand, entry, *join, args, &[here], sink);
                }
                self.run_only_part(hand, entry, *join, args, sink);
            }
            Run::Survey { join, memory, .. } => {
                self.run_survey(hand, entry, Survey { make: *join, memory: *memory }, args, sink);
            }
            Run::Every { join, .. } => {
                let shards: Vec<u16> = (0..shard_count).collect();
                self.ask_every(hand, entry, *join, args, &shards, sink);
            }
            Run::Spread { join, .. } => match route::owners(entry.row, args, shard_count) {
                Owners::One(shard) if shard == here && (self.locks.is_idle() || !self.must_wait(entry, args)) => {
                    self.run_only_part(hand, entry, *join, args, sink);
                }
                _ => self.ask_owners(hand, entry, *join, args, sink),
            },
            Run::Chosen { .. } if is_shard_door => self.run_owned(hand, entry, args, sink),
            Run::Chosen { choose, .. } => match choose(args, shard_count) {
                Ok(shard) if shard == here => self.run_owned(hand, entry, args, sink),
                Ok(shard) => self.hop(hand, shard, entry, args, sink),
                Err(failure) => self.fail(hand, entry, args, failure, sink),
            },
            Run::Owner(_) | Run::Park { .. } | Run::Split { .. } | Run::Atomic { .. } => {
                let owners = owner.map_or_else(|| route::owners(entry.row, args, shard_count), Owners::One);
                match owners {
                    Owners::None => self.run_here(hand, entry, args, sink),
                    Owners::One(shard) if shard == here => self.run_owned(hand, entry, args, sink),
                    Owners::One(shard) if is_shard_door => {
                        let failure = self.moved(hand, shard, entry, args);
                        self.fail(hand, entry, args, failure, sink);
                    }
                    Owners::One(shard) => self.hop(hand, shard, entry, args, sink),
                    Owners::Several if is_shard_door => self.fail(hand, entry, args, CROSS_SLOT, sink),
                    Owners::Several => self.run_spread(hand, entry, args, sink),
                }
            }
            Run::Container(_) => unreachable!("the table resolves containers to their subcommands"),
        }
    }

    /// Runs a request whose keys this shard owns, when nobody holds them.
    #[inline]
    fn run_owned(&mut self, hand: &mut Hand, entry: Entry, args: Args<'_>, sink: &mut Sink) {
        if !self.locks.is_idle() && self.must_wait(entry, args) {
            let hole = self.open_hole(hand, sink);
            self.owed_count += 1;
            self.park(hand.caller, Token::Hole(hole), entry, args);
            if may_wait(entry, args) {
                self.hold_client(hole);
            }
            return;
        }
        if matches!(entry.row.run, Run::Park { .. }) {
            return self.run_parkable(hand, entry, args, sink);
        }
        self.run_here(hand, entry, args, sink);
    }

    /// Whether a request has to wait for keys that somebody holds.
    pub(crate) fn must_wait(&self, entry: Entry, args: Args<'_>) -> bool {
        let mut keys = entry.row.keys.positions(args.len()).map(|position| args[position]).peekable();
        if keys.peek().is_none() { is_whole(entry.row) && self.locks.blocks_whole() } else { self.locks.blocks(keys) }
    }

    /// Keeps a request until its keys are free.
    pub(crate) fn park(&mut self, caller: Caller, token: Token, entry: Entry, args: Args<'_>) {
        let request = OwnedRequest::new(args.iter().copied());
        let keys = entry.row.keys.positions(args.len()).map(|position| args[position]);
        self.locks.park(keys, Waiting::Request { caller, token, entry, request });
    }

    /// Sends a request to the shard that owns its keys.
    #[inline]
    fn hop(&mut self, hand: &mut Hand, shard: u16, entry: Entry, args: Args<'_>, sink: &mut Sink) {
        let hole = self.open_hole(hand, sink);
        self.owed_count += 1;
        self.send_run(shard, hand.caller, Token::Hole(hole), entry, args);
        if matches!(entry.row.run, Run::Park { .. }) {
            self.note_parkable(hand, hole, entry, args);
        }
    }

    /// Puts a request, or a part of one, into the parcel for another shard.
    #[inline]
    pub(super) fn send_run(&mut self, shard: u16, caller: Caller, token: Token, entry: Entry, args: Args<'_>) {
        self.thread.counters.load.hops_sent += 1;
        self.post.parcel(shard).push_run(caller, token, entry.index() as u16, args);
    }

    /// Notes that another shard may give this client a lease, or let it wait.
    fn note_parkable(&mut self, hand: &Hand, hole: HoleId, entry: Entry, args: Args<'_>) {
        if let Some(client) = self.thread.clients.get_mut(hand.caller.slot) {
            client.is_known_elsewhere = true;
        }
        if may_wait(entry, args) {
            self.note_command(hand, entry);
            self.hold_client(hole);
        }
    }

    /// Runs a request whose keys several shards own.
    fn run_spread(&mut self, hand: &mut Hand, entry: Entry, args: Args<'_>, sink: &mut Sink) {
        match &entry.row.run {
            Run::Split { join, .. } => self.ask_owners(hand, entry, *join, args, sink),
            Run::Atomic { plan, .. } => {
                let mut planned = Vec::new();
                let input = PlanInput { args, db: hand.caller.db, database_count: self.thread.config.databases };
                match plan(&input, &mut planned) {
                    Ok(()) => self.begin_atomic(hand, entry, args, planned, sink),
                    Err(failure) => self.fail(hand, entry, args, failure, sink),
                }
            }
            _ => unreachable!("a command for one owner has one key"),
        }
    }

    /// Asks each shard that owns some of the keys for its part, of which not all are made at once.
    fn ask_owners(&mut self, hand: &mut Hand, entry: Entry, make: Join, args: Args<'_>, sink: &mut Sink) {
        let subs = gather::split(entry.row, args, self.thread.shared.shard_count);
        let part = |sub: &gather::SubRequest<'_>| Part::awaited(sub.key_positions.clone());
        let parts = subs.iter().map(part).collect();
        let gather = self.begin_gather(hand, entry, make, args, parts, sink);
        for (index, sub) in subs.iter().enumerate() {
            self.ask(hand, sub.shard, gather::token(gather, index), entry, &sub.args);
        }
    }

    /// Asks each of `shards` for its part.
    fn ask_every(
        &mut self,
        hand: &mut Hand,
        entry: Entry,
        make: Join,
        args: Args<'_>,
        shards: &[u16],
        sink: &mut Sink,
    ) {
        self.note_command(hand, entry);
        let parts = shards.iter().map(|_| Part::default()).collect();
        let gather = self.begin_gather(hand, entry, make, args, parts, sink);
        for (index, shard) in shards.iter().enumerate() {
            self.ask(hand, *shard, gather::token(gather, index), entry, args);
        }
        self.obey();
    }

    fn begin_gather(
        &mut self,
        hand: &mut Hand,
        entry: Entry,
        make: Join,
        args: Args<'_>,
        parts: Vec<Part>,
        sink: &mut Sink,
    ) -> u32 {
        let hole = self.open_hole(hand, sink);
        let missing_count = parts.len();
        self.owed_count += missing_count;
        let request = OwnedRequest::new(args.iter().copied());
        self.gathers.insert(Gather { caller: hand.caller, hole, entry, join: make, request, parts, missing_count })
    }

    /// Asks one shard for its part: this one at once, unless somebody holds its keys.
    fn ask(&mut self, hand: &Hand, shard: u16, token: Token, entry: Entry, args: Args<'_>) {
        if shard != self.thread.id.0 {
            return self.send_run(shard, hand.caller, token, entry, args);
        }
        if !self.locks.is_idle() && self.must_wait(entry, args) {
            return self.park(hand.caller, token, entry, args);
        }
        let mut bytes = self.pool.take();
        let mut reply = Reply::new(&mut bytes, hand.caller.protocol);
        execute_part(&mut self.thread, hand.caller, entry, args, &mut reply);
        let Token::Part { gather, part } = token else { unreachable!("parts are asked for") };
        self.owed_count -= 1;
        let complete = self.gathers.answer(gather, part, &bytes);
        assert!(complete.is_none(), "another shard owes its part still");
        self.pool.give(bytes);
    }

    /// Starts to lock the keys of an atomic command, shard by shard; the client's next request waits until it is over.
    fn begin_atomic(
        &mut self,
        hand: &mut Hand,
        entry: Entry,
        args: Args<'_>,
        planned: Vec<crate::command::row::PlannedKey>,
        sink: &mut Sink,
    ) {
        let shard_count = self.thread.shared.shard_count;
        let owners: Vec<u16> = planned.iter().map(|key| route::owner(args[key.argument], shard_count)).collect();
        let mut shards = owners.clone();
        shards.sort_unstable();
        shards.dedup();
        let hole = self.open_hole(hand, sink);
        self.connections.get(hand.caller.slot.0).state.insert(State::HELD);
        self.owed_count += 1;
        let reads = planned.iter().map(|_| None).collect();
        let serial = self.atomics.insert(Atomic {
            caller: hand.caller,
            hole,
            entry,
            request: OwnedRequest::new(args.iter().copied()),
            planned,
            owners,
            shards,
            locked_count: 0,
            reads,
            log_bytes: Vec::new(),
            effects: Vec::new(),
            reply: Vec::new(),
            unreserved_count: 0,
            refusal: None,
            unfinished_count: 0,
        });
        self.lock_next(serial);
    }

    #[cold]
    fn fail(&mut self, hand: &Hand, entry: Entry, args: Args<'_>, failure: Failure, sink: &mut Sink) {
        let mut reply = Reply::new(&mut sink.buffer, hand.caller.protocol);
        conclude(&mut self.thread, hand.caller, entry, args, Err(failure), &mut reply);
    }

    /// Tells a cluster's client where a key lives.
    #[cold]
    fn moved(&mut self, hand: &Hand, shard: u16, entry: Entry, args: Args<'_>) -> Failure {
        let first = entry.row.keys.positions(args.len()).next().expect("a request with an owner has a key");
        let slot = slot::slot(args[first]).0;
        let config = &self.thread.config;
        let port = config.port_of_shard(shard).expect("every shard listens at its port");
        let client = self.thread.clients.get_mut(hand.caller.slot).expect("a calling client is connected");
        let host = client.local_address.ip().to_canonical();
        Failure::new(format_args!("MOVED {slot} {host}:{port}"))
    }

    /// Shows a request to the monitors of all threads.
    #[cold]
    fn show_monitors(&mut self, hand: &Hand, entry: Entry, args: Args<'_>) {
        if entry.row.flags.intersects(Flags::SKIP_MONITOR.union(Flags::ADMIN)) {
            return;
        }
        let Some(client) = self.thread.clients.get_mut(hand.caller.slot) else { return };
        let readable = readable(entry.row.group, args);
        let args: Vec<&[u8]> = readable.iter().map(AsRef::as_ref).collect();
        let line = monitor::line(hand.caller.db, client.address, &args);
        self.show_line(&line);
        for target in (0..self.thread.shared.shard_count).filter(|target| *target != self.thread.id.0) {
            let parcel = self.post.parcel(target);
            let start = parcel.bytes.len();
            parcel.bytes.extend_from_slice(&line);
            parcel.messages.push(Message::Monitor(start..start + line.len()));
        }
    }

    /// Shows a line to the monitors of this thread.
    pub(crate) fn show_line(&mut self, line: &[u8]) {
        let clients = self.thread.clients.iter();
        let monitors: Vec<u32> = clients.filter(|(_, client)| client.is_monitor).map(|(slot, _)| slot.0).collect();
        for slot in monitors {
            self.show(slot, line);
        }
    }
}
