//! Memory: how much there is, and how the kernel gives it.
//!
//! Source: the kernel's documentation, "Transparent Hugepage Support", "Overcommit Accounting"; proc(5).

use std::fs;

use super::cgroup;
use super::finding::Finding;
use crate::config::Config;
use crate::config::memory::human;

/// Of the memory that a server may have, what should be left to its buffers, to the page cache of its log and to the
/// system, in percent.
const SPARE_PERCENT: u64 = 20;

pub(super) fn limit(config: &Config) -> Option<Finding> {
    let machine = meminfo(&fs::read_to_string("/proc/meminfo").ok()?, "MemTotal")?;
    let allowed = cgroup::memory_bytes().map_or(machine, |limit| limit.min(machine));
    Some(judge_limit(config.maxmemory, allowed))
}

/// Judges `maxmemory` where a process may have `allowed` bytes.
fn judge_limit(maxmemory: u64, allowed: u64) -> Finding {
    let sensible = allowed / 100 * (100 - SPARE_PERCENT);
    let remedy = format!("set maxmemory to {}mb or less", sensible >> 20);
    let there = human(allowed);
    match maxmemory {
        0 => Finding::warn(
            format!("maxmemory is not set, and there are {there}: when they are used up, the kernel ends the server"),
            remedy,
        ),
        bytes if bytes > allowed => {
            Finding::bad(format!("maxmemory is {}, and there are only {there}", human(bytes)), remedy)
        }
        bytes if bytes > sensible => Finding::warn(
            format!("maxmemory is {} of {there}: little is left for the system and the log's page cache", human(bytes)),
            remedy,
        ),
        bytes => Finding::good(format!("maxmemory is {} of {there}", human(bytes))),
    }
}

/// The bytes of a line of `/proc/meminfo`.
fn meminfo(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    let kibibytes = line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?;
    Some(kibibytes * 1024)
}

pub(super) fn huge_pages(_: &Config) -> Option<Finding> {
    let text = fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled").ok()?;
    let chosen = text.split_once('[')?.1.split_once(']')?.0;
    Some(judge_huge_pages(chosen))
}

/// Judges the choice of transparent huge pages: the server asks for them where they help, and forks nothing that would
/// have to copy them.
fn judge_huge_pages(chosen: &str) -> Finding {
    match chosen {
        "never" => Finding::warn(
            "transparent huge pages are off: large shards miss the processor's address cache more often",
            "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled",
        ),
        "always" => Finding::warn(
            "transparent huge pages are given to everything: memory that is hardly used counts in steps of 2 MiB",
            "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled",
        ),
        chosen => Finding::good(format!("transparent huge pages are given to those that ask ({chosen})")),
    }
}

pub(super) fn overcommit(config: &Config) -> Option<Finding> {
    let mode = fs::read_to_string("/proc/sys/vm/overcommit_memory").ok()?;
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let left = meminfo(&text, "CommitLimit")?.saturating_sub(meminfo(&text, "Committed_AS")?);
    Some(judge_overcommit(mode.trim(), left, config.maxmemory))
}

/// Judges how the kernel promises memory; `left` bytes may still be promised where it counts.
fn judge_overcommit(mode: &str, left: u64, maxmemory: u64) -> Finding {
    let remedy = "sysctl -w vm.overcommit_memory=0";
    match mode {
        "2" if maxmemory > left => Finding::bad(
            format!(
                "vm.overcommit_memory is 2, and only {} of memory may be promised: writes are refused there",
                human(left)
            ),
            remedy,
        ),
        "2" => Finding::warn(
            format!("vm.overcommit_memory is 2: of memory that others promise themselves, {} are left", human(left)),
            remedy,
        ),
        mode => Finding::good(format!("vm.overcommit_memory is {mode}: what is reserved and not used is free")),
    }
}

pub(super) fn swap(_: &Config) -> Option<Finding> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let swappiness = fs::read_to_string("/proc/sys/vm/swappiness").ok()?;
    Some(judge_swap(meminfo(&text, "SwapTotal")?, swappiness.trim().parse().ok()?))
}

fn judge_swap(total: u64, swappiness: u32) -> Finding {
    let there = human(total);
    match (total, swappiness) {
        (0, _) => Finding::good("there is none"),
        (_, 0..=10) => Finding::good(format!("there are {there}, used only in need (vm.swappiness {swappiness})")),
        _ => Finding::warn(
            format!(
                "there are {there}, and vm.swappiness is {swappiness}: entries that are swapped out are read from the disk"
            ),
            "swapoff -a, or sysctl -w vm.swappiness=1",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn the_memory_limit_fits_the_machine() {
        for (maxmemory, verdict) in
            [(0, Verdict::Warn), (8 * GIB, Verdict::Good), (9 * GIB, Verdict::Warn), (11 * GIB, Verdict::Bad)]
        {
            assert_eq!(judge_limit(maxmemory, 10 * GIB + 1000).verdict, verdict, "{maxmemory}");
        }
        assert!(judge_limit(0, 10 * GIB).remedy.contains("8191mb"));
    }

    #[test]
    fn lines_of_meminfo_are_read_by_their_whole_name() {
        let text = "MemTotal:       24689000 kB\nSwapTotal:          16 kB\nHugePages_Total:   0\n";
        assert_eq!(meminfo(text, "SwapTotal"), Some(16 * 1024));
        assert_eq!((meminfo(text, "Swap"), meminfo(text, "HugePages_Total")), (None, None));
    }

    #[test]
    fn how_the_kernel_gives_memory_is_judged() {
        for (finding, verdict) in [
            (judge_huge_pages("madvise"), Verdict::Good),
            (judge_huge_pages("always"), Verdict::Warn),
            (judge_huge_pages("never"), Verdict::Warn),
            (judge_overcommit("0", 0, GIB), Verdict::Good),
            (judge_overcommit("1", 0, GIB), Verdict::Good),
            (judge_overcommit("2", 2 * GIB, GIB), Verdict::Warn),
            (judge_overcommit("2", GIB, 2 * GIB), Verdict::Bad),
            (judge_swap(0, 60), Verdict::Good),
            (judge_swap(GIB, 1), Verdict::Good),
            (judge_swap(GIB, 60), Verdict::Warn),
        ] {
            assert_eq!(finding.verdict, verdict, "{finding:?}");
        }
    }
}
