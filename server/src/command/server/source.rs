//! What INFO, the metrics page and the console are made from, so that they agree: the reports of the shards, their sum, and
//! what the kernel says of the process.

use super::process::Usage;
use super::report::{self, Home, Report};
use crate::command::failure::Failure;
use crate::command::row::JoinInput;
use crate::log::{self, Counts};

/// The server at one moment.
pub(in crate::command) struct Source {
    /// What each shard reported, by shard: of a silent one what it reported last, if anything.
    pub shards: Vec<Report>,
    /// The shards that are silent, in ascending order.
    pub silent: Vec<u16>,
    /// All of it added up.
    pub total: Report,
    /// Memory and processor time of the process.
    pub usage: Usage,
    /// Lines that are missing in what the server logs.
    pub missing_lines: Counts,
}

impl Source {
    /// From what [`report::part`] wrote.
    ///
    /// # Errors
    /// The error that a shard replied in place of its report.
    pub(in crate::command) fn read(input: &JoinInput<'_>) -> Result<Source, Failure> {
        let shards = report::read_all(input.parts)?;
        let total = report::total(&shards);
        Ok(Source { shards, silent: input.silent.to_vec(), total, usage: Usage::now(), missing_lines: log::counts() })
    }

    /// The facts of the client's own thread.
    ///
    /// # Panics
    /// When that thread is not among those that reported: it joins the reports, so it always is.
    pub(in crate::command) fn home(&self) -> &Home {
        self.total.home.as_ref().expect("the client's own thread reported")
    }
}
