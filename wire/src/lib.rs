//! Bytes to meaning and back, for each protocol Locksley speaks; no I/O.
//!
//! The server, the load generator and the fuzzers share this crate, so that a frame has one definition.
//! Every parser borrows from the bytes it is given and keeps its place between calls; every encoder appends
//! to a buffer of the caller. Nothing here blocks, and nothing allocates on the path of a common request.
//!
#![forbid(unsafe_code)]

pub mod extended;
pub mod glob;
pub mod http;
pub mod limits;
pub mod memcached;
pub mod number;
pub mod resp;
pub mod slot;
