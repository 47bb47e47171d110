//! A walk through a whole shard that asserts every invariant: for tests and for an operator in doubt.

use std::collections::HashSet;

use super::Shard;
use super::contents::prefix;
use crate::cell::Cell;
use crate::entry::{Form, Grace, INTEGER_BYTES, VERSION_MAX};
use crate::evict::Store;
use crate::expiry::Armed;
use crate::limits::{KEY_BYTES_MAX, VALUE_BYTES_MAX};
use crate::sizes::{Bin, Sizes};
use crate::{Encoding, integer};

/// Sums over entries, to be compared with what the shard keeps.
#[derive(Default)]
struct Sums {
    entry_count: u64,
    payload_bytes: u64,
    armed_count: usize,
}

impl Shard {
    /// Walks the whole shard and asserts every invariant.
    ///
    /// # Panics
    /// When one does not hold.
    pub fn check(&self) {
        let contents = &self.contents;
        contents.slab.check();
        contents.databases.check();
        for (id, _) in contents.prefixes.iter() {
            assert!(
                contents.databases.logical(id).is_some(),
                "table {id}, whose prefixes are deleted, is a database's"
            );
        }
        let references = contents.wheel.references();
        let mut seen = HashSet::new();
        let mut sums = Sums::default();
        for id in 0..2 * self.options.database_count {
            let physical = contents.databases.physical(id);
            physical.table.check(|cell| prefix(contents.hash_of(contents.record(cell).key())));
            let (mut expiring_count, mut expiry_sum, mut length, mut sizes) = (0, 0, 0, Sizes::EMPTY);
            let mut from = Some(0);
            while let Some(hash) = from {
                from = physical.table.walk(hash, 1024, |_, cell| {
                    assert!(seen.insert(cell), "{cell:?} is reached once");
                    self.check_entry(id, cell, &mut sums);
                    length += 1;
                    let record = contents.record(cell);
                    sizes.add(Bin::of(&record));
                    if let Some(expiry) = record.expiry() {
                        expiring_count += 1;
                        expiry_sum += u128::from(expiry.0);
                        let armed = Armed { expiry: expiry.0, late: record.header.late(), mark: record.header.mark() };
                        contents.wheel.check_armed(cell.unit(), armed, &references);
                        sums.armed_count += 1;
                    }
                });
            }
            assert_eq!(length, physical.table.len(), "table {id} knows its length");
            assert_eq!(
                (expiring_count, expiry_sum),
                (physical.expiring_count, physical.expiry_sum),
                "expiries of table {id}"
            );
            assert_eq!((&sizes, sizes.total()), (&physical.sizes, length as u64), "sizes of table {id}");
            if !contents.databases.is_retiring(id) {
                sums.entry_count += length as u64;
            }
        }
        assert_eq!(seen.len(), self.live_cells(), "every live cell is an entry");
        assert_eq!(sums.entry_count, contents.entry_count());
        assert_eq!(sums.payload_bytes, contents.payload_bytes, "payload");
        assert_eq!(sums.armed_count, contents.wheel.armed_count(), "entries that expire");
    }

    fn check_entry(&self, id: u8, cell: Cell, sums: &mut Sums) {
        let contents = &self.contents;
        assert_eq!(contents.slab.is_live(cell.unit()), Some(cell), "a slot refers to a live cell");
        let record = contents.record(cell);
        let (header, shape) = (record.header, record.header.shape());
        assert!(header.is_entry(), "{cell:?} holds an entry");
        let (form, grace) = (header.form(), record.grace());
        assert_eq!(header.table(), id, "an entry knows its table");
        contents.prefixes.check(id, header.version(), record.key(), prefix(contents.hash_of(record.key())));
        assert!(shape.key_bytes <= KEY_BYTES_MAX && shape.value_bytes <= VALUE_BYTES_MAX);
        assert!(shape.cell_bytes() <= contents.slab.capacity(cell), "an entry fits its cell");
        assert!((1..=VERSION_MAX).contains(&header.version()) && header.version() <= self.contents.journal.last.0);
        assert!(record.expiry().is_some() || grace == Grace::NONE, "what does not expire has no grace");
        match header.encoding() {
            _ if form == Form::Absent => {
                assert_eq!((shape.value_bytes, shape.has_grace, grace), (0, true, Grace::NONE), "nothing has no value");
                assert!(record.expiry().is_some(), "that there is nothing ends");
            }
            encoding if form == Form::Lock => {
                assert_eq!((encoding, shape.value_bytes), (Encoding::Integer, INTEGER_BYTES), "a lock is its token");
            }
            Encoding::Integer => assert_eq!(shape.value_bytes, INTEGER_BYTES),
            Encoding::Bytes => assert_eq!(integer::canonical(record.value_bytes()), None, "an integer is kept as one"),
            Encoding::Spliced => {}
        }
        sums.payload_bytes += record.payload_bytes() as u64;
    }

    fn live_cells(&self) -> usize {
        let slab = &self.contents.slab;
        let mut count = 0;
        for page in 0..slab.page_count() {
            let mut offset = 0;
            while let Some(cell) = slab.next_live(page, offset) {
                count += 1;
                offset = cell.unit() % PAGE_UNITS + 1;
                if offset == PAGE_UNITS {
                    break;
                }
            }
        }
        count
    }
}

const PAGE_UNITS: u32 = (crate::slab::PAGE_BYTES / crate::UNIT_BYTES) as u32;
