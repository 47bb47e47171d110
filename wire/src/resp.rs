//! RESP, the protocol of Redis: requests in, replies out, and replies read by a client.
//!
//! Source: <https://redis.io/docs/latest/develop/reference/protocol-spec/>; error texts are those of Redis 7.

pub mod inline;
pub mod node;
pub mod reply;
pub mod request;

pub use node::{MalformedReply, Node, Nodes, measure};
pub use reply::Reply;
pub use request::{Limits, ProtocolError, RequestParser, Span, Standing, Step, args};

/// The dialect that a connection chose with `HELLO`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// RESP2, what a connection speaks until it says otherwise.
    #[default]
    Resp2,
    /// RESP3, with maps, sets, doubles, booleans, nulls and pushes of their own.
    Resp3,
}
