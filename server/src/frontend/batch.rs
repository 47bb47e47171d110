//! What connections sent, cut into requests that are run as a whole; every door's requests look the same here.
//!
//! Everything in a batch borrows: arguments lie where the kernel put them, the lists of them in a bump arena that is
//! emptied after the batch. Rows are looked up while cutting, so that running only has to follow them.
//!
//! ```text
//! ready    [ bytes of connection 7 ][ bytes of connection 3 ]
//! requests [GET a][GET b][SET c 1]  [PING]
//! runs     [7: the first three   ]  [3: one]
//! ```

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;
use locksley_engine::Db;
use locksley_wire::resp::request::ProtocolError;

use crate::command::dialect::Dialect;
use crate::command::row::{Args, Command};
use crate::command::table::Entry;
use crate::reactor::limits::BATCH_REQUEST_COUNT_MAX;

/// One request of a batch.
pub(crate) struct Request<'b> {
    /// What is to be done.
    pub call: Call<'b>,
    /// Its arguments, the name first; at least that.
    pub args: Args<'b>,
    /// Where it begins in its connection's bytes.
    pub start: usize,
    /// The shard that owns its one key, where that was found out already.
    pub owner: Option<u16>,
    /// How its reply is written, where that is not as always with its client.
    pub manner: Option<&'b Manner>,
}

/// What a request asks for.
pub(crate) enum Call<'b> {
    /// A command.
    Found(Entry),
    /// A name that no command has.
    Unknown,
    /// A container without its subcommand, or with one it does not have.
    UnknownSubcommand(&'static Command),
    /// Its door has the reply already.
    Answer(&'b [u8]),
}

/// How a request runs and its reply is written, where that is not as always with its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Manner {
    /// In which dialect; `None`: as its client's requests always are.
    pub dialect: Option<Dialect>,
    /// In which database it runs; `None`: in its client's.
    pub db: Option<Db>,
    /// No reply is wanted.
    pub is_silent: bool,
    /// The connection ends behind the reply.
    pub closes: bool,
}

impl Manner {
    /// No reply is wanted.
    pub(crate) const SILENT: Manner = Manner { dialect: None, db: None, is_silent: true, closes: false };
    /// The connection ends behind the reply.
    pub(crate) const LAST: Manner = Manner { dialect: None, db: None, is_silent: false, closes: true };
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
    pub(super) bump: &'b Bump,
}

/// What the next bytes of a connection are.
pub(super) enum Piece<'b> {
    /// A request.
    Request {
        /// What it asks for.
        request: Request<'b>,
        /// Bytes of it.
        consumed: usize,
    },
    /// Nothing that asks for anything.
    Skipped {
        /// Bytes of it.
        consumed: usize,
    },
    /// Part of a request.
    Incomplete {
        /// Bytes that are missing at least.
        wanted_bytes: usize,
    },
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

/// The bytes to cut.
#[derive(Clone, Copy)]
pub(crate) struct Input<'b> {
    /// Whose bytes.
    pub slot: u32,
    /// Which of the ready inputs they are.
    pub ready: usize,
    /// The bytes.
    pub bytes: &'b [u8],
    /// How many are cut already.
    pub position: usize,
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

    /// Cuts requests from `input` until it ends, or the batch is full: `next` cuts the one that the rest of the bytes begins
    /// with, of which it is told the position.
    #[inline]
    pub(super) fn cut_each(
        &mut self,
        input: Input<'b>,
        mut next: impl FnMut(&Self, &'b [u8], usize) -> Piece<'b>,
    ) -> Cut {
        let Input { bytes, mut position, .. } = input;
        let first = self.requests.len();
        let full = Batch::full_at(first, &input);
        let (mut goes_on, mut wanted_bytes) = (false, 0);
        while position < bytes.len() {
            if self.requests.len() >= full {
                goes_on = true;
                break;
            }
            match next(self, &bytes[position..], position) {
                Piece::Request { request, consumed } => {
                    let is_last = request.manner.is_some_and(|manner| manner.closes);
                    self.requests.push(request);
                    position += consumed;
                    if is_last {
                        break;
                    }
                }
                Piece::Skipped { consumed } => position += consumed,
                Piece::Incomplete { wanted_bytes: missing } => {
                    wanted_bytes = missing;
                    break;
                }
            }
        }
        self.end_run(&input, first, None);
        Cut { position, goes_on, wanted_bytes }
    }

    /// The number of requests at which `input` has had its share, now that there are `first`.
    pub(super) fn full_at(first: usize, input: &Input<'b>) -> usize {
        BATCH_REQUEST_COUNT_MAX.min(first.saturating_add(input.request_count_max))
    }

    /// Notes what was cut from `input`, the requests from `first` on.
    pub(super) fn end_run(&mut self, input: &Input<'b>, first: usize, error: Option<ProtocolError>) {
        let end = self.requests.len();
        if end > first || error.is_some() {
            self.runs.push(Run { slot: input.slot, ready: input.ready, first, end, error });
        }
    }
}
