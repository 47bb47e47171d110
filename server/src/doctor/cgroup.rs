//! What the control groups of this process allow: containers and units of systemd are limited by them.
//!
//! Each limit is looked for in the process's own group and in all above it; the least counts. Within a container the
//! group is often mounted as the root, which is looked at too.
//!
//! Source: the kernel's documentation, cgroup-v2 ("memory.max", "cpu.max") and cgroup-v1 ("memory.limit_in_bytes",
//! "cpu.cfs_quota_us").

use std::fs;
use std::path::{Path, PathBuf};

/// Where control groups are mounted.
const ROOT: &str = "/sys/fs/cgroup";

/// From this on a limit of memory of the first version means none.
const ENDLESS_BYTES: u64 = 1 << 60;

/// Most bytes of memory, if there is a limit.
pub(super) fn memory_bytes() -> Option<u64> {
    let bytes = |text: &str| text.trim().parse::<u64>().ok();
    let new = groups("").filter_map(|group| bytes(&fs::read_to_string(group.join("memory.max")).ok()?));
    let old = groups("memory")
        .filter_map(|group| bytes(&fs::read_to_string(group.join("memory.limit_in_bytes")).ok()?))
        .filter(|limit| *limit < ENDLESS_BYTES);
    new.chain(old).min()
}

/// Most processors that may be busy at once, in thousandths, if there is a limit.
pub(super) fn processor_millis() -> Option<u64> {
    let new = groups("").filter_map(|group| share(&fs::read_to_string(group.join("cpu.max")).ok()?));
    let old = groups("cpu").filter_map(|group| {
        let read = |name| fs::read_to_string(group.join(name)).ok();
        share(&format!("{} {}", read("cpu.cfs_quota_us")?.trim(), read("cpu.cfs_period_us")?.trim()))
    });
    new.chain(old).min()
}

/// The thousandths of `QUOTA PERIOD`, as `cpu.max` has them; `None` for a quota that is none.
fn share(text: &str) -> Option<u64> {
    let (quota, period) = text.trim().split_once(' ')?;
    let (quota, period) = (quota.parse::<u64>().ok()?, period.parse::<u64>().ok()?);
    (period > 0).then(|| quota.saturating_mul(1_000) / period)
}

/// The directories of this process's group and of those above it, of a controller of the first version or, without a
/// name, of the second.
fn groups(controller: &str) -> impl Iterator<Item = PathBuf> {
    let text = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let root = Path::new(ROOT).join(controller);
    let own = group_of(&text, controller).unwrap_or_default();
    let own = root.join(own.trim_start_matches('/'));
    let above: Vec<PathBuf> =
        own.ancestors().take_while(|path| path.starts_with(&root)).map(Path::to_path_buf).collect();
    above.into_iter()
}

/// The path of the group in the text of `/proc/self/cgroup`, whose lines are `number:controllers:path`.
fn group_of(text: &str, controller: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        controllers.split(',').any(|name| name == controller).then(|| path.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_quota_of_a_period() {
        for (text, expected) in
            [("150000 100000\n", Some(1_500)), ("max 100000\n", None), ("-1 100000", None), ("", None), ("1 0", None)]
        {
            assert_eq!(share(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_group_is_found_by_its_controller() {
        let text = "4:memory:/a/b\n2:cpu,cpuacct:/c\n0::/d\n";
        for (controller, expected) in [("memory", Some("/a/b")), ("cpu", Some("/c")), ("", Some("/d")), ("pids", None)]
        {
            assert_eq!(group_of(text, controller).as_deref(), expected, "{controller}");
        }
    }
}
