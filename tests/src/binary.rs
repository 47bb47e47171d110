//! Where the programs under test are.
//!
//! The subject is `locksley-server`. `LOCKSLEY_SERVER` names another file to use; without it, cargo is asked to
//! build (or find) the `checked` profile, which keeps every assertion at release speed. A path that ends in
//! `redis-server` makes Debian's server the subject, which shows whether a suite itself is right.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Which program a server process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `locksley-server`.
    Locksley,
    /// Debian's `redis-server`.
    Redis,
}

/// The program under test.
///
/// # Panics
///
/// If it cannot be built.
pub fn subject() -> (Kind, PathBuf) {
    static SUBJECT: OnceLock<PathBuf> = OnceLock::new();
    let path = SUBJECT.get_or_init(|| env::var_os("LOCKSLEY_SERVER").map_or_else(build, PathBuf::from)).clone();
    assert!(path.is_file(), "LOCKSLEY_SERVER is not a file: {}", path.display());
    let kind = if path.ends_with("redis-server") { Kind::Redis } else { Kind::Locksley };
    (kind, path)
}

/// A program of the machine, found in `PATH`.
///
/// # Panics
///
/// If it is not installed.
pub fn installed(name: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| panic!("{name} is not installed; scripts/test installs what the suites need"))
}

/// The root of the workspace.
///
/// # Panics
///
/// Never: this crate lies one directory below it.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace")
}

fn build() -> PathBuf {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--profile", "checked", "-p", "locksley-server", "--message-format", "json"])
        .current_dir(workspace())
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "locksley-server does not build");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == "locksley-server")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .expect("cargo names the executable it built")
}
