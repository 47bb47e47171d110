//! The table of all commands and the look-up of a name in it.
//!
//! A name of up to 16 bytes is folded to lower case in one `u128` and found by one multiplication in an
//! open-addressed table built at start-up: dispatch happens for every request.

use std::sync::OnceLock;

use super::row::{Command, Run};
use super::{bits, cache, cluster, connection, keys, memcached, rest, server, strings};

/// Every group's list; a new group is one line here, a new command one line in its group's list.
static GROUPS: &[&[&Command]] = &[
    bits::COMMANDS,
    cache::COMMANDS,
    cluster::COMMANDS,
    connection::COMMANDS,
    keys::COMMANDS,
    server::COMMANDS,
    strings::COMMANDS,
];

/// The commands of the other doors, which no name of RESP finds.
static DOORS: [(&str, &[&Command]); 2] = [("memcached", memcached::COMMANDS), ("rest", rest::COMMANDS)];

/// Slots of the name table: a power of two, sparse.
const SLOT_COUNT: usize = 1024;

/// A command with its place among all commands and subcommands.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    /// The row.
    pub row: &'static Command,
    /// The container's row, for a subcommand.
    pub container: Option<&'static Command>,
    label: &'static str,
    index: u16,
    is_quick: bool,
}

impl Entry {
    /// Its place among all commands and subcommands: the index of its counters.
    #[inline]
    pub(crate) fn index(self) -> usize {
        usize::from(self.index)
    }

    /// `get`, or `client|list` for a subcommand and `memcached|get` at another door, of one `&'static str` for all time.
    #[inline]
    pub(crate) fn label(self) -> &'static str {
        self.label
    }

    /// Whether it takes the same short time whenever it runs, but for long values.
    #[inline]
    pub(crate) fn is_quick(self) -> bool {
        self.is_quick
    }

    /// `get`, or `client|list` for a subcommand.
    pub(crate) fn full_name(self) -> String {
        self.label.to_owned()
    }
}

/// The commands of this server.
pub(crate) struct Table {
    entries: Vec<Entry>,
    names: Vec<u128>,
    slots: Vec<u16>,
    /// Where the commands of each other door begin.
    doors: [usize; DOORS.len()],
}

/// What a request's name stands for.
pub(crate) enum Lookup {
    /// A command, or a container's subcommand.
    Found(Entry),
    /// Nothing.
    Unknown,
    /// A container without its subcommand, or with one it does not have.
    UnknownSubcommand(&'static Command),
}

/// The table, built at the first call.
pub(crate) fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(Table::build)
}

impl Table {
    fn build() -> Table {
        let mut table = Table {
            entries: Vec::new(),
            names: Vec::new(),
            slots: vec![u16::MAX; SLOT_COUNT],
            doors: [0; DOORS.len()],
        };
        for row in GROUPS.iter().copied().flatten().copied() {
            table.push(row, None);
        }
        for index in 0..table.entries.len() {
            let Entry { row, .. } = table.entries[index];
            let name = fold(row.name.as_bytes()).expect("a command's name has at most 16 bytes");
            let mut slot = slot_of(name);
            while table.slots[slot] != u16::MAX {
                slot = (slot + 1) % SLOT_COUNT;
            }
            table.slots[slot] = index as u16;
            table.names.push(name);
        }
        for index in 0..table.entries.len() {
            let row = table.entries[index].row;
            if let Run::Container(subcommands) = row.run {
                for subcommand in subcommands {
                    table.push(subcommand, Some(row));
                }
            }
        }
        for (door, (name, rows)) in DOORS.iter().enumerate() {
            table.doors[door] = table.entries.len();
            for row in rows.iter().copied() {
                table.add(row, None, String::leak(format!("{name}|{}", row.name)));
            }
        }
        table
    }

    fn push(&mut self, row: &'static Command, container: Option<&'static Command>) {
        let label = match container {
            Some(container) if !row.name.is_empty() => String::leak(format!("{}|{}", container.name, row.name)),
            Some(container) => container.name,
            None => row.name,
        };
        self.add(row, container, label);
    }

    fn add(&mut self, row: &'static Command, container: Option<&'static Command>, label: &'static str) {
        let is_quick = matches!(row.run, Run::Owner(_) | Run::Park { .. }) && row.complexity == "O(1)";
        self.entries.push(Entry { row, container, label, index: self.entries.len() as u16, is_quick });
    }

    /// Every command, every subcommand, and the commands of the other doors.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Every command and subcommand that RESP knows.
    pub(crate) fn resp_entries(&self) -> &[Entry] {
        &self.entries[..self.doors[0]]
    }

    /// A command of the memcached door.
    #[inline]
    pub(crate) fn memcached(&self, verb: memcached::Verb) -> Entry {
        self.entries[self.doors[0] + verb as usize]
    }

    /// An operation of the HTTP door.
    #[inline]
    pub(crate) fn rest(&self, verb: rest::Verb) -> Entry {
        self.entries[self.doors[1] + verb as usize]
    }

    /// The commands without the subcommands.
    pub(crate) fn commands(&self) -> &[Entry] {
        &self.entries[..self.names.len()]
    }

    /// The subcommands of a container, in its order.
    pub(crate) fn subcommands(&self, container: &'static Command) -> impl Iterator<Item = Entry> + '_ {
        self.entries.iter().copied().filter(move |entry| entry.container.is_some_and(|of| std::ptr::eq(of, container)))
    }

    /// What the request `args` (not empty) asks for.
    #[inline]
    pub(crate) fn find(&self, args: &[&[u8]]) -> Lookup {
        let Some(entry) = self.find_name(args[0]) else { return Lookup::Unknown };
        match entry.row.run {
            Run::Container(_) => self.find_subcommand(entry, args),
            _ => Lookup::Found(entry),
        }
    }

    /// The command called `name`, a container included.
    #[inline]
    pub(crate) fn find_name(&self, name: &[u8]) -> Option<Entry> {
        let folded = fold(name)?;
        let mut slot = slot_of(folded);
        loop {
            let index = usize::from(*self.slots.get(slot)?);
            if index == usize::from(u16::MAX) {
                return None;
            }
            if self.names[index] == folded && self.entries[index].row.name.len() == name.len() {
                return Some(self.entries[index]);
            }
            slot = (slot + 1) % SLOT_COUNT;
        }
    }

    fn find_subcommand(&self, container: Entry, args: &[&[u8]]) -> Lookup {
        let name = args.get(1).copied().unwrap_or_default();
        let mut subcommands = self.subcommands(container.row);
        let found = subcommands.find(|entry| entry.row.name.as_bytes().eq_ignore_ascii_case(name));
        // A row without a name that cannot stand alone stands for all names that no other has.
        let is_for_others = |entry: &Entry| entry.row.name.is_empty() && !entry.row.takes(1);
        let found = found.or_else(|| self.subcommands(container.row).find(is_for_others));
        found.map_or(Lookup::UnknownSubcommand(container.row), Lookup::Found)
    }
}

/// `name` in lower case, padded with zeros; `None` when it is too long to be a command.
///
/// The bytes are gathered by two loads that may overlap: a copy into a buffer and a load of the whole buffer costs
/// five times as much, since the processor cannot forward many narrow stores to one wide load.
#[inline]
fn fold(name: &[u8]) -> Option<u128> {
    let length = name.len();
    let gathered = match length {
        0 => 0,
        1..=3 => {
            let middle = length / 2;
            let byte = |at: usize| u128::from(name[at]) << (8 * at);
            byte(0) | byte(middle) | byte(length - 1)
        }
        4..=7 => {
            let word = |at: usize| u128::from(u32::from_le_bytes(bytes(name, at)));
            word(0) | word(length - 4) << (8 * (length - 4))
        }
        8..=16 => {
            let word = |at: usize| u128::from(u64::from_le_bytes(bytes(name, at)));
            word(0) | word(length - 8) << (8 * (length - 8))
        }
        _ => return None,
    };
    Some(lower_case(gathered))
}

#[inline]
fn bytes<const COUNT: usize>(name: &[u8], at: usize) -> [u8; COUNT] {
    name[at..at + COUNT].try_into().expect("the range has that length")
}

/// Makes all capitals among the 16 bytes small, at once.
#[inline]
fn lower_case(word: u128) -> u128 {
    const fn every(byte: u8) -> u128 {
        u128::from_ne_bytes([byte; 16])
    }
    // A byte's high bit is set by the sums when its lower seven bits are at least `A`, or beyond `Z`.
    let low_bits = word & every(0x7F);
    let from_a = low_bits + every(0x80 - b'A');
    let beyond_z = low_bits + every(0x80 - b'Z' - 1);
    let capitals = from_a & !beyond_z & !word & every(0x80);
    word | capitals >> 2
}

#[inline]
fn slot_of(folded: u128) -> usize {
    let mixed = (folded as u64 ^ ((folded >> 64) as u64).rotate_left(23)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 54) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_found_by_its_name_in_any_case() {
        for entry in table().commands() {
            for name in [entry.row.name.to_owned(), entry.row.name.to_uppercase()] {
                let found = table().find_name(name.as_bytes()).expect("the command is in the table");
                assert_eq!(found.index(), entry.index());
            }
        }
    }

    #[test]
    fn names_are_folded_byte_by_byte() {
        let alphabet: Vec<u8> = (0..=255).collect();
        for length in 0..=16 {
            for start in 0..=256 - length {
                let name = &alphabet[start..start + length];
                let mut expected = [0; 16];
                expected[..length].copy_from_slice(&name.to_ascii_lowercase());
                assert_eq!(fold(name), Some(u128::from_le_bytes(expected)), "{}", name.escape_ascii());
            }
        }
        assert_eq!(fold(&alphabet[..17]), None);
    }

    #[test]
    fn an_unknown_name_is_not_found() {
        for name in [&b""[..], b"gett", b"ge", b"get\0", b"a name that is far too long to be one"] {
            assert!(table().find_name(name).is_none());
        }
    }
}
