//! `locksley-server inspect` and `verify`: a data directory in words, and whether a start would find all of it.
//!
//! Both only read, take no lock and need no server: they may run beside one, or on a copy. What a running server writes
//! meanwhile may show as a torn tail.
//!
//! ```text
//! options ─┬─▶ inspect ─▶ directory ─▶ segment, snapshot      a line for each file, record, block, entry
//!          └─▶ verify  ─▶ disk, plan of the engine            a line for each damage, and what a start would do
//! ```

mod directory;
mod disk;
mod options;
mod segment;
mod snapshot;
#[cfg(test)]
mod testing;
mod text;
mod verify;

use std::ffi::OsString;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use options::Tool;

/// Where lines go.
type Out<'a> = &'a mut dyn Write;

/// Whether everything that was looked at is as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Good,
    Damaged,
}

impl Verdict {
    fn and(self, other: Verdict) -> Verdict {
        if self == Verdict::Good { other } else { self }
    }
}

/// Runs the tool that the command line `words` names, the program's name first; `None` if it names none.
pub(crate) fn run(words: &[OsString]) -> Option<ExitCode> {
    let tool = match options::read(words)? {
        Ok(tool) => tool,
        Err(error) => {
            // Help is no failure.
            let code = if error.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
            let _ = error.print();
            return Some(code);
        }
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let outcome = match &tool {
        Tool::Inspect(options) => directory::inspect(options, &mut out),
        Tool::Verify(path) => verify::verify(path, &mut out),
    };
    let outcome = outcome.and_then(|verdict| out.flush().map(|()| verdict));
    Some(match outcome {
        Ok(Verdict::Good) => ExitCode::SUCCESS,
        Ok(Verdict::Damaged) => ExitCode::FAILURE,
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    })
}
