//! Reads one shard's log of one generation to its end, some bytes at a time, and judges the end.
//!
//! A group counts only with its Commit, so when a grouped record comes up, the reader first looks ahead for the
//! Commit, and then goes back and hands the group out. What is behind the last whole record or group is the tail:
//!
//! ```text
//!   records ... | last whole one | ✗ hole  ... intact frames, marks? ...
//!                                └─ end     └─ a mark at or behind the hole's number: damage
//!                                              none: what a power cut leaves, to be cut off
//! ```
//!
//! # Invariants
//! - Records are handed out in the order of their numbers, without a gap, each once, groups whole.
//! - [`LogEnd::offset`] is where the last record ends that was handed out (or passed over as older than the snapshot).

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;

use crate::disk::Disk;
use crate::lsn::{Lsn, Origin};
use crate::recover::directory::{LOGS, SNAPSHOTS, generation_path};
use crate::recover::fault::{Fault, disk_fault};
use crate::recover::plan::{LogFiles, Plan, SegmentFile};
use crate::shard::ReplayFault;
use crate::wal::{
    Beyond, Body, Record, SEGMENT_HEADER_BYTES, SEGMENT_VERSION, SegmentHeader, SegmentReader, Stop, end_frame,
};

/// Where a log of the plan ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEnd {
    /// Whose log.
    pub origin: Origin,
    /// The segment in which it ends, by sequence and file; `None` if the log has none that counts.
    pub segment: Option<(u64, String)>,
    /// Earlier segments that hold what counts.
    pub earlier: Vec<String>,
    /// Where in that segment the last whole record (of a complete group) ends.
    pub offset: u64,
    /// The number after it.
    pub next_lsn: Lsn,
    /// Whether an End record is there.
    pub is_ended: bool,
    /// Bytes behind it, up to the last that is not zero of each segment, that are no whole record; 0 if the log ends
    /// cleanly.
    pub cut_bytes: u64,
    /// Intact frames among them, which the hole before them makes worthless.
    pub cut_frame_count: u64,
    /// Later segments, which hold nothing that counts.
    pub beyond: Vec<String>,
}

/// A place between two records.
#[derive(Clone, Debug)]
struct Place {
    /// Which of the log's segments.
    index: usize,
    offset: u64,
    expected: Lsn,
    /// What a record that began in the segment before has of its bytes.
    carried: Vec<u8>,
    /// No record was read yet.
    is_oldest: bool,
}

/// See the module.
pub struct LogReader<D: Disk> {
    disk: D,
    files: LogFiles,
    /// Whether the log must have ended by intent.
    must_end: bool,
    /// The segment that is read first; there is none if the log's beginning is missing.
    first_index: usize,
    /// The first number that is wanted.
    from: Lsn,
    place: Place,
    view: Option<(usize, D::View)>,
    /// Behind the last record handed out: segment, offset, number.
    safe: (usize, u64, Lsn),
    /// Where a group began whose Commit is being looked for.
    group: Option<Place>,
    /// The group up to this number is complete.
    committed: Lsn,
    is_ended: bool,
    read_bytes: u64,
}

/// What came of reading a part of a segment.
enum Part {
    Budget,
    /// Go back to the group's first record: it is complete.
    Rewind,
    Stopped(Stop, Beyond),
    Ended,
}

impl<D: Disk> LogReader<D> {
    /// A reader of `files`. `from` is the first number that is wanted, where a snapshot is before the log; a log
    /// that `must_end` is damaged unless it ends with an End.
    ///
    /// # Errors
    /// The disk's failure.
    pub fn new(disk: D, files: LogFiles, from: Option<Lsn>, must_end: bool) -> Result<LogReader<D>, Fault> {
        let (index, is_oldest) = beginning(&disk, &files, from)?;
        let expected = files.segments.get(index).and_then(|segment| segment.first_lsn).unwrap_or(Lsn(0));
        let offset = SEGMENT_HEADER_BYTES as u64;
        let place = Place { index, offset, expected, carried: Vec::new(), is_oldest };
        Ok(LogReader {
            disk,
            first_index: index,
            from: from.unwrap_or(Lsn(0)),
            files,
            must_end,
            place,
            view: None,
            safe: (index, offset, expected),
            group: None,
            committed: Lsn(0),
            is_ended: false,
            read_bytes: 0,
        })
    }

    /// Whose log it is.
    pub fn origin(&self) -> Origin {
        self.files.origin
    }

    /// The file being read, and where in it.
    pub fn position(&self) -> (String, u64) {
        let segment = self.files.segments.get(self.place.index);
        (segment.map_or_else(String::new, |segment| segment.path.clone()), self.place.offset)
    }

    /// Bytes read so far; a group's twice.
    pub fn read_bytes(&self) -> u64 {
        self.read_bytes
    }

    /// Reads about `bytes` more and hands `each` the records; the log's end when it is reached.
    ///
    /// # Errors
    /// Damage, what `each` found, or the disk's failure.
    pub fn step(
        &mut self,
        bytes: u64,
        mut each: impl FnMut(&Record<'_>) -> Result<(), ReplayFault>,
    ) -> Result<Option<LogEnd>, Fault> {
        let end_bytes = self.read_bytes + bytes;
        while self.read_bytes < end_bytes {
            if self.is_ended || self.place.index == self.files.segments.len() {
                return self.end(None).map(Some);
            }
            match self.read(end_bytes - self.read_bytes, &mut each)? {
                Part::Budget | Part::Rewind => {}
                Part::Ended => self.is_ended = true,
                Part::Stopped(Stop::Clean { .. }, _) if self.goes_on() => {}
                Part::Stopped(stop, beyond) => return self.end(Some((stop, beyond))).map(Some),
            }
        }
        Ok(None)
    }

    /// Reads on in the segment at hand.
    fn read(
        &mut self,
        bytes: u64,
        each: &mut impl FnMut(&Record<'_>) -> Result<(), ReplayFault>,
    ) -> Result<Part, Fault> {
        let index = self.place.index;
        let view = match self.view.take().filter(|(of, _)| *of == index) {
            Some((_, view)) => view,
            None => self.open(index)?,
        };
        let header = self.header(index);
        let mut reader = self.reader(view.as_ref(), &header);
        let (start, mut outcome) = (self.place.offset, None);
        while outcome.is_none() && reader.offset().saturating_sub(start) < bytes {
            let before = (reader.offset(), reader.expected());
            let Some(record) = reader.next() else {
                let stop = reader.stop();
                let is_clean = matches!(stop, Stop::Clean { .. });
                let beyond = if is_clean { Beyond::default() } else { reader.beyond() };
                outcome = Some(Part::Stopped(stop, beyond));
                break;
            };
            let (lsn, is_end) = (record.lsn, record.body == Body::End);
            if record.is_grouped && lsn > self.committed && self.group.is_none() {
                let carried = if before.0 == self.place.offset { self.place.carried.clone() } else { Vec::new() };
                let is_oldest = self.place.is_oldest && before.0 == self.place.offset;
                self.group = Some(Place { index, offset: before.0, expected: before.1, carried, is_oldest });
            }
            if let Some(group) = &self.group {
                if record.body == Body::Commit {
                    self.committed = lsn;
                    let group = group.clone();
                    self.group = None;
                    self.read_bytes += reader.offset().saturating_sub(start);
                    self.place = group;
                    self.view = Some((index, view));
                    return Ok(Part::Rewind);
                }
                if record.is_grouped {
                    continue;
                }
                let (offset, expected) = before;
                let sentence = format!("change {} follows a group that was not ended", expected.0);
                return Err(Fault::Mismatch { path: self.files.segments[index].path.clone(), offset, sentence });
            }
            each(&record).map_err(|fault| self.misfit(index, before.0, &fault))?;
            self.safe = (index, reader.offset(), reader.expected());
            if is_end {
                outcome = Some(Part::Ended);
            }
        }
        self.read_bytes += reader.offset().saturating_sub(start).max(1);
        let is_oldest = self.place.is_oldest && reader.expected() == self.place.expected;
        let (offset, expected) = (reader.offset(), reader.expected());
        let carried = if outcome.is_some() { reader.into_carried() } else { Vec::new() };
        self.place = Place { index, offset, expected, carried, is_oldest };
        self.view = Some((index, view));
        Ok(outcome.unwrap_or(Part::Budget))
    }

    /// A reader at the place at hand.
    fn reader<'v>(&mut self, segment: &'v [u8], header: &SegmentHeader) -> SegmentReader<'v> {
        let Place { offset, expected, carried, is_oldest, .. } = &mut self.place;
        if *offset > SEGMENT_HEADER_BYTES as u64 {
            return SegmentReader::resume(segment, header, *offset, *expected);
        }
        if *is_oldest {
            return SegmentReader::oldest(segment, header);
        }
        SegmentReader::new(segment, header, *expected, carried.clone())
    }

    /// Goes on to the next segment if it is the one that the log goes on in.
    fn goes_on(&mut self) -> bool {
        let place = &mut self.place;
        let Some(next) = self.files.segments.get(place.index + 1) else { return false };
        let here = &self.files.segments[place.index];
        if next.sequence != here.sequence + 1 || next.first_lsn != Some(place.expected) {
            return false;
        }
        place.index += 1;
        place.offset = SEGMENT_HEADER_BYTES as u64;
        true
    }

    /// Judges the end at which reading stopped; `None` for one that is there by intent.
    fn end(&mut self, stopped: Option<(Stop, Beyond)>) -> Result<LogEnd, Fault> {
        let Place { index: stopped_index, offset: stopped_offset, .. } = self.place;
        let has_beginning = self.first_index < self.files.segments.len();
        let (index, offset, next_lsn) = self.safe;
        let mut is_clean = self.group.is_none() && self.place.carried.is_empty();
        let mut beyond = Beyond::default();
        if let Some((stop, behind)) = stopped {
            is_clean &= matches!(stop, Stop::Clean { .. });
            beyond = behind;
        }
        let behind_first = if has_beginning { stopped_index + 1 } else { 0 };
        for later in behind_first..self.files.segments.len() {
            let found = self.look_into(later, next_lsn)?;
            beyond.frame_count += found.frame_count;
            beyond.marked = beyond.marked.max(found.marked);
            if !self.is_ended && found.frame_count > 0 && self.files.segments[later].is_head_damaged {
                let sentence = format!("the head is damaged, and {} intact frames follow it", found.frame_count);
                return Err(Fault::Damage { path: self.files.segments[later].path.clone(), offset: 0, sentence });
            }
        }
        if !self.is_ended {
            self.refuse_damage(stopped_offset, next_lsn, beyond)?;
        }
        is_clean &= beyond.frame_count == 0;
        let segment = self.files.segments.get(index).filter(|_| has_beginning);
        let later = self.files.segments.iter().skip(segment.map_or(0, |_| index + 1));
        let earlier = self.files.segments.get(self.first_index..index).unwrap_or_default();
        let mut cut_bytes = 0;
        if !is_clean {
            cut_bytes = if segment.is_some() { self.bytes_behind(index, offset)?.max(1) } else { 0 };
            for later in segment.map_or(0, |_| index + 1)..self.files.segments.len() {
                cut_bytes += self.bytes_behind(later, SEGMENT_HEADER_BYTES as u64)?;
            }
        }
        Ok(LogEnd {
            origin: self.files.origin,
            segment: segment.map(|segment| (segment.sequence, segment.path.clone())),
            earlier: earlier.iter().map(|segment| segment.path.clone()).collect(),
            offset,
            next_lsn,
            is_ended: self.is_ended,
            cut_bytes,
            cut_frame_count: beyond.frame_count,
            beyond: later.map(|segment| segment.path.clone()).collect(),
        })
    }

    /// Says so if the hole at `expected` cannot be what a power cut left.
    fn refuse_damage(&self, offset: u64, expected: Lsn, beyond: Beyond) -> Result<(), Fault> {
        // What a snapshot has may be missing from the log: it need not have been durable there.
        let needed = expected.max(self.from);
        let has_beginning = self.first_index < self.files.segments.len();
        let sentence = if beyond.marked >= needed && beyond.marked > Lsn(0) {
            format!(
                "change {} is damaged or missing, though the log was durable up to change {}; {} intact frames follow",
                needed.0, beyond.marked.0, beyond.frame_count
            )
        } else if self.must_end && (has_beginning || beyond.frame_count > 0) {
            format!("change {} is missing: a later start ended this log, and the end is not there", needed.0)
        } else {
            return Ok(());
        };
        let segment = self.files.segments.get(self.place.index).or(self.files.segments.last());
        let path =
            segment.map_or_else(|| generation_path(self.files.origin.generation), |segment| segment.path.clone());
        Err(Fault::Damage { path, offset, sentence })
    }

    /// The frames of a segment that reading did not come to, whatever its head says.
    fn look_into(&self, index: usize, expected: Lsn) -> Result<Beyond, Fault> {
        let view = self.open(index)?;
        let header = self.header(index);
        if view.as_ref().len() <= SEGMENT_HEADER_BYTES {
            return Ok(Beyond::default());
        }
        Ok(SegmentReader::resume(view.as_ref(), &header, SEGMENT_HEADER_BYTES as u64, expected).beyond())
    }

    /// Bytes from `offset` of the segment at `index` up to the last of it that is not zero.
    fn bytes_behind(&self, index: usize, offset: u64) -> Result<u64, Fault> {
        if index >= self.files.segments.len() {
            return Ok(0);
        }
        let view = self.open(index)?;
        let behind = view.as_ref().get(offset as usize..).unwrap_or_default();
        Ok(behind.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1))
    }

    fn open(&self, index: usize) -> Result<D::View, Fault> {
        let path = &self.files.segments[index].path;
        self.disk.view(path).map_err(|error| disk_fault(path, error))
    }

    /// What the head of a segment must say, as far as reading it needs.
    fn header(&self, index: usize) -> SegmentHeader {
        let SegmentFile { version, sequence, first_lsn, bytes, .. } = &self.files.segments[index];
        SegmentHeader {
            version: *version,
            origin: self.files.origin,
            needs_snapshot: false,
            sequence: *sequence,
            first_lsn: first_lsn.unwrap_or(self.place.expected),
            segment_bytes: *bytes,
        }
    }

    fn misfit(&self, index: usize, offset: u64, fault: &ReplayFault) -> Fault {
        let sentence = match fault {
            ReplayFault::Base { expected, found } => {
                format!("a change builds on version {expected} of its entry, which has version {found}")
            }
            ReplayFault::Order { lsn } => format!("change {} comes after a later one", lsn.0),
            ReplayFault::Refused(refusal) => format!("the entry cannot be taken: {refusal:?}"),
        };
        Fault::Mismatch { path: self.files.segments[index].path.clone(), offset, sentence }
    }
}

/// The segment of `files` to be read first (none: their number), and whether records begin before it that nobody needs.
///
/// Behind a snapshot, files that are needed no more may be there or not, and whole or not: the log is read from the
/// last segment on that nothing needed lies before.
fn beginning<D: Disk>(disk: &D, files: &LogFiles, from: Option<Lsn>) -> Result<(usize, bool), Fault> {
    let segments = &files.segments;
    let none = (segments.len(), false);
    let Some(from) = from else {
        let is_first = |segment: &SegmentFile| segment.sequence == 0 && segment.first_lsn.is_some();
        return Ok(segments.iter().position(is_first).map_or(none, |index| (index, false)));
    };
    let before = segments.iter().rposition(|segment| segment.first_lsn.is_some_and(|first| first < from));
    let at = segments.iter().position(|segment| segment.first_lsn == Some(from));
    match (before, at) {
        (Some(before), Some(at)) if !begins(disk, files.origin, &segments[at], from)? => Ok((before, true)),
        (_, Some(at)) => Ok((at, false)),
        (Some(before), None) => Ok((before, true)),
        (None, None) => Ok(none),
    }
}

/// Whether the record `lsn` begins in `segment`, and does not only go on in it.
fn begins<D: Disk>(disk: &D, origin: Origin, segment: &SegmentFile, lsn: Lsn) -> Result<bool, Fault> {
    let view = disk.view(&segment.path).map_err(|error| disk_fault(&segment.path, error))?;
    let SegmentFile { version, sequence, bytes, .. } = *segment;
    let header =
        SegmentHeader { version, origin, needs_snapshot: false, sequence, first_lsn: lsn, segment_bytes: bytes };
    let mut reader = SegmentReader::new(view.as_ref(), &header, lsn, Vec::new());
    let is_whole = reader.next().is_some();
    Ok(is_whole || !reader.into_carried().is_empty())
}

/// Makes what was read durable, and what was found: to be done once every shard is loaded, before a new generation
/// begins. `ends` are those that the loaders came to; several may have read the same log.
///
/// # Errors
/// The disk's.
///
/// # Panics
/// When two loaders disagree about the end of a log.
pub fn settle<D: Disk>(disk: &D, plan: &Plan, ends: &[LogEnd]) -> io::Result<()> {
    if plan.snapshot.is_some() {
        // Its name may be one that only the process before this one saw.
        disk.sync_directory(SNAPSHOTS)?;
    }
    let mut ended = BTreeMap::new();
    for end in ends {
        match ended.entry(end.origin) {
            Entry::Occupied(first) => assert_eq!(*first.get(), end, "a log has one end"),
            Entry::Vacant(place) => {
                end_log(disk, place.insert(end))?;
            }
        }
    }
    for files in plan.generations.iter().filter(|files| files.logs.is_empty()) {
        // An earlier attempt may have removed all of it, and failed before that was durable.
        disk.sync_directory(&generation_path(files.generation))?;
    }
    plan.leftovers.iter().try_for_each(|path| disk.remove(path))?;
    // A log that counts no more must not be back among later ones that do.
    for directory in [LOGS, SNAPSHOTS] {
        let prefix = format!("{directory}/");
        if plan.leftovers.iter().any(|path| path.starts_with(&prefix)) {
            disk.sync_directory(directory)?;
        }
    }
    Ok(())
}

/// Ends a log where it ends, durably: makes durable what a killed process left to be written, writes an End record if
/// there is none, cuts off what is behind it, removes later segments. To be done for every log of the plan before a
/// new generation begins; [`settle`] does.
///
/// # Errors
/// The disk's.
pub fn end_log<D: Disk>(disk: &D, end: &LogEnd) -> io::Result<()> {
    end.earlier.iter().try_for_each(|path| disk.sync(path))?;
    if let Some((sequence, path)) = &end.segment {
        let mut bytes = end.offset;
        if !end.is_ended {
            let header = SegmentHeader {
                version: SEGMENT_VERSION,
                origin: end.origin,
                needs_snapshot: false,
                sequence: *sequence,
                first_lsn: end.next_lsn,
                segment_bytes: 0,
            };
            let frame = end_frame(&header, end.next_lsn);
            disk.write_at(path, end.offset, &frame)?;
            // First the end and then the cut: whatever a power cut makes of it, the log ends here or a little before.
            disk.sync(path)?;
            bytes += frame.len() as u64;
        }
        disk.truncate(path, bytes)?;
        disk.sync(path)?;
    }
    for path in &end.beyond {
        disk.remove(path)?;
    }
    disk.sync_directory(&generation_path(end.origin.generation))
}
