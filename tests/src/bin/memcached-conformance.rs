//! Runs memcached's conformance cases against a server, or fills in what Debian's `memcached` answers.
//!
//! ```text
//! memcached-conformance [--record | --oracle] [--shards N] [FILE ...]
//! ```
//!
//! Without a file it takes all of `tests/conformance/memcached/`. `--oracle` plays against `memcached`; otherwise the
//! subject is `locksley-server` (see `LOCKSLEY_SERVER` in [`locksley_tests::binary`]).

use std::env;
use std::path::Path;
use std::process::ExitCode;

use locksley_tests::memcached::cases::{self, CaseFile};
use locksley_tests::memcached::player::{Stage, play_file, record_file};
use locksley_tests::server::Launch;

fn main() -> ExitCode {
    let mut is_recording = false;
    let mut asks_oracle = false;
    let mut shards = 1;
    let mut files: Vec<CaseFile> = Vec::new();
    let mut words = env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--record" => is_recording = true,
            "--oracle" => asks_oracle = true,
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
        let path = file.path.display();
        let stage = if is_recording || asks_oracle {
            Stage::memcached(file)
        } else {
            Stage::locksley(file, &Launch::subject().shards(shards))
        };
        if is_recording {
            match record_file(file, &stage) {
                Ok(count) => println!("{path}: {count} lines recorded"),
                Err(error) => {
                    eprintln!("{path}: {error}");
                    return ExitCode::FAILURE;
                }
            }
        } else {
            let failures = play_file(file, &stage);
            for failure in &failures {
                println!("{failure}\n");
            }
            println!("{path}: {} cases, {} failures", file.cases.len(), failures.len());
            failed += failures.len();
        }
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
