//! Runs conformance cases against a server, or fills in what Debian's `redis-server` answers.
//!
//! ```text
//! locksley-conformance [--record | --redis] [--shards N] [FILE ...]
//! ```
//!
//! Without a file it takes all of `tests/conformance/`. `--redis` plays against `redis-server`; otherwise the
//! subject is `locksley-server` (see `LOCKSLEY_SERVER` in [`locksley_tests::binary`]).

use std::process::ExitCode;

use locksley_tests::cases;
use locksley_tests::options::Options;
use locksley_tests::record::record;
use locksley_tests::runner::{play_file, start_for};
use locksley_tests::server::Launch;

fn main() -> ExitCode {
    let options = Options::of_process("--redis");
    let files = match options.files(cases::read, cases::all_files) {
        Ok(files) => files,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let mut failed = 0;
    for file in &files {
        let launch = if options.is_for_model() { Launch::redis() } else { Launch::subject().shards(options.shards) };
        if options.is_recording {
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
