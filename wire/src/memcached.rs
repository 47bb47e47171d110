//! The text protocol of memcached, its meta commands included: requests in, replies out, and replies read by a client.
//!
//! Source: `doc/protocol.txt` of memcached 1.6; error texts are those of memcached 1.6.18.

pub mod key;
pub mod meta;
pub mod node;
pub mod reply;
pub mod request;

pub use request::{Arithmetic, Limits, Malformed, Request, RequestParser, Retrieval, Step, Storage, StoreMode};
