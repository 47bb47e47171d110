//! How ops change a shard.
//!
//! Each op finds its entry once. What needs no other cell is done in place; what does makes room first,
//! which may evict any entry, this one included, so what is to be kept of it was read before and it is
//! looked up again after.

#[cfg(test)]
mod tests;

use super::contents::{Found, SlabCells};
use super::{Cause, Shard, prefix};
use crate::cell::Cell;
use crate::entry::{self, Encoding, Form, Grace, HEADER_BYTES, Header, NEVER, Shape, Value};
use crate::expiry::Armed;
use crate::integer;
use crate::key::{Db, Key};
use crate::limits::{KEY_BYTES_MAX, TOKEN_MAX, VALUE_BYTES_MAX};
use crate::op::{Applied, ExpiryChange, FlagsChange, Refusal};
use crate::sizes::Bin;
use crate::time::Millis;
use crate::wal::{Body, Log, Removal};

/// A value that grew by splicing before and outgrows its cell gets a cell with a fifth to spare: appending
/// byte by byte then copies each byte five times over the value's life.
const SPARE_SHARE: usize = 5;

/// A flush of one database whose table has no more slots than this is done on the spot.
const FLUSH_AT_ONCE_MAX: usize = 256;

/// When an entry goes, and how long before that its value is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    /// Milliseconds since the epoch, [`NEVER`] for never.
    pub(super) at: u64,
    /// The grace; none of what never goes.
    pub(super) grace: Grace,
}

/// What is to be written.
pub(super) struct Whole<'a> {
    pub(super) key: Key<'a>,
    pub(super) form: Form,
    pub(super) shape: Shape,
    pub(super) encoding: Encoding,
    pub(super) ending: Ending,
    pub(super) client_flags: u32,
    pub(super) is_stale: bool,
    pub(super) was_read: bool,
}

/// A put whose value is in the form that is kept.
struct Put<'a> {
    key: Key<'a>,
    value: Value<'a>,
    encoding: Encoding,
    bytes: &'a [u8],
    client_flags: FlagsChange,
}

impl<'a> Put<'a> {
    /// What it writes, and what the log says of it, where the entry had `kept_flags`.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "without a grace the parts for it must go away")]
    fn written(&self, ending: Ending, kept_flags: u32) -> (Whole<'a>, Body<'a>) {
        let Put { key, value, encoding, bytes, client_flags } = *self;
        let client_flags = match client_flags {
            FlagsChange::Keep => kept_flags,
            FlagsChange::Set(flags) => flags,
        };
        let form = Form::String;
        let shape = Shape::of(key.bytes.len(), bytes.len(), ending.at != NEVER, client_flags != 0)
            .with_grace(ending.grace != Grace::NONE);
        let whole = Whole { key, form, shape, encoding, ending, client_flags, is_stale: false, was_read: false };
        let (expiry, grace) = (ending.logged(), ending.grace);
        (whole, Body::Put { db: key.db, key: key.bytes, value, expiry, client_flags, grace })
    }
}

/// What of an entry changes without its value.
struct Attributes {
    ending: Ending,
    is_stale: bool,
}

impl Ending {
    /// Of what does not go.
    const NEVER: Ending = Ending { at: NEVER, grace: Grace::NONE };

    /// Without a grace.
    #[inline]
    fn at(at: u64) -> Ending {
        // The last instant there is stands for none.
        Ending { at: at.min(NEVER - 1), grace: Grace::NONE }
    }

    /// Of a value that is over at `until` and is kept for a grace behind that.
    fn graced(until: Millis, grace: Grace) -> Ending {
        let at = until.0.saturating_add(u64::from(grace.grace_ms));
        Ending { at: at.min(NEVER - 1), grace }
    }

    /// What an entry that is shown keeps of its own when it is written whole: its time, and no grace.
    #[inline]
    fn kept(record: &entry::Record<'_>) -> Ending {
        Ending { at: record.fresh_until_or_never(), grace: Grace::NONE }
    }

    /// The same that an entry has.
    #[inline]
    fn of(record: &entry::Record<'_>) -> Ending {
        Ending { at: record.expiry_or_never(), grace: record.grace() }
    }

    /// What `change` makes of it.
    #[inline]
    fn changed(self, change: ExpiryChange) -> Ending {
        match change {
            ExpiryChange::Keep => self,
            ExpiryChange::Clear => Ending::NEVER,
            ExpiryChange::At(at) | ExpiryChange::Exactly(at) => Ending::at(at.0),
            ExpiryChange::Graced { until, grace_ms, cost_ms } => Ending::graced(until, Grace { grace_ms, cost_ms }),
        }
    }

    /// The change that makes an entry end as a record of the log says.
    pub(super) fn change(expiry: Option<Millis>, grace: Grace) -> ExpiryChange {
        match expiry {
            None => ExpiryChange::Clear,
            Some(at) if grace == Grace::NONE => ExpiryChange::Exactly(at),
            Some(at) => {
                let Grace { grace_ms, cost_ms } = grace;
                ExpiryChange::Graced { until: Millis(at.0.saturating_sub(u64::from(grace_ms))), grace_ms, cost_ms }
            }
        }
    }

    /// As a record of the log has it.
    #[inline]
    fn logged(self) -> Option<Millis> {
        (self.at != NEVER).then_some(Millis(self.at))
    }
}

impl Shard {
    #[inline]
    pub(super) fn put(
        &mut self,
        key: Key<'_>,
        value: Value<'_>,
        expiry: ExpiryChange,
        client_flags: FlagsChange,
        now: Millis,
    ) -> Result<Applied, Refusal> {
        let integer = match value {
            Value::Integer(integer) => Some(integer),
            Value::Bytes(bytes) => integer::canonical(bytes),
        };
        let digits = integer.unwrap_or(0).to_le_bytes();
        let (encoding, bytes) = match value {
            Value::Bytes(bytes) if integer.is_none() => (Encoding::Bytes, bytes),
            _ => (Encoding::Integer, &digits[..]),
        };
        check_lengths(key, bytes.len())?;
        self.contents.journal.promise(key.bytes.len(), bytes.len())?;
        let found = self.contents.find_live(key, now);
        let put = Put { key, value, encoding, bytes, client_flags };
        // Apart, so that what most values have nothing to do with costs them nothing.
        if matches!(expiry, ExpiryChange::Graced { .. })
            || found.is_some_and(|found| !self.contents.header(found.cell).is_plain())
        {
            return self.put_with_grace(&put, expiry, now);
        }
        let (kept, kept_flags) = found.map_or((NEVER, 0), |found| {
            let record = self.contents.record(found.cell);
            (record.expiry_or_never(), record.client_flags())
        });
        let expiry = if self.has_ttl_policy { self.ruled(key, expiry, kept != NEVER, now)? } else { expiry };
        let at = match expiry {
            ExpiryChange::Keep => kept,
            change => Ending::NEVER.changed(change).at,
        };
        let (whole, body) = put.written(Ending { at, grace: Grace::NONE }, kept_flags);
        let version = self.write_whole(found, &whole, bytes, &body, now)?;
        Ok(Applied { existed: found.is_some(), version })
    }

    /// A put of a value with a grace, or over an entry that is no plain string.
    #[cold]
    fn put_with_grace(&mut self, put: &Put<'_>, expiry: ExpiryChange, now: Millis) -> Result<Applied, Refusal> {
        let found = self.contents.find_live(put.key, now);
        let shown = found.filter(|found| self.contents.is_shown(found.cell, now));
        let (kept, kept_flags) = shown.map_or((Ending::NEVER, 0), |found| {
            let record = self.contents.record(found.cell);
            (Ending::kept(&record), record.client_flags())
        });
        let expiry = if self.has_ttl_policy { self.ruled(put.key, expiry, kept.at != NEVER, now)? } else { expiry };
        let (whole, body) = put.written(kept.changed(expiry), kept_flags);
        let version = self.write_whole_apart(found, &whole, put.bytes, &body, now)?;
        Ok(Applied { existed: shown.is_some(), version })
    }

    /// What the policy makes of the expiry of a value that is written.
    #[cold]
    fn ruled(
        &self,
        key: Key<'_>,
        change: ExpiryChange,
        has_expiry: bool,
        now: Millis,
    ) -> Result<ExpiryChange, Refusal> {
        if self.contents.journal.is_replaying() {
            return Ok(change);
        }
        self.options.ttl.written(change, has_expiry, key.bytes, now)
    }

    /// What the policy makes of another expiry of a value that is there.
    #[inline]
    fn ruled_anew(&self, key: Key<'_>, change: ExpiryChange, now: Millis) -> Result<ExpiryChange, Refusal> {
        if !self.has_ttl_policy || self.contents.journal.is_replaying() {
            return Ok(change);
        }
        self.options.ttl.changed(change, key.bytes, now)
    }

    /// Makes a key hold what has no value, or a lock.
    fn put_form(
        &mut self,
        key: Key<'_>,
        form: Form,
        value: Option<i64>,
        expiry: Millis,
        body: &Body<'_>,
        now: Millis,
    ) -> Result<Applied, Refusal> {
        let digits = value.unwrap_or(0).to_le_bytes();
        let bytes = if value.is_some() { &digits[..] } else { &[] };
        check_lengths(key, bytes.len())?;
        self.contents.journal.promise(key.bytes.len(), bytes.len())?;
        let found = self.contents.find_live(key, now);
        let existed = found.is_some_and(|found| self.contents.is_shown(found.cell, now));
        let ending = Ending::at(expiry.0);
        let shape = Shape::of(key.bytes.len(), bytes.len(), true, false).with_grace(form == Form::Absent);
        let encoding = Encoding::Integer;
        let whole = Whole { key, form, shape, encoding, ending, client_flags: 0, is_stale: false, was_read: false };
        let version = self.write_whole_apart(found, &whole, bytes, body, now)?;
        Ok(Applied { existed, version })
    }

    pub(super) fn put_absent(&mut self, key: Key<'_>, expiry: Millis, now: Millis) -> Result<Applied, Refusal> {
        let body = Body::PutAbsent { db: key.db, key: key.bytes, expiry: Millis(expiry.0.min(NEVER - 1)) };
        self.put_form(key, Form::Absent, None, expiry, &body, now)
    }

    pub(super) fn lock(&mut self, key: Key<'_>, token: u64, expiry: Millis, now: Millis) -> Result<Applied, Refusal> {
        assert!(token <= TOKEN_MAX, "a token is one that the shard gave");
        let body = Body::Lock { db: key.db, key: key.bytes, token, expiry: Millis(expiry.0.min(NEVER - 1)) };
        let applied = self.put_form(key, Form::Lock, Some(token.cast_signed()), expiry, &body, now)?;
        self.raise_fence(token);
        Ok(applied)
    }

    #[cold]
    fn write_whole_apart(
        &mut self,
        found: Option<Found>,
        whole: &Whole<'_>,
        bytes: &[u8],
        body: &Body<'_>,
        now: Millis,
    ) -> Result<u64, Refusal> {
        self.write_whole(found, whole, bytes, body, now)
    }

    /// Writes `whole` with the value `bytes` in the place of `found`; returns its version, 0 if its time is over already
    /// and it was removed instead.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a put without a grace is the common one")]
    fn write_whole(
        &mut self,
        found: Option<Found>,
        whole: &Whole<'_>,
        bytes: &[u8],
        body: &Body<'_>,
        now: Millis,
    ) -> Result<u64, Refusal> {
        if whole.ending.at <= now.0 && !self.contents.journal.is_replaying() {
            if let Some(found) = found {
                self.contents.remove(found, Cause::Expired);
            }
            self.contents.journal.release();
            return Ok(0);
        }
        let shape = whole.shape;
        match found {
            Some(found) if self.contents.slab.fits(found.cell, shape.cell_bytes()) => {
                self.write_around(found, whole, Some(bytes), body, now);
            }
            _ => {
                let cell = self.take_cell(shape.cell_bytes(), found, now)?;
                self.contents.slab.slice_mut(cell, shape.cell_bytes())[shape.value_offset()..].copy_from_slice(bytes);
                self.write_new(cell, found, whole, body, now);
            }
        }
        Ok(self.contents.journal.last.0)
    }

    pub(super) fn splice(
        &mut self,
        key: Key<'_>,
        offset: usize,
        bytes: &[u8],
        now: Millis,
    ) -> Result<Applied, Refusal> {
        let end = offset.saturating_add(bytes.len());
        check_lengths(key, end)?;
        self.contents.journal.promise(key.bytes.len(), bytes.len())?;
        let logged = |base: u64| Body::Splice { db: key.db, key: key.bytes, base, offset: offset as u64, bytes };
        let form = Form::String;
        let found = self.contents.find_live(key, now);
        let Some(found) = found.filter(|found| self.contents.is_shown(found.cell, now)) else {
            return self.splice_nothing(key, found, offset, bytes, now);
        };
        let record = self.contents.record(found.cell);
        let (header, shape) = (record.header, record.header.shape());
        let body = logged(header.version());
        let mut digits = [0; 20];
        let text = match record.value() {
            Value::Integer(integer) => Some(integer::format(integer, &mut digits)),
            Value::Bytes(_) => None,
        };
        let (ending, client_flags) = (Ending::of(&record), record.client_flags());
        let before = Bin::of(&record);
        let length = text.map_or(shape.value_bytes, <[u8]>::len);
        let total = length.max(end);
        // The fields stay as they are, so that the key does when the cell does.
        let target = Shape { value_bytes: total, ..shape };
        if self.has_room(found.cell, target.cell_bytes()) {
            self.contents.preserve(found);
            let version = self.contents.journal.note(&body);
            let value = &mut self.contents.slab.slice_mut(found.cell, target.cell_bytes())[target.value_offset()..];
            if let Some(text) = text {
                value[..length].copy_from_slice(text);
            }
            splice_into(value, length, offset, bytes);
            self.contents.payload_bytes =
                self.contents.payload_bytes - shape.value_bytes as u64 + target.value_bytes as u64;
            self.contents.databases.note_size(found.id, before, Bin::of_length(total));
            let access = self.evictor.touched(header.access(), now);
            Header::new(form, target, Encoding::Spliced, found.id, version, access)
                .with_stale(header.is_stale())
                .with_late(header.late())
                .with_mark(header.mark())
                .write(self.contents.slab.slice_mut(found.cell, HEADER_BYTES));
            return Ok(Applied { existed: true, version });
        }
        let target = Shape::of(key.bytes.len(), total, shape.has_expiry, shape.has_flags).with_grace(shape.has_grace);
        let spare = if header.encoding() == Encoding::Spliced { total / SPARE_SHARE } else { 0 };
        let (encoding, is_stale) = (Encoding::Spliced, header.is_stale());
        let whole = Whole { key, form, shape: target, encoding, ending, client_flags, is_stale, was_read: false };
        let cell = self.take_cell(target.cell_bytes() + spare, Some(found), now)?;
        // Making room may have moved the entry, or evicted it: it is then as if that had come first.
        let Some(found) = self.contents.find(key) else {
            self.contents.slab.free(cell);
            return self.splice(key, offset, bytes, now);
        };
        if text.is_none() {
            let source = (found.cell, shape.value_offset());
            self.contents.slab.copy(source, (cell, target.value_offset()), shape.value_bytes);
        }
        let value = &mut self.contents.slab.slice_mut(cell, target.cell_bytes())[target.value_offset()..];
        if let Some(text) = text {
            value[..length].copy_from_slice(text);
        }
        splice_into(value, length, offset, bytes);
        self.write_new(cell, Some(found), &whole, &body, now);
        Ok(Applied { existed: true, version: self.contents.journal.last.0 })
    }

    /// A splice of a key that shows no entry; `hidden` is in the way.
    fn splice_nothing(
        &mut self,
        key: Key<'_>,
        hidden: Option<Found>,
        offset: usize,
        bytes: &[u8],
        now: Millis,
    ) -> Result<Applied, Refusal> {
        let mut expiry = ExpiryChange::Clear;
        if self.has_ttl_policy {
            expiry = self.ruled(key, expiry, false, now)?;
        }
        let ExpiryChange::Exactly(at) = expiry else {
            return self.write_spliced(key, hidden, offset, bytes, false, now);
        };
        // The record of a splice has no expiry: two changes, and one step for a replay.
        let is_ours = !self.contents.journal.is_grouping();
        if is_ours {
            let key_bytes = key.bytes.len();
            let both = Log::record_bytes(key_bytes, bytes.len()) + Log::record_bytes(key_bytes, 0);
            self.contents.journal.begin_group(both)?;
        }
        let written = self.write_spliced(key, hidden, offset, bytes, true, now);
        let applied = written.and_then(|_| self.set_expiry(key, Some(at), now));
        if is_ours {
            self.contents.journal.commit();
        }
        applied.map(|applied| Applied { existed: false, ..applied })
    }

    /// Writes zeros and `bytes` behind them as a value that does not end; with room for an expiry, if it will.
    fn write_spliced(
        &mut self,
        key: Key<'_>,
        hidden: Option<Found>,
        offset: usize,
        bytes: &[u8],
        will_end: bool,
        now: Millis,
    ) -> Result<Applied, Refusal> {
        let shape = Shape::of(key.bytes.len(), offset + bytes.len(), will_end, false);
        let (form, encoding, ending) = (Form::String, Encoding::Spliced, Ending::NEVER);
        let whole = Whole { key, form, shape, encoding, ending, client_flags: 0, is_stale: false, was_read: false };
        let cell = self.take_cell(shape.cell_bytes(), hidden, now)?;
        let value = &mut self.contents.slab.slice_mut(cell, shape.cell_bytes())[shape.value_offset()..];
        value[..offset].fill(0);
        value[offset..].copy_from_slice(bytes);
        let body = Body::Splice { db: key.db, key: key.bytes, base: 0, offset: offset as u64, bytes };
        self.write_new(cell, hidden, &whole, &body, now);
        Ok(Applied { existed: false, version: self.contents.journal.last.0 })
    }

    pub(super) fn delete(&mut self, key: Key<'_>, now: Millis) -> Result<Applied, Refusal> {
        let found = self.contents.find_live(key, now);
        let existed = found.is_some_and(|found| self.contents.is_shown(found.cell, now));
        if let Some(found) = found {
            self.delete_found(key, found)?;
        }
        Ok(Applied { existed, version: 0 })
    }

    /// Removes an entry because a client said so.
    fn delete_found(&mut self, key: Key<'_>, found: Found) -> Result<(), Refusal> {
        let journal = &mut self.contents.journal;
        journal.promise(key.bytes.len(), 0)?;
        journal.note(&Body::Delete { db: key.db, key: key.bytes, removal: Removal::Deleted });
        self.contents.remove(found, Cause::Deleted);
        Ok(())
    }

    pub(super) fn set_expiry(&mut self, key: Key<'_>, expiry: Option<Millis>, now: Millis) -> Result<Applied, Refusal> {
        let Some(found) = self.contents.find_shown(key, now) else { return Ok(Applied::default()) };
        let change = self.ruled_anew(key, expiry.map_or(ExpiryChange::Clear, ExpiryChange::At), now)?;
        let record = self.contents.record(found.cell);
        let header = record.header;
        let ending = Ending::NEVER.changed(change);
        let ending = match ending.at {
            NEVER => ending,
            // How long the value took to make is as true as before.
            _ => Ending { grace: Grace { grace_ms: 0, ..record.grace() }, ..ending },
        };
        let (base, logged) = (header.version(), ending.logged());
        let body = Body::SetExpiry { db: key.db, key: key.bytes, base, expiry: logged };
        let attributes = Attributes { ending, is_stale: header.is_stale() };
        self.change_attributes(key, found, &attributes, &body, now)
    }

    pub(super) fn invalidate(&mut self, key: Key<'_>, expiry: ExpiryChange, now: Millis) -> Result<Applied, Refusal> {
        let Some(found) = self.contents.find_shown(key, now) else { return Ok(Applied::default()) };
        let expiry = self.ruled_anew(key, expiry, now)?;
        let record = self.contents.record(found.cell);
        let mut ending = Ending::of(&record).changed(expiry);
        if record.header.form() == Form::Lock {
            // There is nothing of a lock to be shown when it is over.
            ending.grace = Grace::NONE;
        }
        let (base, expiry, grace) = (record.header.version(), ending.logged(), ending.grace);
        let body = Body::Invalidate { db: key.db, key: key.bytes, base, expiry, grace };
        self.change_attributes(key, found, &Attributes { ending, is_stale: true }, &body, now)
    }

    /// Gives an entry other attributes, which `body` says to the log; a time that is over removes it.
    fn change_attributes(
        &mut self,
        key: Key<'_>,
        found: Found,
        attributes: &Attributes,
        body: &Body<'_>,
        now: Millis,
    ) -> Result<Applied, Refusal> {
        let Attributes { ending, is_stale } = *attributes;
        if ending.at <= now.0 && !self.contents.journal.is_replaying() {
            self.delete_found(key, found)?;
            return Ok(Applied { existed: true, version: 0 });
        }
        self.contents.journal.promise(key.bytes.len(), 0)?;
        let record = self.contents.record(found.cell);
        let (header, shape) = (record.header, record.header.shape());
        let has_expiry = shape.has_expiry || ending.at != NEVER;
        let target = Shape { has_expiry, ..shape }.with_grace(shape.has_grace || ending.grace != Grace::NONE);
        if target == shape {
            self.write_attributes(found, attributes, body, now);
        } else {
            let (encoding, client_flags) = (header.encoding(), record.client_flags());
            let (form, was_read) = (header.form(), header.was_read());
            let whole = Whole { key, form, shape: target, encoding, ending, client_flags, is_stale, was_read };
            if self.has_room(found.cell, target.cell_bytes()) {
                self.contents.preserve(found);
                let bytes = self.contents.slab.slice_mut(found.cell, target.cell_bytes());
                bytes.copy_within(shape.value_offset()..shape.cell_bytes(), target.value_offset());
                self.write_around(found, &whole, None, body, now);
            } else {
                // A few bytes: not worth refusing an expiry that will free the whole entry.
                let limit_bytes = self.options.memory_bytes_max;
                let cell =
                    self.contents.slab.allocate(target.cell_bytes()).ok_or(Refusal::OutOfMemory { limit_bytes })?;
                let source = (found.cell, shape.value_offset());
                self.contents.slab.copy(source, (cell, target.value_offset()), shape.value_bytes);
                self.write_new(cell, Some(found), &whole, body, now);
            }
        }
        Ok(Applied { existed: true, version: self.contents.journal.last.0 })
    }

    pub(super) fn flush(&mut self, db: Option<Db>) -> Result<Applied, Refusal> {
        self.contents.journal.promise(0, 0)?;
        self.contents.journal.note(&Body::Flush { db });
        let databases = &self.contents.databases;
        let is_emptied = |index: usize| db.is_none_or(|db| usize::from(db.0) == index);
        let lengths = || databases.in_use().map(|(_, physical)| physical.table.len()).enumerate();
        let existed = lengths().any(|(index, length)| is_emptied(index) && length > 0);
        let has_others = lengths().any(|(index, length)| !is_emptied(index) && length > 0);
        match db {
            Some(db) if has_others => {
                if existed {
                    self.flush_one(db);
                }
            }
            _ => {
                self.contents.give_up_walk();
                self.contents.prefixes.clear();
                self.contents.databases.clear();
                self.contents.slab.clear();
                self.contents.wheel.clear();
                self.contents.payload_bytes = 0;
                self.evictor.clear();
            }
        }
        Ok(Applied { existed, version: 0 })
    }

    pub(super) fn swap(&mut self, first: Db, second: Db) -> Result<Applied, Refusal> {
        self.contents.journal.promise(0, 0)?;
        self.contents.journal.note(&Body::Swap { first, second });
        self.contents.databases.swap(first, second);
        Ok(Applied { existed: true, version: 0 })
    }

    fn flush_one(&mut self, db: Db) {
        let databases = &self.contents.databases;
        self.contents.prefixes.forget(databases.id(db));
        let is_small = databases.table(db).slot_count() <= FLUSH_AT_ONCE_MAX;
        // More flushes than tables to spare: finish an older one, or the last few.
        while !self.contents.databases.retire(db) {
            assert!(self.contents.databases.next_retiring().is_some(), "a table that is not to spare is being emptied");
            self.contents.drain(FLUSH_AT_ONCE_MAX);
        }
        if is_small {
            self.contents.drain(2 * FLUSH_AT_ONCE_MAX);
        }
    }

    /// Takes a cell for `bytes`, making room if need be; what `replaced` holds will become free.
    #[inline]
    fn take_cell(&mut self, bytes: usize, replaced: Option<Found>, now: Millis) -> Result<Cell, Refusal> {
        let credit = replaced.map_or(0, |found| self.contents.slab.capacity(found.cell));
        self.make_room(bytes as u64, credit as u64, now)?;
        match self.contents.slab.allocate(bytes) {
            Some(cell) => Ok(cell),
            None => self.take_cell_by_force(bytes, now),
        }
    }

    /// Whether an entry that is to have `bytes` can stay in its cell, better cell or not.
    fn has_room(&mut self, cell: Cell, bytes: usize) -> bool {
        // Of an extent too long for `bytes` every page but the last is accounted for whole.
        self.contents.slab.fits(cell, bytes) || bytes <= self.contents.slab.capacity(cell)
    }

    /// Writes header, fields and key of an entry whose value is in its new `cell` already, and puts it in the
    /// place of `replaced`, if that is still there.
    #[inline]
    pub(super) fn write_new(
        &mut self,
        cell: Cell,
        replaced: Option<Found>,
        whole: &Whole<'_>,
        body: &Body<'_>,
        now: Millis,
    ) {
        let version = self.contents.journal.note(body);
        let id = self.contents.databases.id(whole.key.db);
        let hash = prefix(whole.key.hash);
        // Making room may have moved slots or evicted the entry.
        let again = replaced.and_then(|_| self.contents.find(whole.key));
        let access = if let Some(found) = again {
            let before = self.contents.header(found.cell).access();
            self.forget(found);
            self.contents.databases.replace(id, found.position, cell);
            let access = self.evictor.touched(before, now);
            self.evictor.moved(cell, access)
        } else {
            self.contents.databases.insert(id, hash, cell);
            self.evictor.inserted(cell, whole.key.hash, now)
        };
        let Whole { key, form, shape, encoding, ending, client_flags, is_stale, was_read } = *whole;
        let expiry = ending.at;
        let bytes = self.contents.slab.slice_mut(cell, shape.value_offset());
        Header::new(form, shape, encoding, id, version, access).with_stale(is_stale).with_read(was_read).write(bytes);
        entry::write_fields(bytes, shape, expiry, client_flags, ending.grace);
        bytes[shape.key_offset()..].copy_from_slice(key.bytes);
        self.contents.payload_bytes += (shape.key_bytes + shape.value_bytes) as u64;
        let bin = Bin::of(&self.contents.record(cell));
        self.contents.databases.sizes_mut(id).add(bin);
        if expiry != NEVER {
            self.contents.databases.note_expiry(id, NEVER, expiry);
            self.contents.wheel.arm(cell.unit(), expiry, now);
            self.contents.wheel.settle(&mut SlabCells(&mut self.contents.slab));
        }
    }

    /// Takes the entry out of everything but its slot, which is about to refer to another cell.
    fn forget(&mut self, found: Found) {
        self.contents.preserve(found);
        let record = self.contents.record(found.cell);
        let (expiry, payload) = (record.expiry_or_never(), record.payload_bytes() as u64);
        let bin = Bin::of(&record);
        self.contents.databases.sizes_mut(found.id).remove(bin);
        if expiry != NEVER {
            self.contents.wheel.disarm();
            self.contents.databases.note_expiry(found.id, expiry, NEVER);
        }
        self.contents.payload_bytes -= payload;
        self.contents.slab.free(found.cell);
    }

    /// Rewrites an entry in its cell; without `value` the value is in its place already
    /// and the entry was preserved before it was put there.
    #[inline]
    fn write_around(&mut self, found: Found, whole: &Whole<'_>, value: Option<&[u8]>, body: &Body<'_>, now: Millis) {
        if value.is_some() {
            self.contents.preserve(found);
        }
        let version = self.contents.journal.note(body);
        let record = self.contents.record(found.cell);
        let (header, before) = (record.header, record.expiry_or_never());
        let Whole { key, form, shape, encoding, ending, client_flags, is_stale, was_read } = *whole;
        let expiry = ending.at;
        if let Some(value) = value
            && !Bin::stays(header, form, encoding, shape.value_bytes)
        {
            let before = Bin::of(&record);
            self.contents.databases.note_size(found.id, before, Bin::of_value(form, encoding, value));
        }
        let late = self.rearm(found.cell, header, before, expiry, now);
        if before != expiry {
            self.contents.databases.note_expiry(found.id, before, expiry);
        }
        let access = self.evictor.touched(header.access(), now);
        let bytes = self.contents.slab.slice_mut(found.cell, shape.cell_bytes());
        entry::write_fields(bytes, shape, expiry, client_flags, ending.grace);
        if header.shape().key_offset() != shape.key_offset() {
            bytes[shape.key_offset()..shape.value_offset()].copy_from_slice(key.bytes);
        }
        if let Some(value) = value {
            bytes[shape.value_offset()..].copy_from_slice(value);
        }
        Header::new(form, shape, encoding, found.id, version, access)
            .with_stale(is_stale)
            .with_read(was_read)
            .with_late(late)
            .write(bytes);
        let payload = self.contents.payload_bytes - header.value_bytes() as u64;
        self.contents.payload_bytes = payload + shape.value_bytes as u64;
        if expiry != NEVER {
            self.contents.wheel.settle(&mut SlabCells(&mut self.contents.slab));
        }
    }

    /// Tells the wheel that the entry in `cell` expires at `expiry` and no longer at `before`; returns whether the entry
    /// has to note that its reference comes before its time.
    #[inline]
    fn rearm(&mut self, cell: Cell, header: Header, before: u64, expiry: u64, now: Millis) -> bool {
        let wheel = &mut self.contents.wheel;
        match (before, expiry) {
            (NEVER, NEVER) => false,
            (NEVER, _) => {
                wheel.arm(cell.unit(), expiry, now);
                false
            }
            (_, NEVER) => {
                wheel.disarm();
                false
            }
            _ => {
                let armed = Armed { expiry: before, late: header.late(), mark: header.mark() };
                wheel.rearm(cell.unit(), armed, expiry)
            }
        }
    }

    /// Changes the attributes of an entry that has all fields that these need.
    fn write_attributes(&mut self, found: Found, attributes: &Attributes, body: &Body<'_>, now: Millis) {
        let Attributes { ending, is_stale } = *attributes;
        let expiry = ending.at;
        self.contents.preserve(found);
        let version = self.contents.journal.note(body);
        let record = self.contents.record(found.cell);
        let (header, before) = (record.header, record.expiry_or_never());
        let late = self.rearm(found.cell, header, before, expiry, now);
        self.contents.databases.note_expiry(found.id, before, expiry);
        let shape = header.shape();
        let bytes = self.contents.slab.slice_mut(found.cell, shape.key_offset());
        header.with_version(version).with_stale(is_stale).with_late(late).with_mark(false).write(bytes);
        if shape.has_expiry {
            entry::set_expiry_field(bytes, expiry);
        }
        entry::set_grace_field(bytes, shape, ending.grace);
        if expiry != NEVER {
            self.contents.wheel.settle(&mut SlabCells(&mut self.contents.slab));
        }
    }
}

/// Writes `bytes` at `offset` of a value that held `length` bytes and has room for all of it.
fn splice_into(value: &mut [u8], length: usize, offset: usize, bytes: &[u8]) {
    if offset > length {
        value[length..offset].fill(0);
    }
    value[offset..][..bytes.len()].copy_from_slice(bytes);
}

fn check_lengths(key: Key<'_>, value_bytes: usize) -> Result<(), Refusal> {
    if key.bytes.len() > KEY_BYTES_MAX {
        return Err(Refusal::KeyTooLong { bytes: key.bytes.len() });
    }
    if value_bytes > VALUE_BYTES_MAX {
        return Err(Refusal::ValueTooLong { bytes: value_bytes });
    }
    Ok(())
}
