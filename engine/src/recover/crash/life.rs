//! Lives of one data directory, one after the other.

use std::io;
use std::sync::Arc;

use crate::disk::Disk;
use crate::disk::sim::{Failure, SimDisk};
use crate::model::{Choices, Seeded};
use crate::recover::crash::history::{History, Seen, State, state};
use crate::recover::ranges::Share;
use crate::recover::{Fault, Loaded, Loader, LoaderOptions, Plan, PlanFault, Step, log_path, plan, settle};
use crate::snapshot::{Progress, SnapshotOptions};
use crate::store::{SegmentStore, SnapshotStore, SnapshotWriter};
use crate::wal::{Log, LogOptions, Segment};
use crate::{
    Db, ExpiryChange, FlagsChange, Lsn, Millis, Op, Origin, Policy, Refusal, Shard, ShardOptions, Touch, TtlPolicy,
    Value,
};

/// Most shards of a server.
const SHARD_COUNT_MAX: u64 = 4;
/// Segments prepared ahead.
const AHEAD_COUNT: usize = 2;
/// Spare segments of a server.
const SPARE_COUNT: usize = 2;

/// Which operation of a life fails.
#[derive(Clone, Copy)]
pub(super) enum Wish {
    /// Some or none, in some way.
    Any,
    /// None.
    None,
    /// One.
    At { number: u64, failure: Failure },
}

/// When a log is synced.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fsync {
    Always,
    Everysec,
    No,
}

/// A life that ended: the process is gone.
#[derive(Debug)]
struct Dead;

/// A running server.
struct Process {
    generation: u64,
    fsync: Fsync,
    segments: SegmentStore<SimDisk>,
    snapshots: SnapshotStore<SimDisk>,
    members: Vec<Member>,
    taking: Option<Taking>,
    /// Whether what is logged counts: it does not before the first snapshot of logs that began in a running server.
    is_founded: bool,
}

/// One shard of it.
struct Member {
    shard: Shard,
    origin: Origin,
    history: History,
    /// A sync under way: up to which number, and the segments left.
    syncing: Option<(Lsn, Vec<u64>)>,
    /// Durable, as far as clients were told.
    acknowledged: Lsn,
}

/// A snapshot under way.
struct Taking {
    writer: SnapshotWriter,
    /// By shard: whether it has begun, and whether its file is complete.
    parts: Vec<Part>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Waiting,
    Walking,
    Complete,
}

/// What must come back of a shard.
struct Past {
    history: History,
    /// At least this.
    floor: Lsn,
}

/// Lives of one data directory.
pub(super) struct Lives {
    disk: SimDisk,
    choices: Seeded,
    now: u64,
    key_count: u64,
    value_bytes_max: u64,
    options: ShardOptions,
    process: Option<Process>,
    /// The shards of the life before, by number, and its generation.
    past: Vec<Past>,
    past_generation: u64,
    /// The life before kept a log in that generation, which counts by itself.
    is_past_founded: bool,
    /// What killed processes left unsynced may be gone.
    has_lost_power: bool,
    crash_count: u64,
}

impl Lives {
    /// An empty directory, and the lives that `seed` stands for.
    pub(super) fn new(seed: u64) -> Lives {
        let mut choices = Seeded::new(seed);
        let is_limited = choices.draw(8) == 0;
        let policy = [Policy::AllkeysS3fifo, Policy::AllkeysLru, Policy::VolatileTtl][choices.draw(3) as usize];
        let ttl = match choices.draw(4) {
            0 => TtlPolicy {
                default_ms: choices.draw(2) * 3_000,
                max_ms: choices.draw(2) * 1_500,
                jitter_percent: 50,
                is_required: choices.draw(2) == 0,
            },
            _ => TtlPolicy::default(),
        };
        let options = ShardOptions {
            ttl,
            memory_bytes_max: if is_limited { 1 << 20 } else { 0 },
            policy,
            database_count: 1 + choices.draw(3) as u8,
            ..ShardOptions::default()
        };
        Lives {
            disk: SimDisk::new(),
            now: 1_700_000_000_000,
            key_count: [5, 20, 120][choices.draw(3) as usize],
            value_bytes_max: if is_limited { 40_000 } else { [20, 300, 9_000][choices.draw(3) as usize] },
            choices,
            options,
            process: None,
            past: Vec::new(),
            past_generation: 0,
            is_past_founded: true,
            has_lost_power: false,
            crash_count: 0,
        }
    }

    /// Crashes so far, those during a recovery included.
    pub(super) fn crash_count(&self) -> u64 {
        self.crash_count
    }

    /// Operations of the disk so far.
    pub(super) fn operation_count(&self) -> u64 {
        self.disk.operation_count()
    }

    /// Recovers, lives a while and crashes.
    pub(super) fn live(&mut self, wish: Wish) {
        self.plan_failure(wish, 80);
        while self.try_recover().is_err() {
            self.crash();
            self.plan_failure(if matches!(wish, Wish::Any) { Wish::Any } else { Wish::None }, 200);
        }
        if matches!(wish, Wish::Any) {
            self.plan_failure(wish, 300);
        }
        let step_count = 1 + self.choices.draw(150);
        for _ in 0..step_count {
            if self.step().is_err() {
                break;
            }
        }
        self.crash();
    }

    /// Recovers without a failure, checks everything and stops.
    pub(super) fn recover(&mut self) {
        self.disk.heal();
        self.try_recover().expect("nothing fails");
        for member in &self.process().members {
            member.shard.check();
        }
        self.crash();
    }

    fn plan_failure(&mut self, wish: Wish, soon: u64) {
        let choices = &mut self.choices;
        match wish {
            Wish::None => self.disk.heal(),
            Wish::At { number, failure } => self.disk.fail(number, 1, failure),
            Wish::Any => match choices.draw(4) {
                0 => self.disk.fail(choices.draw(soon), 1, Failure::Power),
                1 => self.disk.fail(choices.draw(soon), 1 + choices.draw(50), Failure::NoSpace),
                2 => self.disk.fail(choices.draw(soon), 1, Failure::Io),
                _ => self.disk.heal(),
            },
        }
    }

    fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("a server runs")
    }

    /// Ends the process, by a kill or a power cut.
    fn crash(&mut self) {
        self.crash_count += 1;
        let is_without_power = self.disk.is_without_power();
        self.disk.heal();
        if let Some(process) = self.process.take() {
            self.past_generation = process.generation;
            self.is_past_founded = process.is_founded;
            self.past = process.members.into_iter().map(Member::into_past).collect();
            self.has_lost_power = false;
        }
        if is_without_power || self.choices.draw(2) == 0 {
            self.has_lost_power = true;
            self.disk.cut_power(&mut self.choices);
        }
    }

    /// Starts a server on what is there.
    fn try_recover(&mut self) -> Result<(), Dead> {
        let plan = match plan(&self.disk, false) {
            Ok(plan) => Arc::new(plan),
            Err(PlanFault::Disk { .. }) => return Err(Dead),
            Err(fault) => panic!("what a crash left is no plan: {fault:?}"),
        };
        let old_count = self.past.len() as u16;
        let shard_count = match self.choices.draw(2) {
            0 if old_count > 0 => old_count,
            _ => 1 + self.choices.draw(SHARD_COUNT_MAX) as u16,
        };
        let mut shards = Vec::new();
        let mut all_loaded = Vec::new();
        for shard in 0..shard_count {
            let (filled, loaded) = self.load(&plan, shard, shard_count)?;
            shards.push(filled);
            all_loaded.push(loaded);
        }
        self.check(&plan, &shards, &all_loaded);
        let ends: Vec<_> = all_loaded.iter().flat_map(|loaded| loaded.ends.clone()).collect();
        settle(&self.disk, &plan, &ends).map_err(|_| Dead)?;
        // What was read is durable now: it is what comes back from here on.
        let last = all_loaded.iter().map(|loaded| loaded.last_lsn).max().unwrap_or_default();
        for shard in &mut shards {
            shard.end_replay();
            shard.advance_to(last);
        }
        let is_continued = self.serve(&plan, shards);
        if is_continued.is_err() {
            // The next attempt reads the same logs once more, or the new ones, which are empty.
            let mut process = self.process.take().expect("it was about to serve");
            let past = std::mem::take(&mut process.members).into_iter().map(Member::into_past).collect();
            (self.past, self.past_generation, self.is_past_founded) = (past, process.generation, process.is_founded);
            self.has_lost_power = false;
        }
        is_continued
    }

    /// Fills one shard.
    fn load(&mut self, plan: &Arc<Plan>, shard: u16, shard_count: u16) -> Result<(Shard, Loaded), Dead> {
        let seed = self.choices.draw(u64::MAX);
        let mut filled = Shard::new(ShardOptions { seed, ..self.options.clone() }).expect("address space");
        filled.begin_replay(Millis(self.now));
        let options = LoaderOptions { shard, shard_count, slot, repair: false };
        let mut reading = Loader::new(self.disk.clone(), plan.clone(), options);
        loop {
            let bytes = [1, 500, 20_000, 1 << 30][self.choices.draw(4) as usize];
            match reading.step(&mut filled, bytes) {
                Ok(Step::Reading { read_bytes, total_bytes }) => assert!(read_bytes <= total_bytes, "progress"),
                Ok(Step::Done(loaded)) => return Ok((filled, loaded)),
                Err(Fault::Disk { .. }) => return Err(Dead),
                Err(fault) => panic!("what a crash left cannot be loaded: {fault}"),
            }
        }
    }

    /// Asserts that the shards hold what those of the life before held.
    fn check(&self, plan: &Plan, shards: &[Shard], loaded: &[Loaded]) {
        let mut found: Vec<State> = self.past.iter().map(|_| State::default()).collect();
        let shard_count = shards.len() as u16;
        let old_count = self.past.len() as u16;
        for (number, shard) in shards.iter().enumerate() {
            for (name, seen) in state(shard).0 {
                let slot = slot(&name[1..]);
                assert!(Share { shard: number as u16, shard_count }.owns(slot), "a key is where it belongs");
                assert!(old_count > 0, "there was nothing before the first life");
                let owner = usize::from(slot) * usize::from(old_count) / 16_384;
                let twin: Option<Seen> = found[owner].0.insert(name, seen);
                assert!(twin.is_none(), "a key is in one database of one shard");
            }
        }
        let snapshot = plan.snapshot.as_ref().filter(|snapshot| snapshot.generation == self.past_generation);
        let counts = self.is_past_founded || snapshot.is_some();
        for (number, (past, found)) in self.past.iter().zip(&found).enumerate() {
            let instant = snapshot.map(|snapshot| snapshot.files[number].lsn);
            let is_it =
                |origin: Origin| (origin.generation, usize::from(origin.shard)) == (self.past_generation, number);
            let end = loaded.iter().flat_map(|loaded| &loaded.ends).find(|end| is_it(end.origin));
            let end = end.filter(|end| end.segment.is_some() && counts);
            // An End has a number, and changes nothing.
            let in_log = end.map_or(Lsn(0), |end| Lsn(end.next_lsn.0 - 1 - u64::from(end.is_ended)));
            let reached = in_log.max(instant.unwrap_or_default()).max(past.history.base());
            let must = match (counts, self.has_lost_power) {
                (true, false) => past.history.last(),
                (true, true) if self.is_past_founded => past.floor,
                _ => past.history.base(),
            };
            let has_end = end.is_some_and(|end| end.is_ended);
            assert!(
                reached.0 + u64::from(has_end) >= must.0,
                "shard {number}: change {} was the last to come back, and {} was promised: {end:?}, {instant:?}",
                reached.0,
                must.0
            );
            past.history.check(reached, found);
        }
    }

    /// Begins to serve.
    fn serve(&mut self, plan: &Plan, shards: Vec<Shard>) -> Result<(), Dead> {
        let choices = &mut self.choices;
        let segment_bytes = [16_384, 16_384, 32_768, 65_536][choices.draw(4) as usize];
        let shard_count = shards.len() as u16;
        let fsync = [Fsync::Always, Fsync::Everysec, Fsync::No][choices.draw(3) as usize];
        let generation = plan.generation_next;
        let member = |(shard, filled): (usize, Shard)| Member {
            origin: Origin { generation, shard: shard as u16, shard_count },
            history: History::new(&filled),
            syncing: None,
            acknowledged: filled.last_lsn(),
            shard: filled,
        };
        let members = shards.into_iter().enumerate().map(member).collect();
        self.process = Some(Process {
            generation,
            fsync,
            segments: SegmentStore::new(self.disk.clone(), segment_bytes, SPARE_COUNT),
            snapshots: SnapshotStore::new(self.disk.clone(), plan.snapshot_ids.clone(), plan.snapshot_id_next),
            members,
            taking: None,
            is_founded: self.choices.draw(8) != 0,
        });
        if !self.process().is_founded {
            // Logging is off at first.
            for _ in 0..self.choices.draw(20) {
                let member = self.choices.draw(u64::from(shard_count)) as usize;
                self.change(member, false);
            }
        }
        let process = self.process.as_mut().expect("it was begun");
        loop {
            match process.segments.begin_generation(generation) {
                Ok(()) => break,
                Err(error) => survive(&error)?,
            }
        }
        for member in &mut process.members {
            let first_lsn = member.shard.last_lsn().next();
            let needs_snapshot = !process.is_founded;
            let options = LogOptions { origin: member.origin, needs_snapshot, segment_bytes, first_lsn };
            member.shard.open_log(Log::new(options));
        }
        Ok(())
    }

    /// One step of a life.
    fn step(&mut self) -> Result<(), Dead> {
        let member_count = self.process().members.len() as u64;
        let member = self.choices.draw(member_count) as usize;
        match self.choices.draw(100) {
            0..=49 => self.change(member, false),
            50..=57 => self.group(member)?,
            58..=61 => self.pass_time(member),
            62..=72 => self.prepare(member)?,
            73..=84 => self.sync(member)?,
            85..=97 => self.snapshot(member)?,
            98 if self.choices.draw(8) == 0 => self.close(member)?,
            _ => self.recycle(member),
        }
        Ok(())
    }

    /// A change of one shard.
    fn change(&mut self, member: usize, is_group: bool) {
        let Lives { choices, process, now, key_count, value_bytes_max, options, .. } = self;
        let Member { shard, history, origin, .. } = &mut process.as_mut().expect("a server runs").members[member];
        let db = Db(choices.draw(u64::from(options.database_count)) as u8);
        let name = key_of(origin, *key_count, choices);
        let key = shard.key(db, &name);
        let value = vec![choices.draw(256) as u8; choices.draw(*value_bytes_max + 1) as usize];
        let soon = Millis(*now + choices.draw(2000));
        let graced = ExpiryChange::Graced { until: soon, grace_ms: 900, cost_ms: choices.draw(2) as u32 };
        let expiries = [ExpiryChange::Keep, ExpiryChange::Clear, ExpiryChange::At(soon), graced];
        let length = choices.draw(name.len() as u64) as usize + 1;
        let op = match choices.draw(66) {
            0..=29 => Op::Put {
                key,
                value: if choices.draw(4) == 0 {
                    Value::Integer(choices.draw(1000) as i64)
                } else {
                    Value::Bytes(&value)
                },
                expiry: expiries[choices.draw(4) as usize],
                client_flags: FlagsChange::Set(choices.draw(3) as u32),
            },
            30..=39 => Op::Splice { key, offset: choices.draw(50) as usize, bytes: &value[..value.len().min(99)] },
            40..=48 => Op::Delete { key },
            49..=52 => Op::SetExpiry { key, expiry: (choices.draw(2) == 0).then_some(soon) },
            53..=55 => Op::Invalidate { key, expiry: expiries[choices.draw(4) as usize] },
            56 => Op::Flush { db: (choices.draw(2) == 0).then_some(db) },
            57 => Op::Swap { first: db, second: Db(choices.draw(u64::from(options.database_count)) as u8) },
            58 | 59 => Op::DeletePrefix { db, prefix: &name[..length] },
            60 | 61 => Op::PutAbsent { key, expiry: soon },
            62 | 63 => Op::Lock { key, token: shard.next_fence(Millis(*now)), expiry: soon },
            _ => {
                let _ = shard.get(key, Millis(*now), Touch::Count);
                Op::Delete { key: shard.key(db, b"nobody's") }
            }
        };
        match shard.apply(op, Millis(*now)) {
            Ok(_) | Err(Refusal::LogFull | Refusal::OutOfMemory { .. } | Refusal::TtlRequired) => {}
            Err(refusal) => panic!("{refusal:?}"),
        }
        if !is_group {
            history.note(shard, false);
        }
    }

    /// Several changes that come back together or not at all; now and then the process ends between them.
    fn group(&mut self, member: usize) -> Result<(), Dead> {
        let bytes = 4 * Log::record_bytes(20, self.value_bytes_max as usize + 100);
        if self.process().members[member].shard.begin_group(bytes).is_err() {
            return Ok(());
        }
        for _ in 0..self.choices.draw(4) {
            self.change(member, true);
        }
        if self.choices.draw(10) == 0 {
            return Err(Dead);
        }
        let Member { shard, history, .. } = &mut self.process().members[member];
        shard.commit();
        history.note(shard, true);
        Ok(())
    }

    /// The clock goes on, and what is over goes.
    fn pass_time(&mut self, member: usize) {
        self.now += [10, 300, 5000][self.choices.draw(3) as usize];
        let (now, steps) = (Millis(self.now), self.choices.draw(30) as usize);
        let Member { shard, history, .. } = &mut self.process().members[member];
        shard.work(now, steps);
        history.note(shard, false);
    }

    /// Prepares segments.
    fn prepare(&mut self, member: usize) -> Result<(), Dead> {
        let Process { segments, members, .. } = self.process();
        let Member { shard, origin, .. } = &mut members[member];
        let Some(log) = shard.log_mut() else { return Ok(()) };
        while let Some(sequence) = log.wanted(AHEAD_COUNT) {
            match segments.prepare(*origin, sequence) {
                Ok(memory) => log.install(Segment { sequence, memory }),
                Err(error) => return survive(&error),
            }
        }
        Ok(())
    }

    /// Begins a sync, goes on with one, or ends it.
    fn sync(&mut self, member: usize) -> Result<(), Dead> {
        let is_impatient = self.choices.draw(3) == 0;
        let disk = self.disk.clone();
        let fsync = self.process().fsync;
        let is_due = self.choices.draw(4) == 0;
        let Member { shard, origin, history, syncing, acknowledged } = &mut self.process().members[member];
        let Some(log) = shard.log_mut() else { return Ok(()) };
        let is_wanted = match fsync {
            Fsync::Always => log.needs_sync(),
            Fsync::Everysec => is_due && log.needs_sync(),
            Fsync::No => false,
        };
        if syncing.is_none() && (is_wanted || log.needs_finished_sync()) {
            *syncing = Some(log.begin_sync());
        }
        let Some((durable, mut left)) = syncing.take() else { return Ok(()) };
        while !left.is_empty() {
            disk.sync(&log_path(*origin, left[0])).map_err(|_| Dead)?;
            left.remove(0);
            if !is_impatient {
                *syncing = Some((durable, left));
                return Ok(());
            }
        }
        log.end_sync(durable);
        *acknowledged = (*acknowledged).max(durable);
        shard.mark(durable);
        history.note(shard, false);
        Ok(())
    }

    /// Hands full segments to their keeper.
    fn recycle(&mut self, member: usize) {
        let Process { segments, members, .. } = self.process();
        let Member { shard, origin, .. } = &mut members[member];
        while let Some(finished) = shard.log_mut().and_then(Log::take_finished) {
            segments.finished(*origin, finished.sequence, finished.last_lsn, finished.memory);
        }
    }

    /// Begins a snapshot or goes on with one.
    fn snapshot(&mut self, member: usize) -> Result<(), Dead> {
        let is_wanted = self.choices.draw(3) == 0;
        let slots = [1, 16, 500][self.choices.draw(3) as usize];
        let Process { generation, snapshots, members, taking, .. } = self.process();
        let outcome = match taking {
            None if is_wanted => match snapshots.begin(*generation, members.len() as u16) {
                Ok(writer) => {
                    *taking = Some(Taking { writer, parts: vec![Part::Waiting; members.len()] });
                    Ok(())
                }
                Err(error) => Err(error),
            },
            None => return Ok(()),
            Some(taking) => taking.go_on(snapshots, &mut members[member], slots),
        };
        match outcome {
            Ok(()) => self.complete_snapshot(),
            Err(error) => {
                self.give_snapshot_up();
                survive_snapshot(&self.disk, &error)
            }
        }
    }

    /// Lets a snapshot count if all its files are complete, and frees what is behind it.
    fn complete_snapshot(&mut self) -> Result<(), Dead> {
        let disk = self.disk.clone();
        let keep = 1 + self.choices.draw(3) as usize;
        let Process { generation, snapshots, segments, taking, is_founded, members, .. } = self.process();
        let Some(whole) = taking.take_if(|taking| taking.parts.iter().all(|part| *part == Part::Complete)) else {
            return Ok(());
        };
        let outcome = snapshots.commit(whole.writer).and_then(|instants| {
            *is_founded = true;
            for (member, instant) in members.iter_mut().zip(&instants) {
                // What a snapshot has is durable, whatever became of its log.
                member.acknowledged = member.acknowledged.max(*instant);
            }
            snapshots.prune(keep)?;
            segments.retire(*generation, &instants)
        });
        outcome.or_else(|error| survive_snapshot(&disk, &error))
    }

    fn give_snapshot_up(&mut self) {
        let Process { snapshots, members, taking, .. } = self.process();
        if let Some(taking) = taking.take() {
            members.iter_mut().for_each(|member| member.shard.end_snapshot());
            let _ = snapshots.discard(taking.writer);
        }
    }

    /// Ends a log by intent, after which nothing is changed any more.
    fn close(&mut self, member: usize) -> Result<(), Dead> {
        let disk = self.disk.clone();
        let Member { shard, origin, history, acknowledged, .. } = &mut self.process().members[member];
        let Some(mut log) = shard.close_log() else { return Ok(()) };
        history.note(shard, false);
        let (durable, sequences) = log.begin_sync();
        for sequence in sequences {
            disk.sync(&log_path(*origin, sequence)).map_err(|_| Dead)?;
        }
        log.end_sync(durable);
        *acknowledged = durable;
        Err(Dead)
    }
}

impl Member {
    fn into_past(self) -> Past {
        Past { history: self.history, floor: self.acknowledged }
    }
}

impl Taking {
    /// Lets one shard go on with its part.
    fn go_on(&mut self, snapshots: &mut SnapshotStore<SimDisk>, member: &mut Member, slots: usize) -> io::Result<()> {
        let Member { shard, origin, .. } = member;
        let part = &mut self.parts[usize::from(origin.shard)];
        if *part == Part::Waiting {
            let lsn = shard.begin_snapshot(SnapshotOptions { waiting_bytes_max: 100_000 });
            *part = Part::Walking;
            return snapshots.begin_shard(&mut self.writer, *origin, lsn, shard.fence());
        }
        if *part == Part::Complete {
            return Ok(());
        }
        let progress = shard.step_snapshot(slots);
        if progress == Progress::GivenUp {
            return Err(io::Error::from_raw_os_error(libc::ENOSPC));
        }
        while let Some(mut block) = shard.take_block() {
            snapshots.write(&mut self.writer, origin.shard, &mut block)?;
            shard.reuse_block(block);
        }
        if let Progress::Done(footer) = progress {
            shard.end_snapshot();
            *part = Part::Complete;
            snapshots.finish_shard(&mut self.writer, origin.shard, footer)?;
        }
        Ok(())
    }
}

/// A full disk is no end.
fn survive(error: &io::Error) -> Result<(), Dead> {
    if error.raw_os_error() == Some(libc::ENOSPC) { Ok(()) } else { Err(Dead) }
}

/// A failed snapshot is no end; without power everything is.
fn survive_snapshot(disk: &SimDisk, error: &io::Error) -> Result<(), Dead> {
    if disk.is_without_power() { Err(Dead) } else { survive(error).or(Ok(())) }
}

/// A key of a shard.
fn key_of(origin: &Origin, key_count: u64, choices: &mut Seeded) -> Vec<u8> {
    loop {
        let name = format!("key:{}", choices.draw(key_count * u64::from(origin.shard_count)));
        if (Share { shard: origin.shard, shard_count: origin.shard_count }).owns(slot(name.as_bytes())) {
            return name.into_bytes();
        }
    }
}

/// Spreads keys over the slots.
fn slot(key: &[u8]) -> u16 {
    let hash = key.iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    (hash.wrapping_mul(0x9E37_79B1) >> 18) as u16
}
