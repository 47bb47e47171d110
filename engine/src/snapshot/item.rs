//! One entry in a snapshot block.
//!
//! ```text
//! byte 0             4                8          16     17     18       19      20        28          
//!      ┌─────────────┬────────────────┬──────────┬──────┬──────┬────────┬───────┬─────────┬──────────────┬─────┬───────┬─────┐
//!      │ key_bytes   │ value_bytes    │ version  │ db   │ flags│encoding│ zero  │ (u32 0) │ fields       │ key │ value │ pad │
//!      └─────────────┴────────────────┴──────────┴──────┴──────┴────────┴───────┴─────────┴──────────────┴─────┴───────┴─────┘
//! flags     bit 0 EXPIRY: expiry u64 follows; bit 1 CLIENT_FLAGS: u32 follows
//! encoding  0 integer (8 value bytes), 1 bytes, 2 bytes changed in place since they were written whole
//! ```
//!
//! The owner of this file settles the exact layout (each item starts at a multiple of 8) and redraws it here.

use crate::entry::{Encoding, Value};
use crate::key::Db;
use crate::time::Millis;

/// An entry as a snapshot keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item<'a> {
    /// The logical database, as it was numbered at the instant.
    pub db: Db,
    /// The key.
    pub key: &'a [u8],
    /// The value.
    pub value: Value<'a>,
    /// How the value is kept.
    pub encoding: Encoding,
    /// Its expiry.
    pub expiry: Option<Millis>,
    /// Its client flags.
    pub client_flags: u32,
    /// The number of its last change.
    pub version: u64,
}
