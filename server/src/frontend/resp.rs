//! Requests of the Redis protocol: cuts what connections sent into a batch that is run as a whole.
//!
//! Everything in a batch borrows: arguments lie where the kernel put them, the lists of them in a bump arena that is
//! emptied after the batch. Names are looked up here, so that running only has to follow the row.
//!
//! ```text
//! ready    [ bytes of connection 7 ][ bytes of connection 3 ]
//! requests [GET a][GET b][SET c 1]  [PING]
//! runs     [7: the first three   ]  [3: one]
//! ```

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;
use locksley_wire::resp::request::{Limits, ProtocolError, RequestParser, Span, Step};

use crate::command::row::Args;
use crate::command::table::{Lookup, Table};
use crate::reactor::limits::BATCH_REQUEST_COUNT_MAX;

/// One request of a batch.
pub(crate) struct Request<'b> {
    /// What its name stands for.
    pub call: Lookup,
    /// Its arguments, the name first.
    pub args: Args<'b>,
    /// Where it begins in its connection's bytes.
    pub start: usize,
    /// The shard that owns its one key, where that was found out already.
    pub owner: Option<u16>,
}

/// The requests of one connection in a batch, in its order.
pub(crate) struct Run {
    /// Whose.
    pub slot: u32,
    /// Which of the ready inputs they were cut from.
    pub ready: usize,
    /// The first in [`Batch::requests`].
    pub first: usize,
    /// The first that is not of this run.
    pub end: usize,
    /// What is wrong with the bytes behind them, if anything is.
    pub error: Option<ProtocolError>,
}

/// Requests of several connections that are run as one.
pub(crate) struct Batch<'b> {
    /// By connection.
    pub runs: BumpVec<'b, Run>,
    /// All of them.
    pub requests: BumpVec<'b, Request<'b>>,
    bump: &'b Bump,
}

/// Where the cutting of one connection's bytes ended.
pub(crate) struct Cut {
    /// Bytes that are cut.
    pub position: usize,
    /// Whether there may be more requests in the rest.
    pub goes_on: bool,
    /// Bytes that are missing at least when the rest is part of a request.
    pub wanted_bytes: usize,
}

/// The bytes to cut, and with what.
pub(crate) struct Input<'b, 'p> {
    /// Whose bytes.
    pub slot: u32,
    /// Which of the ready inputs they are.
    pub ready: usize,
    /// The bytes.
    pub bytes: &'b [u8],
    /// How many are cut already.
    pub position: usize,
    /// Where the connection's parser stands.
    pub parser: &'p mut RequestParser,
    /// Limits of a request.
    pub limits: Limits,
    /// Most requests to cut now.
    pub request_count_max: usize,
}

impl<'b> Batch<'b> {
    /// An empty batch in `bump`.
    pub(crate) fn new(bump: &'b Bump) -> Batch<'b> {
        Batch { runs: BumpVec::new_in(bump), requests: BumpVec::with_capacity_in(BATCH_REQUEST_COUNT_MAX, bump), bump }
    }

    /// Whether no more requests fit.
    pub(crate) fn is_full(&self) -> bool {
        self.requests.len() >= BATCH_REQUEST_COUNT_MAX
    }

    /// Cuts requests from `input` until it ends, or the batch is full; `spans` is scratch.
    pub(crate) fn cut(&mut self, table: &'static Table, input: Input<'b, '_>, spans: &mut Vec<Span>) -> Cut {
        let Input { slot, ready, bytes, mut position, parser, limits, request_count_max } = input;
        let first = self.requests.len();
        let full = BATCH_REQUEST_COUNT_MAX.min(first.saturating_add(request_count_max));
        let mut wanted_bytes = 0;
        let mut error = None;
        let mut goes_on = false;
        loop {
            if self.requests.len() >= full {
                goes_on = true;
                break;
            }
            let rest = &bytes[position..];
            if rest.is_empty() {
                break;
            }
            spans.clear();
            let (args, consumed): (Args<'b>, usize) = match parser.parse(rest, &limits, spans) {
                Ok(Step::Request { consumed }) => {
                    (self.bump.alloc_slice_fill_iter(spans.iter().map(|span| span.of(rest))), consumed)
                }
                Ok(Step::Inline { consumed, args }) => (self.copy_words(&args), consumed),
                Ok(Step::Empty { consumed }) => {
                    position += consumed;
                    continue;
                }
                Ok(Step::Incomplete { wanted_bytes: missing }) => {
                    wanted_bytes = missing;
                    break;
                }
                Err(malformed) => {
                    error = Some(malformed);
                    break;
                }
            };
            self.requests.push(Request { call: table.find(args), args, start: position, owner: None });
            position += consumed;
        }
        let end = self.requests.len();
        if end > first || error.is_some() {
            self.runs.push(Run { slot, ready, first, end, error });
        }
        Cut { position, goes_on, wanted_bytes }
    }

    #[cold]
    fn copy_words(&self, words: &[Vec<u8>]) -> Args<'b> {
        let bump = self.bump;
        bump.alloc_slice_fill_iter(words.iter().map(|word| &*bump.alloc_slice_copy(word)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::table::table;

    fn cut(bytes: &[u8], request_count_max: usize) -> (usize, usize, bool, usize, bool) {
        let bump = Bump::new();
        let mut batch = Batch::new(&bump);
        let mut parser = RequestParser::default();
        let input = Input {
            slot: 0,
            ready: 0,
            bytes,
            position: 0,
            parser: &mut parser,
            limits: Limits::default(),
            request_count_max,
        };
        let cut = batch.cut(table(), input, &mut Vec::new());
        let is_bad = batch.runs.iter().any(|run| run.error.is_some());
        (batch.requests.len(), cut.position, cut.goes_on, cut.wanted_bytes, is_bad)
    }

    #[test]
    fn whole_requests_are_cut_and_the_rest_is_left() {
        let get = b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n";
        let two = [&get[..], get].concat();
        assert_eq!(cut(&two, 99), (2, two.len(), false, 0, false));
        assert_eq!(cut(&two, 1), (1, get.len(), true, 0, false));
        assert_eq!(cut(&two[..two.len() - 3], 99), (1, get.len(), false, 3, false));
        assert_eq!(cut(b"PING\r\n*0\r\nPING\r\n", 99), (2, 16, false, 0, false));
        assert_eq!(cut(b"PING\r\n*1\r\nPING\r\n", 99), (1, 6, false, 0, true));
    }
}
