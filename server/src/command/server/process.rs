//! What the kernel says of this process and its machine, read from `/proc` when somebody asks.

use std::fs;

use rustix::process::getpid;
use rustix::thread::sched_getaffinity;

/// Memory and processor time of this process.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::command) struct Usage {
    /// Resident memory, in bytes.
    pub resident_bytes: u64,
    /// Seconds in user mode.
    pub user_seconds: f64,
    /// Seconds in the kernel.
    pub system_seconds: f64,
}

impl Usage {
    /// The usage until now; zeros where `/proc` is missing.
    pub(in crate::command) fn now() -> Usage {
        let text = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let ticks = rustix::param::clock_ticks_per_second();
        Usage::parse(&text, ticks, rustix::param::page_size() as u64)
    }

    /// Reads a line of `/proc/PID/stat`: the name in brackets may hold anything, so what counts begins behind the
    /// last bracket.
    ///
    /// Source: `proc_pid_stat(5)`, fields 14, 15 and 24.
    fn parse(line: &str, ticks_per_second: u64, page_bytes: u64) -> Usage {
        let fields: Vec<&str> = line.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        let seconds = |ticks: u64| ticks as f64 / ticks_per_second.max(1) as f64;
        Usage {
            resident_bytes: field(24) * page_bytes,
            user_seconds: seconds(field(14)),
            system_seconds: seconds(field(15)),
        }
    }
}

/// Processor cores that this process may use: those of its first thread, for the others keep to one each.
pub(super) fn core_count() -> u32 {
    sched_getaffinity(Some(getpid())).map_or(1, |cores| cores.count())
}

/// Memory of the machine, in bytes.
pub(super) fn machine_memory_bytes() -> u64 {
    let info = rustix::system::sysinfo();
    u64::from(info.mem_unit) * info.totalram as u64
}

/// Name and version of the kernel, and the processor: `Linux 6.1.0 x86_64`.
pub(super) fn system_name() -> String {
    let name = rustix::system::uname();
    [name.sysname(), name.release(), name.machine()].map(|part| part.to_string_lossy().into_owned()).join(" ")
}

/// A size as a person reads it, in Redis's units.
pub(super) fn human(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["K", "M", "G", "T", "P"];
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.2}{}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_behind_the_name() {
        let line = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 150 250 0 0 20 0 4 0 99 1000 12 18446744073709551615";
        let usage = Usage::parse(line, 100, 4096);
        assert_eq!(usage, Usage { resident_bytes: 12 * 4096, user_seconds: 1.5, system_seconds: 2.5 });
        assert_eq!(Usage::parse("", 100, 4096), Usage::default());
        assert!(Usage::now().resident_bytes > 0);
    }

    #[test]
    fn sizes_have_units() {
        for (bytes, text) in [(0, "0B"), (1023, "1023B"), (1024, "1.00K"), (1536 * 1024, "1.50M"), (1 << 40, "1.00T")] {
            assert_eq!(human(bytes), text);
        }
    }
}
