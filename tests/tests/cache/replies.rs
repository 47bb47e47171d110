//! The case files about caches, where the conformance suite does not play them.

use std::fmt::Write as _;

use locksley_tests::cases::{CaseFile, all_files};
use locksley_tests::runner::{Failure, play_file};
use locksley_tests::server::Launch;

use crate::is_redis;

/// The files that are about caches.
fn files() -> Vec<CaseFile> {
    let mut files = all_files();
    files.retain(|file| file.path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("cache-")));
    assert!(files.len() > 3, "only {} files are found", files.len());
    files
}

fn play(files: &[CaseFile], launch: &Launch) {
    if is_redis() {
        return;
    }
    let failures: Vec<Failure> = files.iter().flat_map(|file| play_file(file, launch)).collect();
    let mut text = String::new();
    for failure in &failures {
        write!(text, "\n{failure}\n").expect("a string takes any text");
    }
    assert!(failures.is_empty(), "{} replies differ\n{text}", failures.len());
}

#[test]
fn replies_are_the_same_when_they_are_held_until_durable() {
    play(&files(), &Launch::subject().shards(1).durable("always"));
    play(&files(), &Launch::subject().shards(2).durable("always"));
}

#[test]
fn replies_are_the_same_at_the_port_of_a_shard() {
    let mut files = files();
    for file in &mut files {
        // There is one database there, as in every node of a Redis Cluster.
        file.cases.retain(|case| case.steps.iter().all(|step| step.name().0 != "SELECT"));
    }
    play(&files, &Launch::subject().shards(1).at_shard_port());
    play(&files, &Launch::subject().shards(1).at_shard_port().durable("always"));
}
