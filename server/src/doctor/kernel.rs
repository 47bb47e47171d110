//! The kernel: its version, io_uring, and the limits it sets to a process.
//!
//! Source: getrlimit(2), listen(2), io_uring_setup(2).

use std::fs;

use rustix::process::{Resource, getrlimit};

use super::finding::Finding;
use crate::config::Config;
use crate::config::memory::human;
use crate::limits::DOCTOR_RING_BYTES;
use crate::machine::{self, spare_descriptors};
use crate::reactor::ring;

/// The bit of CAP_IPC_LOCK, which frees a process from the limit of locked memory.
const IPC_LOCK_BIT: u64 = 1 << 14;

pub(super) fn version(_: &Config) -> Option<Finding> {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    Some(match machine::check_kernel(&release) {
        Ok(()) => Finding::good(format!("Linux {release}")),
        Err(sentence) => Finding::bad(sentence, "install a newer kernel"),
    })
}

pub(super) fn io_uring(_: &Config) -> Option<Finding> {
    Some(match ring::probe() {
        Ok(()) => Finding::good("rings can be made"),
        Err(error) => {
            let sentence = machine::ring_sentence(&error);
            let (sentence, remedy) = sentence.split_once("): ").unwrap_or((&sentence, "ask whoever runs the host"));
            Finding::bad(format!("{sentence})"), remedy)
        }
    })
}

pub(super) fn memlock(config: &Config) -> Option<Finding> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let is_free = capabilities(&status).is_some_and(|bits| bits & IPC_LOCK_BIT != 0);
    Some(judge_memlock(getrlimit(Resource::Memlock).maximum, is_free, config.shards))
}

/// Judges the limit of locked memory, in bytes; a process that `is_free` has none.
fn judge_memlock(limit: Option<u64>, is_free: bool, shards: u16) -> Finding {
    let needed = (u64::from(shards) + 1) * DOCTOR_RING_BYTES;
    match limit {
        None => Finding::good("memory may be locked without limit"),
        Some(_) if is_free => Finding::good("this user may lock memory without limit"),
        Some(bytes) if bytes < needed => Finding::bad(
            format!("{} may be locked, and the rings of {shards} shards take up to {}", human(bytes), human(needed)),
            "raise it: ulimit -l unlimited, or LimitMEMLOCK=infinity in the unit of systemd",
        ),
        Some(bytes) => Finding::good(format!("{} may be locked, of which {} are needed", human(bytes), human(needed))),
    }
}

/// The effective capabilities in the text of `/proc/self/status`.
fn capabilities(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

pub(super) fn nofile(config: &Config) -> Option<Finding> {
    Some(judge_nofile(getrlimit(Resource::Nofile).maximum, config.maxclients, spare_descriptors(config.shards)))
}

/// Judges the hard limit of open files: the soft one is raised by the server itself.
fn judge_nofile(limit: Option<u64>, maxclients: u32, spare: u64) -> Finding {
    let wanted = u64::from(maxclients) + spare;
    let remedy = format!("raise it: ulimit -Hn {wanted}, or LimitNOFILE={wanted} in the unit of systemd");
    match limit {
        None => Finding::good("files may be opened without limit"),
        Some(count) if count <= spare => {
            Finding::bad(format!("only {count} files may be open, which is not enough to start"), remedy)
        }
        Some(count) if count < wanted => {
            Finding::warn(format!("only {count} files may be open: maxclients becomes {}", count - spare), remedy)
        }
        Some(count) => Finding::good(format!("{count} files may be open, enough for {maxclients} clients")),
    }
}

pub(super) fn somaxconn(config: &Config) -> Option<Finding> {
    let text = fs::read_to_string("/proc/sys/net/core/somaxconn").ok()?;
    Some(judge_somaxconn(text.trim().parse().ok()?, config.tcp_backlog))
}

fn judge_somaxconn(limit: u32, backlog: u32) -> Finding {
    if limit >= backlog {
        return Finding::good(format!("{limit} connections may wait to be accepted"));
    }
    Finding::warn(
        format!("only {limit} connections may wait to be accepted, and tcp-backlog asks for {backlog}"),
        format!("sysctl -w net.core.somaxconn={backlog}"),
    )
}

pub(super) fn clock(_: &Config) -> Option<Finding> {
    let text = fs::read_to_string("/sys/devices/system/clocksource/clocksource0/current_clocksource").ok()?;
    Some(judge_clock(text.trim()))
}

fn judge_clock(source: &str) -> Finding {
    match source {
        "hpet" | "acpi_pm" | "jiffies" | "refined-jiffies" => Finding::warn(
            format!("the kernel reads the time from {source}, which takes a microsecond or more"),
            "look for tsc in /sys/devices/system/clocksource/clocksource0/available_clocksource, and in the kernel's \
             log for why it was given up",
        ),
        source => Finding::good(format!("the kernel reads the time from {source}")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn a_limit_of_locked_memory_counts_unless_the_user_is_free_of_it() {
        for (limit, is_free, shards, verdict) in [
            (None, false, 64, Verdict::Good),
            (Some(0), true, 64, Verdict::Good),
            (Some(8 << 20), false, 2, Verdict::Good),
            (Some(8 << 20), false, 64, Verdict::Bad),
            (Some(64 << 10), false, 1, Verdict::Bad),
        ] {
            assert_eq!(judge_memlock(limit, is_free, shards).verdict, verdict, "{limit:?} {is_free} {shards}");
        }
    }

    #[test]
    fn capabilities_are_read() {
        assert_eq!(capabilities("Name:\tx\nCapEff:\t0000000000004000\nCapBnd:\t0\n"), Some(IPC_LOCK_BIT));
        assert_eq!(capabilities(""), None);
    }

    #[test]
    fn a_low_limit_of_open_files_costs_clients_and_a_very_low_one_the_start() {
        for (limit, verdict) in [
            (None, Verdict::Good),
            (Some(10_064), Verdict::Good),
            (Some(10_063), Verdict::Warn),
            (Some(65), Verdict::Warn),
            (Some(64), Verdict::Bad),
        ] {
            assert_eq!(judge_nofile(limit, 10_000, 64).verdict, verdict, "{limit:?}");
        }
        assert!(judge_nofile(Some(1_064), 10_000, 64).sentence.contains("maxclients becomes 1000"));
    }

    #[test]
    fn a_short_queue_and_a_slow_clock_are_warned_of() {
        assert_eq!(judge_somaxconn(128, 511).verdict, Verdict::Warn);
        assert_eq!(judge_somaxconn(4_096, 511).verdict, Verdict::Good);
        assert_eq!(judge_clock("hpet").verdict, Verdict::Warn);
        assert_eq!(judge_clock("kvm-clock").verdict, Verdict::Good);
    }
}
