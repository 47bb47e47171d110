//! Commands on the bits of strings.
//!
//! Bit 0 is the most significant bit of the first byte. A string has zeros behind its end.

mod bitcount;
mod bitfield;
mod bitop;
mod bitpos;
mod field;
mod getbit;
mod offset;
mod setbit;

use super::row::Command;

/// The group's rows.
pub(super) static COMMANDS: &[&Command] = &[
    &bitcount::BITCOUNT,
    &bitfield::BITFIELD,
    &bitfield::BITFIELD_RO,
    &bitop::BITOP,
    &bitpos::BITPOS,
    &getbit::GETBIT,
    &setbit::SETBIT,
];
