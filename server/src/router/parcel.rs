//! What one data thread has to say to another in one turn: requests, replies and the steps of atomic commands.
//!
//! ```text
//! messages  [ run GET, spans 0..2 | run SET, spans 2..5 | reply to token, bytes 40..45 ]
//! spans     [ 0..3 | 3..10 | 10..13 | 13..20 | 20..40 ]
//! bytes     GETsome:keySETsome:keythe value of the key..+OK..
//! ```
//!
//! Arguments and replies lie in one buffer, so a parcel of a hundred requests is three allocations, all of which are
//! kept for the next one.

use std::ops::Range;

use super::atomic::{AtomicFinish, AtomicGrant, AtomicId, AtomicLock, Needs};
use crate::client::ClientId;
use crate::command::context::Caller;
use crate::command::failure::Failure;
use crate::command::row::Args;
use crate::reactor::limits::PARCEL_BYTES_MAX;

/// Whom an answer is for, on the thread that asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// A connection's hole: its slot, generation and the hole's number.
    Hole(HoleId),
    /// One part of a reply that is being gathered.
    Part {
        /// Which gathering.
        gather: u32,
        /// Which part.
        part: u32,
    },
}

/// Names a reply that a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HoleId {
    /// The connection's slot.
    pub slot: u32,
    /// How often the slot was used before.
    pub generation: u32,
    /// The hole's number.
    pub sequence: u32,
}

/// A request that runs on another shard.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hop {
    /// Who calls.
    pub caller: Caller,
    /// Whom the answer is for.
    pub token: Token,
    /// The command's place in the table.
    pub entry: u16,
    first_span: u32,
    span_count: u32,
}

/// One message.
#[derive(Debug)]
pub(crate) enum Message {
    /// Run this and answer.
    Run(Hop),
    /// The answer to a request.
    Reply {
        /// Whom it is for.
        token: Token,
        /// Where in the parcel's bytes.
        bytes: Range<usize>,
    },
    /// Lock these keys, read them and say so.
    Lock(Box<AtomicLock>),
    /// Keys are locked.
    Locked(Box<AtomicGrant>),
    /// Set room aside for what is to be written.
    Reserve {
        /// By which command.
        id: AtomicId,
        /// How much.
        needs: Needs,
    },
    /// Room was set aside, or why not.
    Reserved {
        /// By which command.
        id: AtomicId,
        /// Why there is none.
        refusal: Option<Box<Failure>>,
    },
    /// Carry this out and unlock.
    Finish(Box<AtomicFinish>),
    /// It is carried out and logged.
    Finished {
        /// Of which command.
        id: AtomicId,
    },
    /// A client that had something to do with your leases or waiters is gone.
    Gone {
        /// Who.
        client: ClientId,
    },
    /// A line for every monitor.
    Monitor(Range<usize>),
}

/// A batch of messages.
#[derive(Debug, Default)]
pub(crate) struct Parcel {
    /// What it says, in order.
    pub messages: Vec<Message>,
    /// Arguments and replies.
    pub bytes: Vec<u8>,
    spans: Vec<Range<usize>>,
}

/// Emptied parcels with more room than this are not kept.
const KEPT_BYTES_MAX: usize = PARCEL_BYTES_MAX;

impl Parcel {
    /// Adds a request.
    #[inline]
    pub(crate) fn push_run(&mut self, caller: Caller, token: Token, entry: u16, args: Args<'_>) {
        let first_span = self.spans.len() as u32;
        for arg in args {
            let start = self.bytes.len();
            self.bytes.extend_from_slice(arg);
            self.spans.push(start..self.bytes.len());
        }
        let hop = Hop { caller, token, entry, first_span, span_count: args.len() as u32 };
        self.messages.push(Message::Run(hop));
    }

    /// The arguments of a request in this parcel.
    #[inline]
    pub(crate) fn args(&self, hop: &Hop) -> impl ExactSizeIterator<Item = &[u8]> {
        let first = hop.first_span as usize;
        let spans = &self.spans[first..first + hop.span_count as usize];
        spans.iter().map(|span| &self.bytes[span.clone()])
    }

    /// Whether it has grown so large that it should leave alone.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.bytes.len() >= PARCEL_BYTES_MAX
    }

    /// Whether there is nothing in it.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Empties it; `false` when it is too large to be worth keeping.
    pub(crate) fn clear(&mut self) -> bool {
        self.messages.clear();
        self.spans.clear();
        self.bytes.clear();
        self.bytes.capacity() <= KEPT_BYTES_MAX
    }
}

/// A request that outlives the bytes it came in.
#[derive(Debug)]
pub(crate) struct OwnedRequest {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl OwnedRequest {
    /// A copy of `args`.
    pub(crate) fn new<'a>(args: impl Iterator<Item = &'a [u8]>) -> OwnedRequest {
        let mut request = OwnedRequest { bytes: Vec::new(), ends: Vec::new() };
        for arg in args {
            request.bytes.extend_from_slice(arg);
            request.ends.push(request.bytes.len());
        }
        request
    }

    /// The arguments.
    pub(crate) fn args(&self) -> Vec<&[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.bytes[start..*end]).collect()
    }
}
