//! Cuts what a connection sent into requests, in its door's protocol.

use locksley_wire::memcached;
use locksley_wire::resp::request::{Limits, Span, Standing};

use super::desk::Desk;
use crate::client::ClientSlot;
use crate::frontend::batch::{Batch, Cut, Input};
use crate::frontend::http::Facts;
use crate::frontend::memcached::Access;
use crate::reactor::connection::Parser;

impl Desk {
    /// Cuts requests from `input` into `batch` until it ends, or the batch is full; `spans` is scratch.
    ///
    /// Of a client that has not said its password one request is cut at a time, since the next may depend on it.
    #[inline]
    pub(super) fn cut<'b>(&mut self, batch: &mut Batch<'b>, input: Input<'b>, spans: &mut Vec<Span>) -> Cut {
        let Desk { thread, connections, table, .. } = self;
        let client = thread.clients.get_mut(ClientSlot(input.slot)).expect("an open connection has a client");
        let (is_authenticated, local_address) = (client.authenticated, client.local_address);
        let config = &thread.config;
        let input = Input { request_count_max: if is_authenticated { usize::MAX } else { 1 }, ..input };
        match &mut connections.get(input.slot).parser {
            Parser::Resp(parser) => {
                let standing = if is_authenticated { Standing::Authenticated } else { Standing::Unauthenticated };
                let limits = Limits { bulk_bytes_max: config.proto_max_bulk_len, standing, ..Limits::default() };
                batch.cut_resp(table, input, parser, &limits, spans)
            }
            Parser::Memcached(parser) => {
                let access = if is_authenticated { Access::Full } else { Access::Password };
                let limits = memcached::Limits { value_bytes_max: config.memcached_max_value };
                batch.cut_memcached(table, input, parser, limits, access)
            }
            Parser::Http(parser) => {
                batch.cut_http(table, input, parser, Facts { thread, local_address: local_address.ip() })
            }
        }
    }
}
