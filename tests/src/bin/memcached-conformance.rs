//! Runs memcached's conformance cases against a server, or fills in what Debian's `memcached` answers.
//!
//! ```text
//! memcached-conformance [--record | --oracle] [--shards N] [FILE ...]
//! ```
//!
//! Without a file it takes all of `tests/conformance/memcached/`. `--oracle` plays against `memcached`; otherwise the
//! subject is `locksley-server` (see `LOCKSLEY_SERVER` in [`locksley_tests::binary`]).

use std::process::ExitCode;

use locksley_tests::memcached::cases;
use locksley_tests::memcached::player::{Stage, play_file, record_file};
use locksley_tests::options::Options;
use locksley_tests::server::Launch;

fn main() -> ExitCode {
    let options = Options::of_process("--oracle");
    let files = match options.files(cases::read, cases::all_files) {
        Ok(files) => files,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let mut failed = 0;
    for file in &files {
        let path = file.path.display();
        let stage = if options.is_for_model() {
            Stage::memcached(file)
        } else {
            Stage::locksley(file, &Launch::subject().shards(options.shards))
        };
        if options.is_recording {
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
