//! redis-py: the programs of `tests/clients/`, in the environment that `scripts/test` makes.

use std::path::Path;

use locksley_tests::python::run_python;

use crate::{shard_ports, start, start_cluster};

/// Runs a program of `tests/clients/`.
fn run(program: &str, arguments: &[&str]) {
    run_python(Path::new("tests/clients").join(program), arguments);
}

#[test]
fn it_works_in_resp2() {
    let server = start();
    run("standalone.py", &[&server.port().to_string(), "2"]);
}

#[test]
fn it_works_in_resp3() {
    let server = start();
    run("standalone.py", &[&server.port().to_string(), "3"]);
}

#[test]
fn it_works_asynchronously() {
    let server = start();
    run("asynchronous.py", &[&server.port().to_string()]);
}

#[test]
fn its_cluster_client_reaches_every_shard() {
    let Some(server) = start_cluster() else { return };
    for port in shard_ports(&server) {
        for protocol in ["2", "3"] {
            run("cluster.py", &[&port.to_string(), protocol]);
        }
    }
}
