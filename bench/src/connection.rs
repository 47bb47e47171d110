//! One connection: what it has asked for, and the bytes of replies as they come in pieces.
//!
//! A reply is done when its last byte is there. What it holds is only kept together when it has to be looked
//! at; else the bytes of a value that has begun are counted down as they arrive, and never copied.

use std::collections::VecDeque;

use crate::{
    dialect::{Dialect, Outcome, ReplyHead},
    latency::Kind,
    pace::Nanos,
};

/// What is wrong with bytes that no request waits for.
const UNASKED: &str = "the server sent a reply that nothing was asked for";

/// A request whose reply is still to come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pending {
    /// When it was sent, or was to be sent.
    pub(crate) due: Nanos,
    /// The key it names.
    pub(crate) key_index: u64,
    /// What it does.
    pub(crate) kind: Kind,
}

/// A reply, with what it holds if that was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer<'a> {
    /// What the server did.
    pub(crate) outcome: Outcome,
    /// The value or the error text; nothing when values are not looked at.
    pub(crate) body: &'a [u8],
}

/// Whether the bytes of values are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bodies {
    /// They are counted only.
    Skipped,
    /// Each is handed on whole.
    Kept,
}

/// The state of a connection.
#[derive(Debug)]
pub(crate) struct Connection {
    /// The cluster node at the other end; 0 without a cluster.
    pub(crate) node: u16,
    /// Requests sent, oldest first.
    pub(crate) pending: VecDeque<Pending>,
    /// Where requests are written; away while it is being sent.
    pub(crate) buffer: Option<Vec<u8>>,
    /// Whether it waits in its thread's list for its next requests.
    pub(crate) is_listed: bool,
    /// The beginning of a reply whose rest is needed to go on.
    held: Vec<u8>,
    /// A reply that began, and how many of its bytes are still to come.
    rest: Option<(Outcome, usize)>,
}

impl Connection {
    /// A connection to `node` with nothing asked for.
    pub(crate) fn new(node: u16) -> Self {
        Self {
            node,
            pending: VecDeque::new(),
            buffer: Some(Vec::new()),
            is_listed: false,
            held: Vec::new(),
            rest: None,
        }
    }

    /// Takes bytes that arrived and hands on each reply that is now whole, with its request.
    ///
    /// # Errors
    /// Text that says why the bytes are no replies to what was asked.
    pub(crate) fn receive(
        &mut self,
        dialect: &impl Dialect,
        bytes: &[u8],
        bodies: Bodies,
        mut handle: impl FnMut(Pending, Answer<'_>),
    ) -> Result<(), String> {
        let mut input = bytes;
        if let Some((outcome, rest_bytes)) = self.rest {
            if input.len() < rest_bytes {
                self.rest = Some((outcome, rest_bytes - input.len()));
                return Ok(());
            }
            self.rest = None;
            input = &input[rest_bytes..];
            handle(self.take_pending(outcome)?, Answer { outcome, body: &[] });
        }
        let joined;
        if !self.held.is_empty() {
            self.held.extend_from_slice(input);
            joined = std::mem::take(&mut self.held);
            input = &joined;
        }
        while !input.is_empty() {
            let kind = self.pending.front().ok_or(UNASKED)?.kind;
            let Some(head) = dialect.reply(kind, input)? else {
                self.held.extend_from_slice(input);
                break;
            };
            let ReplyHead { outcome, bytes, body_start, body_bytes } = head;
            if bytes <= input.len() {
                let body = &input[body_start..body_start + body_bytes];
                handle(self.take_pending(outcome)?, Answer { outcome, body });
                input = &input[bytes..];
                continue;
            }
            match bodies {
                Bodies::Kept => self.held.extend_from_slice(input),
                Bodies::Skipped => self.rest = Some((outcome, bytes - input.len())),
            }
            break;
        }
        Ok(())
    }

    /// The request that a reply answers.
    #[inline]
    fn take_pending(&mut self, outcome: Outcome) -> Result<Pending, String> {
        let pending = self.pending.pop_front().ok_or(UNASKED)?;
        let is_fitting = match pending.kind {
            Kind::Read => outcome != Outcome::Stored,
            Kind::Write => matches!(outcome, Outcome::Stored | Outcome::Refused),
        };
        if is_fitting { Ok(pending) } else { Err(format!("the server answered a {:?} with {outcome:?}", pending.kind)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{dialect::Resp, options::ReadCommand};

    #[test]
    fn replies_in_pieces_are_whole_once_their_last_byte_is_there() {
        let input = b"$5\r\nhello\r\n+OK\r\n$-1\r\n-ERR no\r\n$0\r\n\r\n";
        let kinds = [Kind::Read, Kind::Write, Kind::Read, Kind::Read, Kind::Read];
        let ends = [11, 16, 21, 30, 36];
        let bodies = [&b"hello"[..], b"", b"", b"ERR no", b""];
        for mode in [Bodies::Kept, Bodies::Skipped] {
            for cut in 0..=input.len() {
                let mut connection = Connection::new(0);
                for kind in kinds {
                    connection.pending.push_back(Pending { due: Nanos(0), key_index: 0, kind });
                }
                let mut seen = Vec::new();
                for (piece, arrived) in [(&input[..cut], cut), (&input[cut..], input.len())] {
                    connection
                        .receive(&Resp::new(ReadCommand::Get), piece, mode, |_, answer| seen.push(answer.body.to_vec()))
                        .expect("replies");
                    let whole = ends.iter().filter(|&&end| end <= arrived).count();
                    assert_eq!(seen.len(), whole, "cut at {cut}");
                }
                assert_eq!(seen.len(), kinds.len());
                if mode == Bodies::Kept {
                    assert_eq!(seen, bodies);
                }
            }
        }
    }

    #[test]
    fn a_reply_to_nothing_is_an_error() {
        let mut connection = Connection::new(0);
        assert!(connection.receive(&Resp::new(ReadCommand::Get), b"+OK\r\n", Bodies::Skipped, |_, _| {}).is_err());
        connection.pending.push_back(Pending { due: Nanos(0), key_index: 0, kind: Kind::Read });
        assert!(connection.receive(&Resp::new(ReadCommand::Get), b"+OK\r\n", Bodies::Skipped, |_, _| {}).is_err());
    }
}
