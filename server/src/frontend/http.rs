//! Requests of the HTTP door: cuts what a connection sent, sees to it that it comes from where it may, and routes it.
//!
//! Order of the checks, each of which answers with its own status: the bytes (400, 413, 414, 431, 501), `Host` (421), the
//! path (404), the method (405), `Origin` (403), the password (401), what a browser could send without asking (415), then
//! the operation's own.

use std::net::IpAddr;

use locksley_wire::http::{self, Limits, RequestParser, Step};

use super::batch::{Batch, Call, Cut, Input, Manner, Request};
use crate::command::dialect::Dialect;
use crate::command::table::Table;
use crate::config::Config;

/// What of the server and the connection decides about a request.
#[derive(Clone, Copy)]
pub(crate) struct Facts<'t> {
    /// The settings in force.
    pub config: &'t Config,
    /// Our address that the client connected to.
    pub local_address: IpAddr,
    /// The second of this turn, since the epoch.
    pub second: u32,
    /// The shards are being filled.
    pub is_loading: bool,
}

impl<'b> Batch<'b> {
    /// Cuts HTTP requests from `input` until it ends, or the batch is full.
    pub(crate) fn cut_http(
        &mut self,
        table: &'static Table,
        input: Input<'b>,
        parser: &mut RequestParser,
        limits: &Limits,
        facts: Facts<'_>,
    ) -> Cut {
        let Input { bytes, mut position, .. } = input;
        let first = self.requests.len();
        let full = self.full_at(first, &input);
        let mut wanted_bytes = 0;
        let mut goes_on = false;
        while position < bytes.len() {
            if self.requests.len() >= full {
                goes_on = true;
                break;
            }
            match parser.parse(&bytes[position..], |_| *limits) {
                Step::Request { consumed, request } => {
                    let closes = !request.is_keep_alive;
                    let request = self.route(table, &request, facts, position);
                    self.requests.push(request);
                    position += consumed;
                    if closes {
                        break;
                    }
                }
                Step::Continue => self.requests.push(answer(b"HTTP/1.1 100 Continue\r\n\r\n", position)),
                Step::Incomplete { wanted_bytes: missing } => {
                    wanted_bytes = missing;
                    break;
                }
                Step::Refused(refusal) => {
                    let manner = Some(&Manner::LAST);
                    self.requests.push(Request { manner, ..answer(self.refused(refusal, facts), position) });
                    break;
                }
            }
        }
        self.end_run(&input, first, None);
        Cut { position, goes_on, wanted_bytes }
    }

    /// What a request asks for.
    fn route(
        &self,
        _table: &'static Table,
        request: &http::Request<'b>,
        facts: Facts<'_>,
        start: usize,
    ) -> Request<'b> {
        let manner = http::Manner {
            second: facts.second,
            is_head: request.method == http::Method::Head,
            closes: !request.is_keep_alive,
        };
        let mut bytes = Vec::new();
        http::Response::new(&mut bytes, manner, 404).body(b"");
        let mut request = answer(self.bump.alloc_slice_copy(&bytes), start);
        let dialect = Some(Dialect::Http(manner));
        request.manner = Some(self.bump.alloc(Manner { dialect, is_silent: false, closes: manner.closes }));
        request
    }

    /// The response to bytes that are no request.
    #[cold]
    fn refused(&self, refusal: http::Refusal, facts: Facts<'_>) -> &'b [u8] {
        let manner = http::Manner { second: facts.second, is_head: false, closes: true };
        let mut bytes = Vec::new();
        let body = serde_json::json!({ "error": refusal.sentence() }).to_string();
        let response = http::Response::new(&mut bytes, manner, refusal.status());
        response.field("Content-Type", b"application/json").body(body.as_bytes());
        self.bump.alloc_slice_copy(&bytes)
    }
}

fn answer(bytes: &[u8], start: usize) -> Request<'_> {
    Request { call: Call::Answer(bytes), args: &[b""], start, owner: None, manner: None }
}
