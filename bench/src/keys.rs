//! The keys: which one comes next, and how it is spelled.
//!
//! A key is `key:`, its index in digits, and `x` up to the length asked for. Ranks of a distribution are
//! scattered over the indices, so that the most frequent keys are no neighbours in the server's memory, where
//! loading in order would have put them.

use std::sync::atomic::{AtomicU64, Ordering};

use locksley_wire::slot::{SLOT_COUNT, slot};

use crate::{
    distribution::{Distribution, Zipf},
    random::Random,
};

/// What every key begins with, when it is long enough.
const PREFIX: &[u8] = b"key:";

/// A prime that spreads ranks over the indices.
const SCATTER_FACTOR: u64 = 2_654_435_761;

/// The shape of all keys of a run.
#[derive(Clone, Debug)]
pub(crate) struct KeyShape {
    /// How many keys there are.
    pub(crate) count: u64,
    template: Vec<u8>,
    digits_start: usize,
    digits_end: usize,
}

impl KeyShape {
    /// The shape of `count` keys of `bytes` bytes each.
    pub(crate) fn new(count: u64, bytes: usize) -> Result<Self, String> {
        if count == 0 || count > u64::from(u32::MAX) {
            return Err(format!("--keys {count} is not between 1 and {}", u32::MAX));
        }
        let digits = (count - 1).to_string().len();
        if bytes < digits {
            return Err(format!(
                "--key-size {bytes} has no room for the {digits} digits that tell --keys {count} apart"
            ));
        }
        let digits_start = if bytes >= digits + PREFIX.len() { PREFIX.len() } else { 0 };
        // Short keys are all digits, so that they look the same for every count that fits.
        let digits_end = (digits_start + digits.max(12)).min(bytes);
        let mut template = vec![b'x'; bytes];
        template[..digits_start].copy_from_slice(&PREFIX[..digits_start]);
        template[digits_start..digits_end].fill(b'0');
        Ok(Self { count, template, digits_start, digits_end })
    }

    /// A buffer to spell keys in.
    pub(crate) fn buffer(&self) -> Vec<u8> {
        self.template.clone()
    }

    /// Spells the key of `index` in a buffer of [`Self::buffer`].
    #[inline]
    pub(crate) fn spell(&self, index: u64, buffer: &mut [u8]) {
        let mut rest = index;
        for byte in buffer[self.digits_start..self.digits_end].iter_mut().rev() {
            *byte = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
    }

    /// The index of the key that has a given frequency rank.
    #[inline]
    fn scatter(&self, rank: u64) -> u64 {
        // The factor is a prime above every count but its own multiples, so that no two ranks meet.
        if self.count == SCATTER_FACTOR { rank } else { rank * (SCATTER_FACTOR % self.count.max(2)) % self.count }
    }
}

/// Which node of a cluster owns each slot.
#[derive(Clone, Debug)]
pub(crate) struct SlotOwners {
    owners: Vec<u16>,
}

impl SlotOwners {
    /// A map from slot to the index of its node.
    pub(crate) fn new(owners: Vec<u16>) -> Self {
        assert_eq!(owners.len(), usize::from(SLOT_COUNT));
        Self { owners }
    }

    /// The node that owns `key`.
    #[inline]
    pub(crate) fn owner(&self, key: &[u8]) -> u16 {
        self.owners[usize::from(slot(key).0)]
    }
}

/// Where every node is in the list of all keys, shared by all threads.
#[derive(Debug)]
pub(crate) struct Cursors {
    next: Vec<AtomicU64>,
}

impl Cursors {
    /// Cursors at the first key, for so many nodes.
    pub(crate) fn new(node_count: usize) -> Self {
        Self { next: (0..node_count).map(|_| AtomicU64::new(0)).collect() }
    }

    /// Takes the next index for a node; it counts on without end.
    #[inline]
    fn take(&self, node: usize) -> u64 {
        self.next[node].fetch_add(1, Ordering::Relaxed)
    }
}

/// The order in which keys come.
#[derive(Clone, Debug)]
pub(crate) enum Order {
    /// By chance, all alike.
    Uniform,
    /// By chance, by rank.
    Zipf(Zipf),
    /// In order, over and over.
    Cycle,
    /// In order, once.
    Once,
}

impl Order {
    /// The order that a distribution asks for.
    pub(crate) fn of(distribution: Distribution, key_count: u64) -> Self {
        match distribution {
            Distribution::Uniform => Self::Uniform,
            Distribution::Zipf(exponent) => Self::Zipf(Zipf::new(key_count, exponent)),
            Distribution::Sequential => Self::Cycle,
        }
    }
}

/// Draws keys for connections and spells them.
#[derive(Debug)]
pub(crate) struct KeySource<'a> {
    shape: &'a KeyShape,
    order: &'a Order,
    owners: Option<&'a SlotOwners>,
    cursors: &'a Cursors,
    buffer: Vec<u8>,
}

impl<'a> KeySource<'a> {
    /// A source; with `owners`, each key goes to a connection of its node.
    pub(crate) fn new(
        shape: &'a KeyShape,
        order: &'a Order,
        owners: Option<&'a SlotOwners>,
        cursors: &'a Cursors,
    ) -> Self {
        Self { shape, order, owners, cursors, buffer: shape.buffer() }
    }

    /// Draws the next key for a connection to `node` and gives its index; `None` when all have come.
    ///
    /// A key of another node is drawn again: within a node the distribution holds exactly, and between nodes
    /// each gets as many requests as it answers.
    #[inline]
    pub(crate) fn draw(&mut self, node: u16, random: &mut Random) -> Option<u64> {
        loop {
            let index = match self.order {
                Order::Uniform => random.below(self.shape.count),
                Order::Zipf(zipf) => self.shape.scatter(zipf.draw(random)),
                Order::Cycle => self.cursors.take(usize::from(node)) % self.shape.count,
                Order::Once => {
                    let index = self.cursors.take(usize::from(node));
                    if index >= self.shape.count {
                        return None;
                    }
                    index
                }
            };
            self.shape.spell(index, &mut self.buffer);
            if self.owners.is_none_or(|owners| owners.owner(&self.buffer) == node) {
                return Some(index);
            }
        }
    }

    /// The key that was drawn last.
    #[inline]
    pub(crate) fn key(&self) -> &[u8] {
        &self.buffer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(shape: &KeyShape, index: u64) -> String {
        let mut buffer = shape.buffer();
        shape.spell(index, &mut buffer);
        String::from_utf8(buffer).expect("ASCII")
    }

    #[test]
    fn keys_have_the_length_asked_for() {
        let shape = |bytes| KeyShape::new(1_000, bytes).expect("room");
        assert_eq!(spelled(&shape(3), 42), "042");
        assert_eq!(spelled(&shape(7), 42), "key:042");
        assert_eq!(spelled(&shape(16), 42), "key:000000000042");
        assert_eq!(spelled(&shape(20), 999), "key:000000000999xxxx");
        assert!(KeyShape::new(1_001, 3).is_err());
        assert!(KeyShape::new(0, 16).is_err());
    }

    #[test]
    fn ranks_are_scattered_without_meeting() {
        for count in [1u64, 2, 3, 10, 1_000, 65_536, 99_991] {
            let shape = KeyShape::new(count, 16).expect("room");
            let mut seen = vec![false; count as usize];
            for rank in 0..count {
                let index = shape.scatter(rank) as usize;
                assert!(!std::mem::replace(&mut seen[index], true), "{count}: {rank}");
            }
        }
    }

    #[test]
    fn every_key_comes_once_to_its_node() {
        let shape = KeyShape::new(500, 16).expect("room");
        let owners = SlotOwners::new((0..SLOT_COUNT).map(|slot| slot % 3).collect());
        let cursors = Cursors::new(3);
        let mut source = KeySource::new(&shape, &Order::Once, Some(&owners), &cursors);
        let mut random = Random::new(1);
        let mut seen = vec![0; 500];
        for node in 0..3 {
            while let Some(index) = source.draw(node, &mut random) {
                assert_eq!(owners.owner(source.key()), node);
                seen[index as usize] += 1;
            }
        }
        assert!(seen.iter().all(|&count| count == 1));
    }
}
