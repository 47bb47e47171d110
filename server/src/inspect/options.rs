//! The command lines of the tools.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command, value_parser};

/// What is to be done.
#[derive(Debug)]
pub(super) enum Tool {
    /// Show what is there.
    Inspect(Inspect),
    /// Check the data directory there.
    Verify(PathBuf),
}

/// How something is to be shown.
#[derive(Debug)]
pub(super) struct Inspect {
    /// A data directory, a directory in it, or a file.
    pub path: PathBuf,
    /// Records and entries that are shown of each file; `None` for the default: all of a file that is named, none of
    /// the files of a directory.
    pub records: Option<u64>,
    /// Only records and entries of keys that match are shown.
    pub key: Option<String>,
    /// Longest part of a key or value that is shown, in bytes.
    pub bytes_max: usize,
}

/// Understands `words`, the program's name first; `None` if they do not begin with the name of a tool.
pub(super) fn read(words: &[OsString]) -> Option<Result<Tool, clap::Error>> {
    let (name, rest) = (words.get(1)?, &words[1..]);
    match name.to_str()? {
        "inspect" => Some(inspect().try_get_matches_from(rest).map(|matches| Tool::Inspect(Inspect::of(&matches)))),
        "verify" => Some(
            verify()
                .try_get_matches_from(rest)
                .map(|matches| Tool::Verify(matches.get_one::<PathBuf>("DIR").expect("it is required").clone())),
        ),
        _ => None,
    }
}

fn verify() -> Command {
    Command::new("verify")
        .bin_name("locksley-server verify")
        .about(
            "Checks every checksum of a data directory and says what a start would do; reads only, and may run beside \
             a server. The exit status is 1 if anything is damaged.",
        )
        .arg(path("DIR", "The data directory"))
}

fn inspect() -> Command {
    Command::new("inspect")
        .bin_name("locksley-server inspect")
        .about("Shows log segments, records and snapshots; reads only, and may run beside a server")
        .arg(path("PATH", "A data directory, a directory in it, or a file"))
        .arg(
            Arg::new("records")
                .long("records")
                .value_name("COUNT")
                .value_parser(value_parser!(u64))
                .help("Records and entries shown of each file [default: all of a file, none of a directory's]"),
        )
        .arg(
            Arg::new("key")
                .long("key")
                .value_name("PATTERN")
                .help("Show only records and entries of keys that match, as KEYS matches them"),
        )
        .arg(
            Arg::new("bytes")
                .long("bytes")
                .value_name("COUNT")
                .value_parser(value_parser!(u32))
                .default_value("48")
                .help("Longest part of a key or value that is shown"),
        )
}

fn path(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).required(true).value_parser(value_parser!(PathBuf)).help(help)
}

impl Inspect {
    fn of(matches: &ArgMatches) -> Inspect {
        let bytes_max = *matches.get_one::<u32>("bytes").expect("it has a default");
        Inspect {
            path: matches.get_one::<PathBuf>("PATH").expect("it is required").clone(),
            records: matches.get_one("records").copied(),
            key: matches.get_one("key").cloned(),
            bytes_max: bytes_max as usize,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn the_first_word_names_the_tool() {
        assert!(read(&words("locksley-server inspector")).is_none());
        assert!(read(&words("locksley-server --port 1")).is_none());
        assert!(matches!(read(&words("locksley-server inspect")), Some(Err(_))));
        let tool = read(&words("locksley-server inspect data --records 5 --key user:*"));
        let Some(Ok(Tool::Inspect(options))) = tool else { panic!("a tool is named") };
        assert_eq!((options.path, options.records, options.bytes_max), (PathBuf::from("data"), Some(5), 48));
        assert_eq!(options.key.as_deref(), Some("user:*"));
    }
}
