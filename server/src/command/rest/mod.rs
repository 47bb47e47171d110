//! The operations of the HTTP door.
//!
//! They are rows like any other, so that routing, responses in order, durability and counting are the same; only the HTTP
//! door finds them. A handler writes a whole response; how (HEAD, last of its connection) is in the caller's dialect, and
//! the database in the caller. What a request said in its fields was checked at the door: a handler trusts its arguments.
//!
//! | verb | args |
//! |---|---|
//! | `Get` | name, key, [`Form`], then If-None-Match if there is one |
//! | `Put` | name, key, [`PutOptions`], value, then If-Match and If-None-Match if there is one of them, each empty if it is not |
//! | `PutAbsent` | name, key, [`PutOptions`], then If-Match and If-None-Match, each empty if there is none |
//! | `Delete` | name, key, then If-Match if there is one |
//! | `DeletePrefix` | name, prefix |
//! | `BatchGet` | name, keys, none twice |
//! | `BatchPut` | name, then for each item key, [`ItemOptions`], value |
//! | `State` | name, [`StateForm`] |
//! | `Metrics` | name |
//! | `Events` | name |

mod batch_get;
mod batch_put;
mod delete;
mod delete_prefix;
mod events;
mod get;
mod json;
mod metrics;
mod part;
mod put;
mod put_absent;
pub(crate) mod reply;
mod state;
pub(crate) mod tags;
#[cfg(test)]
pub(crate) mod testing;

use crate::command::row::Command;

pub(crate) use batch_put::{ITEM_OPTIONS_BYTES, ItemOptions};
pub(crate) use put::{PUT_OPTIONS_BYTES, PutOptions};
pub(crate) use state::StateForm;

/// Which operation; in the order of [`COMMANDS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
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
    /// `PUT /cache/{key}?absent=true`.
    PutAbsent,
    /// `DELETE /cache?prefix=`.
    DeletePrefix,
    /// `GET` and `HEAD /console/state`, and each event of `GET /console/events`.
    State,
    /// `GET` and `HEAD /metrics`.
    Metrics,
    /// `GET` and `HEAD /console/events`.
    Events,
}

/// The rows, in the order of [`Verb`].
pub(crate) static COMMANDS: &[&Command] = &[
    &get::GET,
    &put::PUT,
    &delete::DELETE,
    &batch_get::BATCH_GET,
    &batch_put::BATCH_PUT,
    &put_absent::PUT_ABSENT,
    &delete_prefix::DELETE_PREFIX,
    &state::STATE,
    &metrics::METRICS,
    &events::EVENTS,
];

/// How a value is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// In JSON, with what else is to be told.
    Json,
    /// Its bytes alone, with what else is to be told in fields.
    Raw,
}

impl Form {
    /// As it travels.
    #[inline]
    pub(crate) fn encode(self) -> &'static [u8] {
        match self {
            Form::Json => b"j",
            Form::Raw => b"r",
        }
    }

    /// What `bytes` say.
    #[inline]
    fn decode(bytes: &[u8]) -> Form {
        if bytes == b"r" { Form::Raw } else { Form::Json }
    }
}
