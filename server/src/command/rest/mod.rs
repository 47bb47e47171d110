//! The operations of the HTTP door.
//!
//! They are rows like any other, so that routing, responses in order, durability and counting are the same; only the HTTP
//! door finds them. A handler writes a whole response; how (HEAD, last of its connection) is in the caller's dialect.

use crate::command::row::Command;

/// Which operation; in the order of [`COMMANDS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
#[expect(dead_code, reason = "the rows come next")]
pub(crate) enum Verb {
    /// `GET` and `HEAD /cache/{key}`.
    Get,
    /// `PUT /cache/{key}`.
    Put,
    /// `DELETE /cache/{key}`.
    Delete,
    /// The reading half of `POST /cache/batch`.
    BatchGet,
    /// The writing half of `POST /cache/batch`.
    BatchPut,
}

/// The rows, in the order of [`Verb`].
pub(crate) static COMMANDS: &[&Command] = &[];
