//! Requests of the HTTP door: cuts what a connection sent, sees to it that it comes from where it may, and makes rows and
//! arguments of it.
//!
//! Order of the checks, each of which answers with its own status: the bytes (400, 413, 414, 431, 501), `Host` (421), the
//! path (404), the method (405), `Origin` (403), the password (401), what a browser could send without asking (415), then
//! the operation's own. What needs no shard is answered here.
//!
//! | file | |
//! |---|---|
//! | `routes` | paths and their methods |
//! | `gate` | who may ask: `Host`, `Origin`, password, media type |
//! | `batch_body` | the JSON of a batch |
//! | `query` | key and parameters of a target |
//! | `openapi` | the document that describes all this |
//! | `accept` | JSON or bytes |
//! | `operation` | from an admitted request to a row, or to the response |

mod accept;
mod batch_body;
mod gate;
mod openapi;
mod operation;
mod query;
mod routes;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::net::IpAddr;

use locksley_engine::Db;
use locksley_wire::http::{self, RequestParser, Step};

use super::batch::{Batch, Call, Cut, Input, Manner, Piece, Request};
use crate::command::dialect::Dialect;
use crate::command::rest::reply::{begin, end_error};
use crate::command::rest::{Verb, reply};
use crate::command::row::Args;
use crate::command::table::Table;
use crate::config::Config;
use crate::limits::HTTP_STRANGER_BODY_BYTES_MAX;
use crate::thread::Thread;

/// What of the server and the connection decides about a request.
#[derive(Clone, Copy)]
pub(crate) struct Facts<'t> {
    /// The connection's thread.
    pub thread: &'t Thread,
    /// Our address that the client connected to.
    pub local_address: IpAddr,
}

impl<'t> Facts<'t> {
    /// The settings in force.
    fn config(self) -> &'t Config {
        &self.thread.config
    }

    /// Whether only who did not say the password has this limit; where values have the same, that cannot be told.
    fn is_for_strangers(self, limit_bytes: u64) -> bool {
        let is_strangers = limit_bytes == HTTP_STRANGER_BODY_BYTES_MAX && limit_bytes != self.config().http_max_value;
        is_strangers && !self.config().requirepass.is_empty()
    }

    /// The second of this turn, since the epoch.
    fn second(self) -> u32 {
        (self.thread.now.0 / 1000) as u32
    }
}

/// What a request comes to.
enum Meant<'b> {
    /// An operation.
    Run { verb: Verb, args: Args<'b>, db: Db },
    /// The response is known.
    Answer(&'b [u8]),
}

/// Why a request is refused.
#[derive(Debug)]
struct Refused {
    status: u16,
    sentence: Cow<'static, str>,
    /// What the path allows, where the method is what is wrong.
    allowed: &'static str,
}

impl Refused {
    #[cold]
    fn new(status: u16, sentence: impl Into<Cow<'static, str>>) -> Refused {
        Refused { status, sentence: sentence.into(), allowed: "" }
    }
}

impl<'b> Batch<'b> {
    /// Cuts HTTP requests from `input` until it ends, or the batch is full.
    pub(crate) fn cut_http(
        &mut self,
        table: &'static Table,
        input: Input<'b>,
        parser: &mut RequestParser,
        facts: Facts<'_>,
    ) -> Cut {
        self.cut_each(input, |batch, rest, start| match parser.parse(rest, |head| gate::limits(head, facts)) {
            Step::Request { consumed, request } => {
                Piece::Request { request: batch.make(table, &request, facts, start), consumed }
            }
            Step::Continue => {
                Piece::Request { request: answer(b"HTTP/1.1 100 Continue\r\n\r\n", None, start), consumed: 0 }
            }
            Step::Incomplete { wanted_bytes } => Piece::Incomplete { wanted_bytes },
            Step::Refused(refusal) => {
                let response = batch.refuse_bytes(refusal, facts);
                Piece::Request { request: answer(response, Some(&Manner::LAST), start), consumed: 0 }
            }
        })
    }

    /// What is to be done for a request.
    #[inline]
    fn make(&self, table: &'static Table, request: &http::Request<'b>, facts: Facts<'_>, start: usize) -> Request<'b> {
        let written = http::Manner {
            second: facts.second(),
            is_head: request.method == http::Method::Head,
            closes: !request.is_keep_alive,
        };
        let meant = match self.admit(request, facts, written) {
            Ok(meant) => meant,
            Err(refused) => Meant::Answer(self.respond(|out| refuse(out, written, facts.config(), &refused))),
        };
        let dialect = Some(Dialect::Http(written));
        let manner = |db| &*self.bump.alloc(Manner { dialect, db, is_silent: false, closes: written.closes });
        match meant {
            Meant::Run { verb, args, db } => {
                let manner = Some(manner(Some(db)));
                Request { call: Call::Found(table.rest(verb)), args, start, owner: None, manner }
            }
            Meant::Answer(bytes) => answer(bytes, Some(manner(None)), start),
        }
    }

    /// The response that `write` writes.
    #[cold]
    fn respond(&self, write: impl FnOnce(&mut Vec<u8>)) -> &'b [u8] {
        let mut bytes = Vec::new();
        write(&mut bytes);
        self.bump.alloc_slice_copy(&bytes)
    }

    /// The response to bytes that are no request, or none that is wanted.
    #[cold]
    fn refuse_bytes(&self, refusal: http::Refusal, facts: Facts<'_>) -> &'b [u8] {
        let manner = http::Manner { second: facts.second(), is_head: false, closes: true };
        let (status, sentence) = match refusal {
            http::Refusal::BodyTooLong { limit_bytes } if facts.is_for_strangers(limit_bytes) => {
                (401, gate::NO_PASSWORD.to_owned())
            }
            refusal => (refusal.status(), refusal.sentence()),
        };
        self.respond(|out| reply::error(out, manner, facts.config(), status, &sentence))
    }
}

/// Writes the response to a request that is refused.
#[cold]
fn refuse(out: &mut Vec<u8>, manner: http::Manner, config: &Config, refused: &Refused) {
    let mut response = begin(out, manner, config, refused.status);
    if !refused.allowed.is_empty() {
        response = response.field("Allow", refused.allowed.as_bytes());
    }
    end_error(response, refused.status, &refused.sentence);
}

fn answer<'b>(bytes: &'b [u8], manner: Option<&'b Manner>, start: usize) -> Request<'b> {
    Request { call: Call::Answer(bytes), args: &[b""], start, owner: None, manner }
}
