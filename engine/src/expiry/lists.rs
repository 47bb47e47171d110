//! Lists of 4-byte references in chunks of one cache line.
//!
//! The wheel keeps millions of references in thousands of buckets and only ever adds to and takes from the
//! end of a bucket. Chunks of fifteen references cost 4.27 bytes a reference and one partly filled line a
//! bucket; a list is two words.
//!
//! ```text
//! list   { head, fill } ──> chunk { next, reference x fill } ──> { next, reference x 15 } ──> ...
//! ```
//!
//! Chunks come from segments of 64 KiB, which go back to the system when their last chunk is free.
//!
//! Invariants:
//! - Every chunk of a list but the first is full; the first holds `fill` references, 1 to 15.
//! - A segment without memory has no chunk in use and stands in `open`.

/// References of a full chunk.
pub(super) const CHUNK_REFERENCES: u32 = 15;
/// Chunks of a segment.
const SEGMENT_CHUNKS: u32 = 1024;
/// Stands for no chunk.
const NONE: u32 = u32::MAX;

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Chunk {
    next: u32,
    references: [u32; CHUNK_REFERENCES as usize],
}

const _: () = assert!(size_of::<Chunk>() == 64);

/// A list of references.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct List {
    head: u32,
    fill: u32,
}

impl List {
    /// The list of nothing.
    pub(super) const EMPTY: List = List { head: NONE, fill: 0 };

    /// Whether nothing is in it.
    #[inline]
    pub(super) fn is_empty(self) -> bool {
        self.head == NONE
    }
}

/// Where a walk through a list has come to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor(List);

struct Segment {
    chunks: Option<Box<[Chunk]>>,
    free: u32,
    used: u32,
    is_open: bool,
}

/// The chunks of all lists.
#[derive(Default)]
pub(super) struct Chunks {
    segments: Vec<Segment>,
    /// Segments that have a free chunk, the one to take it from last.
    open: Vec<u32>,
    resident_count: usize,
}

impl Chunks {
    /// Adds a reference to the end of `list`.
    #[inline]
    pub(super) fn push(&mut self, list: &mut List, reference: u32) {
        if list.fill == CHUNK_REFERENCES || list.is_empty() {
            let head = self.take();
            self.chunk_mut(head).next = list.head;
            *list = List { head, fill: 0 };
        }
        self.chunk_mut(list.head).references[list.fill as usize] = reference;
        list.fill += 1;
    }

    /// Takes the reference at the end of `list`; when that empties a chunk, `next` is called with each
    /// reference of the chunk that comes to the front.
    #[inline]
    pub(super) fn pop(&mut self, list: &mut List, next: impl FnMut(u32)) -> Option<u32> {
        if list.is_empty() {
            return None;
        }
        list.fill -= 1;
        let chunk = self.chunk(list.head);
        let reference = chunk.references[list.fill as usize];
        if list.fill == 0 {
            let behind = chunk.next;
            self.give(list.head);
            *list = List { head: behind, fill: if behind == NONE { 0 } else { CHUNK_REFERENCES } };
            if behind != NONE {
                self.chunk(behind).references.iter().copied().for_each(next);
            }
        }
        Some(reference)
    }

    /// A walk through `list` that additions to the list do not disturb.
    pub(super) fn cursor(list: List) -> Cursor {
        Cursor(list)
    }

    /// Calls `each` with the references of the cursor's chunk and moves on; `None` at the end of the list.
    pub(super) fn walk(&self, cursor: Cursor, each: impl FnMut(u32)) -> Option<Cursor> {
        let List { head, fill } = cursor.0;
        if head == NONE {
            return None;
        }
        let chunk = self.chunk(head);
        chunk.references[..fill as usize].iter().copied().for_each(each);
        Some(Cursor(List { head: chunk.next, fill: CHUNK_REFERENCES }))
    }

    /// Some reference that is or was in a list, chosen by `random`.
    pub(super) fn sample(&self, random: u64) -> Option<u32> {
        let count = self.segments.len() as u64;
        if count == 0 {
            return None;
        }
        let place = crate::shard::scale(random, count * u64::from(SEGMENT_CHUNKS * CHUNK_REFERENCES));
        let (chunk, index) = (place / u64::from(CHUNK_REFERENCES), place % u64::from(CHUNK_REFERENCES));
        let segment = &self.segments[(chunk / u64::from(SEGMENT_CHUNKS)) as usize];
        let chunks = segment.chunks.as_ref()?;
        Some(chunks[(chunk % u64::from(SEGMENT_CHUNKS)) as usize].references[index as usize])
    }

    /// Bytes of all segments.
    pub(super) fn bytes(&self) -> usize {
        self.resident_count * SEGMENT_CHUNKS as usize * size_of::<Chunk>()
    }

    #[inline]
    fn chunk(&self, number: u32) -> &Chunk {
        let segment = &self.segments[(number / SEGMENT_CHUNKS) as usize];
        &segment.chunks.as_ref().expect("a chunk in use has memory")[(number % SEGMENT_CHUNKS) as usize]
    }

    #[inline]
    fn chunk_mut(&mut self, number: u32) -> &mut Chunk {
        let segment = &mut self.segments[(number / SEGMENT_CHUNKS) as usize];
        &mut segment.chunks.as_mut().expect("a chunk in use has memory")[(number % SEGMENT_CHUNKS) as usize]
    }

    fn take(&mut self) -> u32 {
        let id = match self.open.last() {
            Some(id) => *id,
            None => self.add_segment(),
        };
        let segment = &mut self.segments[id as usize];
        if segment.chunks.is_none() {
            segment.fill();
            self.resident_count += 1;
        }
        let chunks = segment.chunks.as_ref().expect("filled above");
        let index = segment.free;
        segment.free = chunks[index as usize].next;
        segment.used += 1;
        if segment.free == NONE {
            segment.is_open = false;
            self.open.pop();
        }
        id * SEGMENT_CHUNKS + index
    }

    fn give(&mut self, number: u32) {
        let (id, index) = (number / SEGMENT_CHUNKS, number % SEGMENT_CHUNKS);
        let segment = &mut self.segments[id as usize];
        let chunks = segment.chunks.as_mut().expect("a chunk in use has memory");
        chunks[index as usize].next = segment.free;
        segment.free = index;
        segment.used -= 1;
        if segment.used == 0 {
            segment.chunks = None;
            self.resident_count -= 1;
        }
        if !segment.is_open {
            segment.is_open = true;
            self.open.push(id);
        }
    }

    fn add_segment(&mut self) -> u32 {
        let id = self.segments.len() as u32;
        assert!(id < u32::MAX / SEGMENT_CHUNKS, "chunk numbers fit in 32 bits");
        self.segments.push(Segment { chunks: None, free: NONE, used: 0, is_open: true });
        self.open.push(id);
        id
    }
}

impl Segment {
    /// Gives an empty segment memory and links all its chunks as free.
    fn fill(&mut self) {
        let mut chunks =
            vec![Chunk { next: NONE, references: [0; CHUNK_REFERENCES as usize] }; SEGMENT_CHUNKS as usize]
                .into_boxed_slice();
        for (index, chunk) in (1..SEGMENT_CHUNKS).zip(&mut chunks) {
            chunk.next = index;
        }
        self.chunks = Some(chunks);
        self.free = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_gives_back_what_was_pushed_last_first() {
        let mut chunks = Chunks::default();
        let mut list = List::EMPTY;
        let count = 3 * SEGMENT_CHUNKS * CHUNK_REFERENCES + 7;
        (1..=count).for_each(|reference| chunks.push(&mut list, reference));
        assert_eq!(chunks.bytes(), 4 * 64 * 1024);
        let mut walked = 0;
        let mut cursor = Some(Chunks::cursor(list));
        while let Some(at) = cursor {
            cursor = chunks.walk(at, |_| walked += 1);
        }
        assert_eq!(walked, count);
        for expected in (1..=count).rev() {
            assert_eq!(chunks.pop(&mut list, |_| {}), Some(expected));
        }
        assert_eq!(chunks.pop(&mut list, |_| {}), None);
        assert!(list.is_empty());
        assert_eq!(chunks.bytes(), 0);
    }

    #[test]
    fn segments_are_used_again() {
        let mut chunks = Chunks::default();
        let (mut one, mut two) = (List::EMPTY, List::EMPTY);
        for _ in 0..3 {
            for reference in 1..=40_000 {
                chunks.push(&mut one, reference);
                chunks.push(&mut two, reference);
            }
            let full = chunks.bytes();
            while chunks.pop(&mut one, |_| {}).is_some() {}
            assert!(chunks.bytes() <= full);
            while chunks.pop(&mut two, |_| {}).is_some() {}
            assert_eq!(chunks.bytes(), 0);
        }
        assert!(chunks.segments.len() <= 7);
    }
}
