//! Bytes to meaning and back, for each protocol Locksley speaks; no I/O.
#![forbid(unsafe_code)]
pub mod resp;
