//! HTTP/1.1 as a server of a small API speaks it: requests in, responses out, and responses read by a client.
//!
//! Source: RFC 9110 (semantics), RFC 9112 (HTTP/1.1).

mod chunks;
pub mod date;
mod head;
mod lines;
pub mod node;
mod refusal;
pub mod request;
pub mod response;
pub mod target;

pub use refusal::Refusal;
pub use request::{Body, Limits, Method, Request, RequestParser, Step};
pub use response::{Manner, Response};
pub use target::Target;
