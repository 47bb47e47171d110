//! The interpreter of the environment that `scripts/test` makes, and the programs of `tests/clients/`.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use locksley_tests::binary::workspace;

/// A program of the environment.
pub(crate) fn installed_in_environment(name: &str) -> PathBuf {
    let path = workspace().join("tests/.venv/bin").join(name);
    assert!(path.is_file(), "{} is missing: scripts/test makes it", path.display());
    path
}

/// Runs a program of `tests/clients/` that has to succeed.
pub(crate) fn run_python(program: &str, arguments: &[&str]) {
    let output = Command::new("timeout")
        .arg("120")
        .arg(installed_in_environment("python"))
        .arg(workspace().join("tests/clients").join(program))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("python runs");
    let text = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{program} {arguments:?}\n{}", String::from_utf8_lossy(&text));
}
