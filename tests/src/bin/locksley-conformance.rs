//! Runs conformance cases against a server, or fills in what Debian's `redis-server` answers.
//!
//! ```text
//! locksley-conformance [--record | --redis] [--shards N] [FILE ...]
//! ```
//!
//! Without a file it takes all of `tests/conformance/`. `--redis` plays against `redis-server`; otherwise the
//! subject is `locksley-server` (see `LOCKSLEY_SERVER` in [`locksley_tests::binary`]).

use std::env;
use std::path::Path;
use std::process::ExitCode;

use locksley_tests::cases::{self, CaseFile};
use locksley_tests::record::record;
use locksley_tests::runner::{play_file, start_for};
use locksley_tests::server::Launch;

fn main() -> ExitCode {
    let mut is_recording = false;
    let mut asks_redis = false;
    let mut shards = 1;
    let mut files: Vec<CaseFile> = Vec::new();
    let mut words = env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--record" => is_recording = true,
            "--redis" => asks_redis = true,
            "--shards" => shards = words.next().and_then(|count| count.parse().ok()).unwrap_or(1),
            path => match cases::read(Path::new(path)) {
                Ok(file) => files.push(file),
                Err(error) => {
                    eprintln!("{error}");
                    return ExitCode::FAILURE;
                }
            },
        }
    }
    if files.is_empty() {
        files = cases::all_files();
    }
    let mut failed = 0;
    for file in &files {
        let launch = if is_recording || asks_redis { Launch::redis() } else { Launch::subject().shards(shards) };
        if is_recording {
            match record(file, &start_for(file, launch)) {
                Ok(count) => println!("{}: {count} lines recorded", file.path.display()),
                Err(error) => {
                    eprintln!("{}: {error}", file.path.display());
                    return ExitCode::FAILURE;
                }
            }
        } else {
            let failures = play_file(file, &launch);
            for failure in &failures {
                println!("{failure}\n");
            }
            println!("{}: {} cases, {} failures", file.path.display(), file.cases.len(), failures.len());
            failed += failures.len();
        }
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
