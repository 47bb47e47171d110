//! Reads a snapshot file: every block checked whole before an item of it is believed.
//!
//! The reader is given all bytes of a file, mapped or not, and trusts none of them. It stops at the first part that
//! is not intact, not of this file or not the one that belongs there, and says where. For repair it can go on behind
//! that ([`SnapshotReader::skip_damage`]): the next intact block of this file with a higher number is looked for at
//! every multiple of 4 KiB.
//!
//! # Invariants
//! - An item is returned once at most, and only from a block whose checksum is right.
//! - After a fault [`SnapshotReader::next`] repeats it, until damage is skipped.

use crate::disk::OUTPUT_BLOCK_BYTES;
use crate::snapshot::block::{FileHeader, Footer, PAGE_BYTES, Part, read_part};
use crate::snapshot::fault::SnapshotFault;
use crate::snapshot::item::{self, Item, Rules};

/// The block whose items are being read, for people who look into a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockPlace {
    /// Where it begins, in bytes from the file's beginning.
    pub offset: u64,
    /// Its length there.
    pub bytes: u64,
    /// Which block of the file.
    pub number: u64,
    /// Items in it.
    pub item_count: u32,
}

/// A place between two blocks, to go on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bookmark {
    offset: usize,
    number: u64,
    item_count: u64,
    has_skipped: bool,
}

impl Bookmark {
    /// Where it is, in bytes from the file's beginning.
    pub fn offset(&self) -> u64 {
        self.offset as u64
    }
}

/// Reads the items of one file in order.
pub struct SnapshotReader<'a> {
    file: &'a [u8],
    header: FileHeader,
    seed: u32,
    /// What items of its version may have.
    rules: Rules,
    /// Where the next part begins.
    offset: usize,
    /// The number that it has.
    number: u64,
    /// Items of intact blocks so far.
    item_count: u64,
    /// What is left of the block being read.
    payload: &'a [u8],
    items_left: u32,
    block: Option<BlockPlace>,
    footer: Option<Footer>,
    fault: Option<SnapshotFault>,
    has_skipped: bool,
}

impl<'a> SnapshotReader<'a> {
    /// A reader of `file`.
    ///
    /// # Errors
    /// When the head is no head.
    pub fn new(file: &'a [u8]) -> Result<SnapshotReader<'a>, SnapshotFault> {
        let header = FileHeader::read(file)?;
        Ok(SnapshotReader {
            file,
            header,
            seed: header.seed(),
            rules: Rules::of(header.version),
            offset: PAGE_BYTES,
            number: 0,
            item_count: 0,
            payload: &[],
            items_left: 0,
            block: None,
            footer: None,
            fault: None,
            has_skipped: false,
        })
    }

    /// A reader that goes on in `file` where another stood.
    ///
    /// # Errors
    /// When the head is no head.
    pub fn resume(file: &'a [u8], bookmark: Bookmark) -> Result<SnapshotReader<'a>, SnapshotFault> {
        let Bookmark { offset, number, item_count, has_skipped } = bookmark;
        Ok(SnapshotReader { offset, number, item_count, has_skipped, ..SnapshotReader::new(file)? })
    }

    /// Where reading stands, if that is between two blocks.
    pub fn bookmark(&self) -> Option<Bookmark> {
        let Self { offset, number, item_count, has_skipped, .. } = *self;
        let is_between = self.items_left == 0 && self.fault.is_none() && self.footer.is_none();
        is_between.then_some(Bookmark { offset, number, item_count, has_skipped })
    }

    /// What the head says.
    pub fn header(&self) -> FileHeader {
        self.header
    }

    /// The next item; `None` behind the foot.
    ///
    /// # Errors
    /// When the next block is damaged; [`SnapshotReader::skip_damage`] goes on behind it.
    #[inline]
    #[expect(clippy::should_implement_trait, reason = "a reader that met a fault can go on")]
    pub fn next(&mut self) -> Result<Option<Item<'a>>, SnapshotFault> {
        while self.items_left == 0 {
            if let Some(fault) = self.fault {
                return Err(fault);
            }
            if self.footer.is_some() {
                return Ok(None);
            }
            if let Err(fault) = self.read_part() {
                self.fault = Some(fault);
            }
        }
        let found = item::read(self.payload, self.header.lsn, self.rules);
        let Some((item, rest)) = found else { return Err(self.item_fault()) };
        self.items_left -= 1;
        self.payload = rest;
        if self.items_left == 0 && !rest.is_empty() {
            // The items up to here are what the checksum vouches for; what follows them is not.
            self.item_fault();
        }
        Ok(Some(item))
    }

    /// Goes on at the next intact block behind a damaged one, for repair; `false` if there is none.
    pub fn skip_damage(&mut self) -> bool {
        let Some(fault) = self.fault else { return true };
        self.has_skipped = true;
        if matches!(fault, SnapshotFault::Item { .. }) {
            // The rest of the block is left out; the next begins where it should.
            self.fault = None;
            return true;
        }
        let mut offset = self.offset;
        while offset < self.file.len() {
            // Nothing may be found that reading would stop at again.
            let found = match read_part(&self.file[offset..], self.seed) {
                Some((Part::Block { number, item_count, .. }, _)) if item_count > 0 => Some(number),
                Some((Part::Foot(footer), length)) if footer.item_count >= self.item_count => {
                    (offset + length == self.file.len()).then_some(footer.block_count)
                }
                _ => None,
            };
            if let Some(number) = found.filter(|number| *number >= self.number && self.footer.is_none()) {
                (self.offset, self.number, self.fault) = (offset, number, None);
                return true;
            }
            offset += OUTPUT_BLOCK_BYTES;
        }
        false
    }

    /// Where reading stands, in bytes from the file's beginning: the end of the block being read.
    pub fn offset(&self) -> u64 {
        self.offset as u64
    }

    /// The block of the item returned last.
    pub fn block(&self) -> Option<BlockPlace> {
        self.block
    }

    /// What the foot said, once it was read.
    pub fn footer(&self) -> Option<Footer> {
        self.footer
    }

    /// Reads the next block or the foot.
    fn read_part(&mut self) -> Result<(), SnapshotFault> {
        let offset = self.offset as u64;
        let rest = &self.file[self.offset..];
        if rest.is_empty() {
            return Err(SnapshotFault::Foot { offset });
        }
        let damage = SnapshotFault::Block { offset };
        let (part, length) = read_part(rest, self.seed).ok_or(damage)?;
        match part {
            Part::Block { number, item_count, payload } => {
                if number != self.number || item_count == 0 {
                    return Err(damage);
                }
                self.block = Some(BlockPlace { offset, bytes: length as u64, number, item_count });
                self.number += 1;
                self.item_count += u64::from(item_count);
                (self.payload, self.items_left) = (payload, item_count);
                self.offset += length;
            }
            Part::Foot(footer) => {
                let is_right = footer.block_count == self.number && footer.item_count == self.item_count;
                // What was skipped is missing from the count, and can be no more than that.
                let is_possible = footer.block_count >= self.number && footer.item_count >= self.item_count;
                if !(is_right || self.has_skipped && is_possible) {
                    return Err(SnapshotFault::Foot { offset });
                }
                if rest.len() != length {
                    return Err(SnapshotFault::Foot { offset: offset + length as u64 });
                }
                self.footer = Some(footer);
                self.offset += length;
            }
        }
        Ok(())
    }

    /// Gives up the block being read.
    #[cold]
    fn item_fault(&mut self) -> SnapshotFault {
        let offset = self.block.map_or(0, |block| block.offset);
        let fault = SnapshotFault::Item { offset };
        (self.items_left, self.payload, self.fault) = (0, &[], Some(fault));
        fault
    }
}
