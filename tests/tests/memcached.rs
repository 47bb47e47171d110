//! The memcached cases against Debian's `memcached`, and against Locksley with one shard and with two.
//!
//! A line that only one of the two servers answers fails here, unless the case says why they differ.

use std::fmt::Write as _;

use locksley_tests::limits::FAILURES_SHOWN;
use locksley_tests::memcached::cases::{CaseFile, all_files};
use locksley_tests::memcached::player::{Failure, Stage, play_file};

/// Plays every file, each against a server of its own.
fn play_all(start: impl Fn(&CaseFile) -> Stage) {
    let failures: Vec<Failure> = all_files().iter().flat_map(|file| play_file(file, &start(file))).collect();
    if !failures.is_empty() {
        let mut text = format!("{} cases fail\n", failures.len());
        for failure in failures.iter().take(FAILURES_SHOWN) {
            write!(text, "\n{failure}\n").expect("a string takes any text");
        }
        panic!("{text}");
    }
}

#[test]
fn memcached_answers_as_the_cases_say() {
    play_all(Stage::memcached);
}
