//! The last parts that each shard wrote of surveys, which stand for it while it does not answer.
//!
//! The shard itself keeps them here when it writes them. So what is shown of a silent shard is never older than what
//! anybody was shown of it before, by whichever thread, and no counter goes backwards.

use std::sync::{Mutex, PoisonError};

use crate::command::row::Memory;

/// Kinds of parts that are remembered.
const KIND_COUNT: usize = 2;

/// The parts of all shards.
#[derive(Debug)]
pub(crate) struct Remembered {
    shards: Box<[[Mutex<Vec<u8>>; KIND_COUNT]]>,
}

impl Remembered {
    /// Nothing of any of `shard_count` shards.
    pub(crate) fn new(shard_count: u16) -> Remembered {
        Remembered { shards: (0..shard_count).map(|_| Default::default()).collect() }
    }

    /// Keeps a part that `shard` wrote in place of the one before, if parts of this kind are kept.
    pub(crate) fn keep(&self, shard: u16, memory: Memory, part: &[u8]) {
        if let Some(place) = self.place(shard, memory) {
            let mut kept = place.lock().unwrap_or_else(PoisonError::into_inner);
            kept.clear();
            kept.extend_from_slice(part);
        }
    }

    /// The last part of this kind that `shard` wrote, if there was one.
    pub(crate) fn last(&self, shard: u16, memory: Memory) -> Option<Vec<u8>> {
        let kept = self.place(shard, memory)?.lock().unwrap_or_else(PoisonError::into_inner);
        (!kept.is_empty()).then(|| kept.clone())
    }

    fn place(&self, shard: u16, memory: Memory) -> Option<&Mutex<Vec<u8>>> {
        let kind = match memory {
            Memory::None => return None,
            Memory::Report => 0,
            Memory::State => 1,
        };
        Some(&self.shards[usize::from(shard)][kind])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_part_of_each_kind_is_kept() {
        let remembered = Remembered::new(2);
        assert_eq!(remembered.last(1, Memory::Report), None);
        remembered.keep(1, Memory::Report, b"first");
        remembered.keep(1, Memory::Report, b"last");
        remembered.keep(1, Memory::None, b"nobody asks for this");
        remembered.keep(0, Memory::State, b"state");
        assert_eq!(remembered.last(1, Memory::Report), Some(b"last".to_vec()));
        assert_eq!([remembered.last(1, Memory::State), remembered.last(1, Memory::None)], [None, None]);
    }
}
