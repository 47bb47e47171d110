//! The text protocol of memcached, its meta commands included: requests in, replies out, and replies read by a client.
//!
//! Source: `doc/protocol.txt` of memcached 1.6; error texts are those of memcached 1.6.18.

pub mod key;
mod line;
pub mod meta;
pub mod node;
mod parser;
pub mod reply;
pub mod request;

pub use parser::{Limits, RequestParser, Step};
pub use request::{Arithmetic, Malformed, Request, Retrieval, Storage, StoreMode};
