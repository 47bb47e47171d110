//! Processor time of a process, to the nanosecond, as the scheduler counts it.
//!
//! Source: `/proc/PID/task/*/schedstat`, whose first field is the time a thread ran; `proc(5)`.

use std::{fs, io, path::Path};

use rustix::time::{ClockId, clock_gettime};

/// The time that this process ran so far, threads that ended included, in nanoseconds.
pub(crate) fn own_ns() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// The time that all threads of process `pid` ran so far, in nanoseconds.
///
/// # Errors
/// When the process is gone or the kernel does not tell.
pub(crate) fn process_ns(pid: u32) -> io::Result<u64> {
    let mut total_ns = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread that ended since the directory was opened counts no more.
        total_ns += thread_ns(&thread?.path()).unwrap_or(0);
    }
    Ok(total_ns)
}

fn thread_ns(task: &Path) -> io::Result<u64> {
    let text = fs::read_to_string(task.join("schedstat"))?;
    let field = text.split_ascii_whitespace().next().and_then(|field| field.parse().ok());
    field.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_process_is_seen_to_run() {
        let start_ns = process_ns(std::process::id()).expect("this process exists");
        while process_ns(std::process::id()).expect("this process exists") <= start_ns {}
    }

    #[test]
    fn a_process_that_is_gone_is_an_error() {
        assert!(process_ns(u32::MAX).is_err());
    }
}
