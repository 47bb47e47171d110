//! redis-py: the programs of `tests/clients/`, in the environment that `scripts/test` makes.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use locksley_tests::binary::workspace;

use crate::{shard_ports, start, start_cluster};

/// The interpreter of the virtual environment.
fn python() -> PathBuf {
    let path = workspace().join("tests/.venv/bin/python");
    assert!(path.is_file(), "{} is missing: scripts/test makes it", path.display());
    path
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new("timeout")
        .arg("120")
        .arg(python())
        .arg(workspace().join("tests/clients").join(program))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("python runs");
    let text = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{program} {arguments:?}\n{}", String::from_utf8_lossy(&text));
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
