//! A client thread: keeps its connections busy and counts what comes back.
//!
//! One turn: make the requests that are due, submit all sends and wait in one system call, look at all that
//! arrived. In a closed loop a request is due when its connection has all replies; in an open loop when its
//! time has come, and it goes to the next connection that has room.

use std::{io, time::Duration};

use crate::{
    connect::Socket,
    connection::{Answer, Bodies, Connection, Pending},
    dialect::{Dialect, Outcome},
    gauge::{Counts, Gauge, Signal, Stage},
    keys::{Cursors, KeySource, Order, SlotOwners},
    latency::{Kind, Latencies},
    pace::{Clock, Nanos, Schedule},
    plan::Plan,
    random::Random,
    ring::{Event, Ring, RingOptions},
};

/// Below this an open loop looks for events again and again in place of sleeping, which wakes up late.
const SPIN_MAX: Duration = Duration::from_micros(100);

/// How long a wait in an open loop may last, so that the end of the run is seen.
const WAIT_MAX: Duration = Duration::from_millis(100);

/// Bytes for arriving replies in all, unless the connections need more.
const BUFFERS_BYTES: usize = 4 * 1024 * 1024;

/// How many wrong or refused replies are kept to be shown.
const SAMPLE_COUNT_MAX: usize = 3;

/// What all threads of a phase have in common.
pub(crate) struct Job<'a> {
    /// The whole run.
    pub(crate) plan: &'a Plan,
    /// The order of keys.
    pub(crate) order: &'a Order,
    /// Which node owns which slot, with `--cluster`.
    pub(crate) owners: Option<&'a SlotOwners>,
    /// Where the nodes are in an order that is not by chance.
    pub(crate) cursors: &'a Cursors,
    /// Requests that a connection sends at once.
    pub(crate) pipeline: usize,
    /// The share of writes, in 2^32nds.
    pub(crate) write_share: u64,
    /// Requests a second of one thread, in an open loop.
    pub(crate) rate: Option<f64>,
    /// When to measure and to stop.
    pub(crate) signal: &'a Signal,
}

/// What a thread counted since the measurement began.
#[derive(Debug)]
pub(crate) struct Tally {
    /// Latencies.
    pub(crate) latencies: Latencies,
    /// Values that were not what was written.
    pub(crate) mismatches: u64,
    /// The first wrong or refused replies, in words.
    pub(crate) samples: Vec<String>,
}

/// Makes load over `sockets` until the job stops, `budget` requests are answered or all keys have come.
///
/// # Errors
/// Text that says why the connections cannot go on.
pub(crate) fn drive(
    dialect: &impl Dialect,
    sockets: Vec<Socket>,
    job: &Job<'_>,
    budget: u64,
    seed: u64,
    gauge: &Gauge,
) -> Result<Tally, String> {
    let connections = sockets.iter().map(|socket| Connection::new(socket.node)).collect();
    let descriptors: Vec<_> = sockets.into_iter().map(|socket| socket.descriptor).collect();
    let options = ring_options(dialect, job, descriptors.len());
    let ring = Ring::new(descriptors, options).map_err(|error| ring_error(&error))?;
    let clock = Clock::start();
    let mut client = Client {
        dialect,
        job,
        ring,
        crew: Crew {
            dialect,
            job,
            connections,
            ready: Vec::new(),
            outstanding_count: 0,
            sending_count: 0,
            counts: Counts::default(),
            tally: Tally { latencies: Latencies::new(), mismatches: 0, samples: Vec::new() },
            scratch: Vec::new(),
            failure: None,
        },
        keys: KeySource::new(&job.plan.shape, job.order, job.owners, job.cursors),
        random: Random::new(seed),
        schedule: job.rate.map(Schedule::new),
        clock,
        budget,
        is_measuring: false,
        next_connection: 0,
        scratch: Vec::new(),
    };
    client.run(gauge)?;
    Ok(client.crew.tally)
}

fn ring_error(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::ENOSYS) => {
            "io_uring is not allowed here (kernel.io_uring_disabled, or the container's seccomp profile)".to_owned()
        }
        _ => format!("cannot set up io_uring: {error}"),
    }
}

/// Buffers large enough for the replies of a pipeline, and enough of them for every connection.
fn ring_options<D: Dialect>(_: &D, job: &Job<'_>, connection_count: usize) -> RingOptions {
    let reply_bytes = job.plan.value_size.bytes_typical() + D::REPLY_HEAD_BYTES;
    let buffer_bytes = (reply_bytes * job.pipeline).next_power_of_two().clamp(2 * 1024, 64 * 1024);
    let count_wanted = connection_count.next_power_of_two() * 2;
    let buffer_count = count_wanted.max(BUFFERS_BYTES / buffer_bytes).min(16_384) as u16;
    RingOptions { buffer_count: buffer_count.next_power_of_two(), buffer_bytes }
}

struct Client<'a, D> {
    dialect: &'a D,
    job: &'a Job<'a>,
    ring: Ring,
    crew: Crew<'a, D>,
    keys: KeySource<'a>,
    random: Random,
    schedule: Option<Schedule>,
    clock: Clock,
    /// Requests that may still be made.
    budget: u64,
    is_measuring: bool,
    /// Where an open loop looks for a connection next.
    next_connection: usize,
    scratch: Vec<u8>,
}

/// The connections and what they brought, apart from the ring that hands over their events.
struct Crew<'a, D> {
    dialect: &'a D,
    job: &'a Job<'a>,
    connections: Vec<Connection>,
    /// Connections of a closed loop that wait for their next requests.
    ready: Vec<u32>,
    outstanding_count: usize,
    /// Connections whose buffer is away.
    sending_count: usize,
    counts: Counts,
    tally: Tally,
    scratch: Vec<u8>,
    failure: Option<String>,
}

impl<D: Dialect> Client<'_, D> {
    fn run(&mut self, gauge: &Gauge) -> Result<(), String> {
        self.crew.ready = (0..self.ring.connection_count() as u32).collect();
        loop {
            let stage = self.job.signal.get();
            if stage == Stage::Measure && !self.is_measuring {
                self.is_measuring = true;
                self.crew.tally.latencies.reset();
            }
            let mut timeout = None;
            if stage == Stage::Stop || self.budget == 0 {
                if self.crew.outstanding_count == 0 {
                    gauge.show(&self.crew.counts);
                    return Ok(());
                }
            } else if self.schedule.is_some() {
                timeout = Some(self.make_due());
            } else {
                self.make_ready();
                if self.crew.outstanding_count == 0 && self.crew.sending_count == 0 {
                    // Every connection was asked and none has a request left to make.
                    gauge.show(&self.crew.counts);
                    return Ok(());
                }
            }
            self.ring.wait(timeout).map_err(|error| format!("io_uring failed: {error}"))?;
            let now = self.clock.now();
            self.ring.take_events(|connection, event| self.crew.handle(connection, event, now));
            gauge.show(&self.crew.counts);
            if let Some(failure) = self.crew.failure.take() {
                return Err(failure);
            }
        }
    }

    /// Closed loop: gives every connection that has all its replies its next requests.
    fn make_ready(&mut self) {
        let now = self.clock.now();
        while let Some(index) = self.crew.ready.pop() {
            let connection = index as usize;
            self.crew.connections[connection].is_listed = false;
            for _ in 0..self.job.pipeline {
                if !self.make_request(connection, now) {
                    break;
                }
            }
            self.send(connection);
        }
    }

    /// Open loop: makes every request that is due, as far as connections have room, and tells how long to wait.
    fn make_due(&mut self) -> Duration {
        let now = self.clock.now();
        let wait = loop {
            let schedule = self.schedule.as_mut().expect("an open loop has a schedule");
            let due = schedule.next_due();
            if due > now || self.budget == 0 {
                break schedule.wait(now).min(WAIT_MAX);
            }
            let Some(connection) = self.free_connection() else {
                break WAIT_MAX;
            };
            if let Some(schedule) = self.schedule.as_mut() {
                schedule.advance();
            }
            self.make_request(connection, due);
            if !self.crew.connections[connection].is_listed {
                self.crew.connections[connection].is_listed = true;
                self.crew.ready.push(connection as u32);
            }
        };
        while let Some(connection) = self.crew.ready.pop() {
            self.crew.connections[connection as usize].is_listed = false;
            self.send(connection as usize);
        }
        if wait < SPIN_MAX { Duration::ZERO } else { wait }
    }

    /// The next connection, in turn, that can take a request.
    fn free_connection(&mut self) -> Option<usize> {
        let count = self.crew.connections.len();
        for step in 0..count {
            let index = (self.next_connection + step) % count;
            let connection = &self.crew.connections[index];
            if connection.buffer.is_some() && connection.pending.len() < self.job.pipeline {
                self.next_connection = index + 1;
                return Some(index);
            }
        }
        None
    }

    /// Writes one request into a connection's buffer; `false` when there are no more to make.
    #[inline]
    fn make_request(&mut self, connection: usize, due: Nanos) -> bool {
        if self.budget == 0 {
            return false;
        }
        let connection = &mut self.crew.connections[connection];
        let Some(key_index) = self.keys.draw(connection.node, &mut self.random) else {
            // Another node may have keys left: only this connection is at its end.
            return false;
        };
        self.budget -= 1;
        let buffer = connection.buffer.as_mut().expect("requests are made when the buffer is here");
        let chance = self.random.next();
        let kind = if chance >> 32 < self.job.write_share { Kind::Write } else { Kind::Read };
        match kind {
            Kind::Read => self.dialect.read(self.keys.key(), buffer),
            Kind::Write => {
                let version = chance & 0xffff_ffff;
                let value = self.job.plan.values.value(key_index, version, &mut self.scratch);
                let ttl_seconds = self.job.plan.ttl().map(|range| {
                    let spread = range.seconds_max - range.seconds_min + 1;
                    range.seconds_min + self.random.below(u64::from(spread)) as u32
                });
                self.dialect.write(self.keys.key(), value, ttl_seconds, buffer);
            }
        }
        connection.pending.push_back(Pending { due, key_index, kind });
        self.crew.outstanding_count += 1;
        true
    }

    /// Sends what is in a connection's buffer.
    #[inline]
    fn send(&mut self, connection: usize) {
        let state = &mut self.crew.connections[connection];
        if let Some(buffer) = state.buffer.take_if(|buffer| !buffer.is_empty()) {
            self.crew.counts.sent_bytes += buffer.len() as u64;
            self.crew.sending_count += 1;
            self.ring.send(connection, buffer);
        }
    }
}

impl<D: Dialect> Crew<'_, D> {
    #[inline]
    fn handle(&mut self, connection: usize, event: Event<'_>, now: Nanos) {
        match event {
            Event::Sent(mut buffer) => {
                buffer.clear();
                self.sending_count -= 1;
                self.connections[connection].buffer = Some(buffer);
            }
            Event::Received(bytes) => self.receive(connection, bytes, now),
            Event::Closed => {
                self.failure = Some("the server closed a connection".to_owned());
            }
            Event::Failed(error) => {
                self.failure = Some(format!("a connection failed: {error}"));
            }
        }
        let state = &mut self.connections[connection];
        let is_idle = state.pending.is_empty() && state.buffer.is_some();
        if is_idle && !state.is_listed && self.job.rate.is_none() {
            state.is_listed = true;
            self.ready.push(connection as u32);
        }
    }

    #[inline]
    fn receive(&mut self, connection: usize, bytes: &[u8], now: Nanos) {
        let Self { dialect, job, connections, outstanding_count, counts, tally, scratch, .. } = self;
        counts.received_bytes += bytes.len() as u64;
        let bodies = if job.plan.values.is_checked() { Bodies::Kept } else { Bodies::Skipped };
        let received = connections[connection].receive(*dialect, bytes, bodies, |pending, answer| {
            let latency = now.since(pending.due);
            tally.latencies.record(pending.kind, latency);
            counts.operations += 1;
            counts.latency_ns += latency.0;
            *outstanding_count -= 1;
            match answer.outcome {
                Outcome::Hit => {
                    counts.hits += 1;
                    if bodies == Bodies::Kept {
                        check(job, tally, pending, answer, scratch);
                    }
                }
                Outcome::Miss => counts.misses += 1,
                Outcome::Stored => {}
                Outcome::Refused => {
                    counts.refused += 1;
                    tally.keep_sample(|| format!("refused: {}", answer.body.escape_ascii()));
                }
            }
        });
        if let Err(failure) = received {
            self.failure = Some(failure);
        }
    }
}

/// Compares a value that was read with what was written.
fn check(job: &Job<'_>, tally: &mut Tally, pending: Pending, answer: Answer<'_>, scratch: &mut Vec<u8>) {
    if let Err(mismatch) = job.plan.values.check(pending.key_index, answer.body, scratch) {
        tally.mismatches += 1;
        tally.keep_sample(|| format!("wrong value of key {}: {mismatch:?}", pending.key_index));
    }
}

impl Tally {
    fn keep_sample(&mut self, text: impl FnOnce() -> String) {
        if self.samples.len() < SAMPLE_COUNT_MAX {
            self.samples.push(text());
        }
    }
}
