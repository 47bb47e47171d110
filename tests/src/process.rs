//! A process seen from outside: its memory, its descriptors, signals to it.

use std::fs;
use std::process::Command;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Resident bytes of a process (`VmRSS`).
///
/// # Panics
///
/// If the process is gone.
pub fn resident_bytes(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process lives");
    let kibibytes = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().strip_suffix("kB"))
        .and_then(|number| number.trim().parse::<u64>().ok())
        .expect("/proc has VmRSS in kB");
    kibibytes * 1024
}

/// CPU time that a process has used so far, in clock ticks (user and system).
///
/// # Panics
///
/// If the process is gone.
pub fn cpu_ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process lives");
    // The second field, the name in parentheses, may contain spaces: fields are counted behind it.
    let fields: Vec<&str> = stat.rsplit(')').next().expect("a last part").split_whitespace().collect();
    let tick = |index: usize| fields[index].parse::<u64>().expect("a tick count");
    tick(11) + tick(12)
}

/// Sends a signal by its name (`TERM`, `INT`) to one process.
///
/// # Panics
///
/// If the process is gone.
pub fn signal(pid: u32, name: &str) {
    let status = Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).status().expect("kill runs");
    assert!(status.success(), "kill -{name} {pid} failed");
}

/// Lets this process, and those it starts, have as many descriptors as the machine allows; gives how many.
///
/// # Panics
///
/// If the limit cannot be set, which an unprivileged process may always do up to the hard limit.
pub fn allow_all_descriptors() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
        .expect("the soft limit may be raised to the hard one");
    limit.maximum.unwrap_or(u64::MAX)
}
