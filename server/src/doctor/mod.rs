//! `locksley-server doctor`: whether this machine is fit for a server of these settings, and what to do where it is not.
//!
//! It takes the words that a start takes, looks at the kernel, the limits, memory, cores, the disk and the ports, and says
//! a line for each: `good`, `warn` (the server runs, but not as well as it could, or less safely), or `bad` (it will not
//! start, or not do what it was told to). Nothing is changed; only for the speed of the disk a file is made for a moment.
//!
//! ```text
//! words ─▶ Config ─▶ CHECKS: read something of the machine ─▶ judge it (pure) ─▶ Finding ─▶ a line
//! ```
//!
//! The exit status is 1 if anything is bad.

mod cgroup;
mod disk;
mod exposure;
mod finding;
mod kernel;
mod memory;
mod processor;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use crate::config::Config;
use crate::config::command_line::{self, Request};
use crate::version::LOCKSLEY_VERSION;

use finding::{Finding, Verdict};

/// One thing that is looked at.
struct Check {
    /// What, in a word or two.
    subject: &'static str,
    /// Looks at it; nothing is said where there is nothing to look at.
    look: fn(&Config) -> Option<Finding>,
}

/// Everything that is looked at, in the order of the lines.
static CHECKS: &[Check] = &[
    Check { subject: "kernel", look: kernel::version },
    Check { subject: "io_uring", look: kernel::io_uring },
    Check { subject: "memlock", look: kernel::memlock },
    Check { subject: "nofile", look: kernel::nofile },
    Check { subject: "somaxconn", look: kernel::somaxconn },
    Check { subject: "clock", look: kernel::clock },
    Check { subject: "cores", look: processor::cores },
    Check { subject: "memory", look: memory::limit },
    Check { subject: "huge pages", look: memory::huge_pages },
    Check { subject: "overcommit", look: memory::overcommit },
    Check { subject: "swap", look: memory::swap },
    Check { subject: "directory", look: disk::directory },
    Check { subject: "file system", look: disk::file_system },
    Check { subject: "disk space", look: disk::space },
    Check { subject: "disk sync", look: disk::sync },
    Check { subject: "ports", look: exposure::ports },
    Check { subject: "password", look: exposure::password },
];

const HELP: &str = "\
Says whether this machine is fit for the server, and what to do where it is not

Usage: locksley-server doctor [FILE] [--name value ...]

FILE and the settings are those with which the server is to be started. A line says good, warn (it runs, but not
as well as it could) or bad (it does not start, or not as it was told to). The exit status is 1 if anything is bad.
";

/// Runs the doctor if the command line `words`, the program's name first, asks for it.
pub(crate) fn run(words: &[OsString]) -> Option<ExitCode> {
    if words.get(1)? != "doctor" {
        return None;
    }
    let mut rest = words.to_vec();
    rest.remove(1);
    if rest[1..].iter().any(|word| word == "--help" || word == "-h") {
        return Some(print(HELP, ExitCode::SUCCESS));
    }
    Some(match command_line::read(rest) {
        Ok(Request::Serve(serve)) => {
            let (page, verdict) = examine(serve.config);
            print(&page, if verdict == Verdict::Bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
        }
        Ok(Request::Print(text)) => print(&text, ExitCode::SUCCESS),
        Err(sentence) => {
            eprintln!("{sentence}");
            ExitCode::FAILURE
        }
    })
}

fn print(text: &str, code: ExitCode) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        // Whoever reads has seen enough.
        Ok(()) => code,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => code,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Looks at everything; returns the lines, and the worst verdict.
fn examine(mut config: Config) -> (String, Verdict) {
    if config.shards == 0 {
        config.shards = crate::machine::cores().len() as u16;
    }
    let findings: Vec<(&str, Finding)> =
        CHECKS.iter().filter_map(|check| Some((check.subject, (check.look)(&config)?))).collect();
    let count = |verdict| findings.iter().filter(|(_, finding)| finding.verdict == verdict).count();
    let (good, warn, bad) = (count(Verdict::Good), count(Verdict::Warn), count(Verdict::Bad));
    let mut page = format!("Locksley {LOCKSLEY_VERSION}\n");
    for (subject, finding) in &findings {
        page.push_str(&finding.line(subject));
    }
    let worst = findings.iter().map(|(_, finding)| finding.verdict).max().unwrap_or(Verdict::Good);
    let outcome = match worst {
        Verdict::Good => "this machine is fit for the server",
        Verdict::Warn => "the server runs here, and would be better off with what is said above",
        Verdict::Bad => "the server does not run here as it is told to",
    };
    (format!("{page}{good} good, {warn} warn, {bad} bad: {outcome}\n"), worst)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_named_once() {
        for (index, check) in CHECKS.iter().enumerate() {
            assert!(CHECKS[..index].iter().all(|other| other.subject != check.subject), "{}", check.subject);
        }
    }

    #[test]
    fn only_its_own_name_calls_the_doctor() {
        let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        assert!(run(&words("locksley-server --port 1")).is_none());
        assert!(run(&words("locksley-server doctors")).is_none());
        assert!(run(&words("locksley-server doctor --nonsense 1")).is_some());
    }
}
