//! Files in memory: log segments mapped for writing, and whole files mapped for reading.
//!
//! Invariants:
//! - A mapped segment has one writer: the log that holds its [`SegmentMemory`]. Others only advise the kernel about
//!   it, which changes no byte.
//! - The files of a data directory belong to the process that holds its lock, so nobody cuts a mapped file short.
#![expect(unsafe_code, reason = "the bytes of a mapped file are reached through a pointer")]

use std::fs::File;
use std::io;
use std::sync::Arc;

use locksley_engine::disk::SegmentMemory;
use memmap2::{Advice, Mmap, MmapOptions, MmapRaw};

/// Most bytes that are made writable by one call: it holds the lock of the whole address space, which a data thread may
/// want to grow its memory.
const POPULATED_BYTES_MAX: usize = 256 * 1024;

/// A log segment mapped for writing, as the kernel may be advised about it from any thread.
#[derive(Debug)]
pub(super) struct Mapping(MmapRaw);

impl Mapping {
    /// Maps all of `file`, which is `bytes` long.
    ///
    /// # Errors
    /// The kernel's.
    pub(super) fn new(file: &File, bytes: usize) -> io::Result<Mapping> {
        MmapOptions::new().len(bytes).map_raw(file).map(Mapping)
    }

    /// Has the kernel make `bytes` from `offset` on writable without a page fault, as far as they lie within.
    ///
    /// # Errors
    /// The kernel's; the rest is left as it is.
    pub(super) fn populate(&self, offset: usize, bytes: usize) -> io::Result<()> {
        let end = (offset + bytes).min(self.0.len());
        let mut from = offset;
        while from < end {
            let piece_bytes = (end - from).min(POPULATED_BYTES_MAX);
            self.0.advise_range(Advice::PopulateWrite, from, piece_bytes)?;
            from += piece_bytes;
        }
        Ok(())
    }
}

/// The one writer of a [`Mapping`].
#[derive(Debug)]
pub(super) struct Writer(Arc<Mapping>);

impl Writer {
    /// The writer of a mapping that nobody has had yet, and the mapping for advice.
    pub(super) fn new(mapping: Mapping) -> (Writer, Arc<Mapping>) {
        let mapping = Arc::new(mapping);
        (Writer(Arc::clone(&mapping)), mapping)
    }
}

impl SegmentMemory for Writer {
    fn bytes_mut(&mut self) -> &mut [u8] {
        let raw = &self.0.0;
        // SAFETY: the mapping is as long as it says and lives as long as `self`; there is one `Writer` of it, made in
        // `Writer::new` and borrowed here exclusively, and whoever else has the mapping reads and writes no byte of it.
        unsafe { std::slice::from_raw_parts_mut(raw.as_mut_ptr(), raw.len()) }
    }
}

/// A whole file to be read from its beginning to its end.
#[derive(Debug)]
pub(crate) enum View {
    /// An empty file, which cannot be mapped.
    Empty,
    /// Its mapping.
    Mapped(Mmap),
}

impl View {
    /// Maps `file`, which is `bytes` long.
    ///
    /// # Errors
    /// The kernel's.
    pub(super) fn new(file: &File, bytes: u64) -> io::Result<View> {
        if bytes == 0 {
            return Ok(View::Empty);
        }
        // SAFETY: the directory's lock is held, so no other server cuts the file or writes to it; this process does so
        // only once all views of the file are gone.
        let map = unsafe { Mmap::map(file)? };
        // Advice only: reading works without.
        let _ = map.advise(Advice::Sequential);
        let _ = map.advise(Advice::WillNeed);
        Ok(View::Mapped(map))
    }
}

impl AsRef<[u8]> for View {
    fn as_ref(&self) -> &[u8] {
        match self {
            View::Empty => &[],
            View::Mapped(map) => map,
        }
    }
}
