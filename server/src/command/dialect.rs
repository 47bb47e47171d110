//! In which protocol a reply is written, and how a failure looks in each.
//!
//! Handlers of a door write that door's replies themselves; what can go wrong outside a handler (no memory, no room in the
//! log, still loading, no password) is a [`Failure`] everywhere, whose code decides what it becomes.
//!
//! | code | memcached | HTTP |
//! |---|---|---|
//! | `OOM` | `SERVER_ERROR out of memory storing object` | 503 with `Retry-After` |
//! | `LOADING`, `MISCONF` | `SERVER_ERROR <sentence>` | 503 with `Retry-After` |
//! | `NOAUTH` | `CLIENT_ERROR unauthenticated` | 401 |
//! | `WRONGTYPE` | `SERVER_ERROR <sentence>` | 409 |
//! | any other | `SERVER_ERROR <sentence>` | 500 |

use locksley_wire::http::{Manner, Response};
use locksley_wire::memcached;
use locksley_wire::resp::Reply;

use super::failure::Failure;
use crate::client::Door;

/// The protocol of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// RESP, of which the client's `Protocol` tells the version.
    Resp,
    /// The text protocol of memcached.
    Memcached,
    /// HTTP/1.1.
    Http(Manner),
}

impl Dialect {
    /// What clients of `door` read, as long as no request says more.
    pub(crate) fn of(door: Door) -> Dialect {
        match door {
            Door::Shared | Door::Shard => Dialect::Resp,
            Door::Memcached => Dialect::Memcached,
            Door::Http => Dialect::Http(Manner { second: 0, is_head: false, closes: true }),
        }
    }
}

/// Seconds after which a client may try again what there was no room for.
const RETRY_AFTER_SECONDS: u64 = 1;

/// Writes `failure` as clients of `dialect` read it.
#[cold]
pub(crate) fn write_failure(dialect: Dialect, failure: &Failure, reply: &mut Reply<'_>) {
    match dialect {
        Dialect::Resp => reply.error(failure.text()),
        Dialect::Memcached => write_memcached(failure, reply.buffer()),
        Dialect::Http(manner) => write_http(manner, failure, reply.buffer()),
    }
}

fn write_memcached(failure: &Failure, out: &mut Vec<u8>) {
    match failure.code() {
        "OOM" => memcached::reply::server_error("out of memory storing object", out),
        "NOAUTH" => memcached::reply::client_error("unauthenticated", out),
        _ => memcached::reply::server_error(failure.sentence(), out),
    }
}

fn write_http(manner: Manner, failure: &Failure, out: &mut Vec<u8>) {
    let status = match failure.code() {
        "OOM" | "LOADING" | "MISCONF" => 503,
        "NOAUTH" => 401,
        "WRONGTYPE" => 409,
        _ => 500,
    };
    let body = serde_json::json!({ "error": failure.sentence() }).to_string();
    let mut response = Response::new(out, manner, status).field("Content-Type", b"application/json");
    if status == 503 {
        response = response.number("Retry-After", RETRY_AFTER_SECONDS);
    }
    if status == 401 {
        response = response.field("WWW-Authenticate", b"Bearer, Basic realm=\"locksley\"");
    }
    response.body(body.as_bytes());
}
