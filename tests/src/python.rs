//! The interpreter of the environment that `scripts/test` makes, and programs of this repository that it runs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::binary::workspace;

/// A program of the environment.
///
/// # Panics
///
/// If it is not there.
pub fn installed_in_environment(name: &str) -> PathBuf {
    let path = workspace().join("tests/.venv/bin").join(name);
    assert!(path.is_file(), "{} is missing: scripts/test makes it", path.display());
    path
}

/// Runs a program that has to succeed, given by its path from the root of the workspace, and gives what it printed.
///
/// # Panics
///
/// If it fails, or takes longer than two minutes.
pub fn run_python(program: impl AsRef<Path>, arguments: &[&str]) -> String {
    let program = program.as_ref();
    let output = Command::new("timeout")
        .arg("120")
        .arg(installed_in_environment("python"))
        // What it would leave beside the programs is no part of the repository.
        .arg("-B")
        .arg(workspace().join(program))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("python runs");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(output.status.success(), "{} {arguments:?}\n{text}", program.display());
    text
}
