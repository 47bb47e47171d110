//! The conformance cases against Debian's `redis-server`, and against Locksley with one shard and with two.
//!
//! A case that only one of the two servers answers as written fails here, unless it says why with `differs:`.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use locksley_tests::binary::Kind;
use locksley_tests::cases::all_files;
use locksley_tests::limits::FAILURES_SHOWN;
use locksley_tests::reply::Reply;
use locksley_tests::runner::{Failure, play_file};
use locksley_tests::server::Launch;

/// Plays every file, each against a server of its own.
fn play_all(launch: &Launch) {
    let failures: Vec<Failure> = all_files().iter().flat_map(|file| play_file(file, launch)).collect();
    if !failures.is_empty() {
        let mut text = format!("{} replies differ\n", failures.len());
        for failure in failures.iter().take(FAILURES_SHOWN) {
            write!(text, "\n{failure}\n").expect("a string takes any text");
        }
        panic!("{text}");
    }
}

#[test]
fn redis_answers_as_the_cases_say() {
    play_all(&Launch::redis());
}

#[test]
fn one_shard_answers_as_the_cases_say() {
    play_all(&Launch::subject().shards(1));
}

#[test]
fn two_shards_answer_as_the_cases_say() {
    play_all(&Launch::subject().shards(2));
}

/// Names of commands and subcommands (`CLIENT|ID`) that the cases use.
fn covered() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for file in all_files() {
        for step in file.cases.iter().flat_map(|case| &case.steps) {
            let (command, subcommand) = step.name();
            if let Some(subcommand) = subcommand {
                names.insert(format!("{command}|{subcommand}"));
            }
            names.insert(command);
        }
    }
    names
}

#[test]
fn every_row_of_the_command_table_has_a_case() {
    let launch = Launch::subject();
    if launch.kind() == Kind::Redis {
        println!("skipped: redis-server has commands that Locksley does not");
        return;
    }
    let server = launch.start();
    let mut client = server.connect();
    let commands = client.command("COMMAND");
    let name_of = |row: &Reply| row.elements()[0].text().expect("a row starts with its name").to_uppercase();
    let mut missing = Vec::new();
    let covered = covered();
    for row in commands.elements() {
        // The tenth element of a row lists its subcommands, as rows with names like `client|id`.
        let subcommands = row.elements()[9].elements();
        for row in std::iter::once(row).chain(subcommands) {
            let name = name_of(row);
            if !covered.contains(&name) {
                missing.push(name);
            }
        }
    }
    assert!(!commands.elements().is_empty(), "the command table has rows");
    assert!(missing.is_empty(), "no case in tests/conformance uses {missing:?}");
}
