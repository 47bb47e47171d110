//! HTTP/1.1 as a server of a small API speaks it: requests in, responses out, and responses read by a client.
//!
//! Source: RFC 9110 (semantics), RFC 9112 (HTTP/1.1).

pub mod date;
pub mod node;
pub mod request;
pub mod response;
pub mod target;

pub use request::{Body, Limits, Method, Refusal, Request, RequestParser, Step};
pub use response::{Manner, Response};
pub use target::Target;
