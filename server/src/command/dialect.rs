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
//! | `TOOLONG` (a response of the HTTP door) | | 400 |
//! | `ERR` of a value without a time to live | `SERVER_ERROR <sentence>` | 400 |
//! | any other | `SERVER_ERROR <sentence>` | 500 |

use locksley_wire::http::Manner;
use locksley_wire::memcached;
use locksley_wire::resp::Reply;

use super::failure::Failure;
use super::rest;
use crate::client::Door;
use crate::config::Config;

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

    /// How a response of the HTTP door is written.
    ///
    /// # Panics
    /// For requests of another door.
    #[inline]
    pub(crate) fn http(self) -> Manner {
        match self {
            Dialect::Http(manner) => manner,
            _ => unreachable!("no other door finds the rows of HTTP"),
        }
    }
}

/// Writes `failure` as clients of `dialect` read it.
#[cold]
pub(crate) fn write_failure(dialect: Dialect, config: &Config, failure: &Failure, reply: &mut Reply<'_>) {
    match dialect {
        Dialect::Resp => reply.error(failure.text()),
        Dialect::Memcached => write_memcached(failure, reply.buffer()),
        Dialect::Http(manner) => write_http(manner, config, failure, reply.buffer()),
    }
}

fn write_memcached(failure: &Failure, out: &mut Vec<u8>) {
    match failure.code() {
        "OOM" => memcached::reply::server_error("out of memory storing object", out),
        "NOAUTH" => memcached::reply::client_error("unauthenticated", out),
        _ => memcached::reply::server_error(failure.sentence(), out),
    }
}

fn write_http(manner: Manner, config: &Config, failure: &Failure, out: &mut Vec<u8>) {
    let (status, sentence) = status_and_sentence(failure);
    rest::reply::error(out, manner, config, status, sentence);
}

/// What `failure` is in HTTP.
pub(super) fn status_and_sentence(failure: &Failure) -> (u16, &str) {
    match failure.code() {
        "OOM" => (503, "the memory limit is reached, and nothing may be evicted"),
        "LOADING" => (503, "the data is being loaded"),
        "MISCONF" => (503, failure.sentence()),
        "TOOLONG" => (400, failure.sentence()),
        "NOAUTH" => (401, failure.sentence()),
        "WRONGTYPE" => (409, "the entry is of a type that this door does not serve"),
        _ if *failure == Failure::TTL_REQUIRED => (400, failure.sentence()),
        _ => (500, failure.sentence()),
    }
}
