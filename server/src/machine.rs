//! What the machine offers, asked before anything is promised: each thing that is missing is one sentence that says
//! what to do.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that the process needs besides those of its shards and its clients.
const PROCESS_DESCRIPTORS: u64 = 32;

/// Descriptors that a shard needs: its ring, segments and files of a snapshot, and listeners for three doors at two
/// addresses, each of them twice.
const SHARD_DESCRIPTORS: u64 = 24;

/// The oldest kernel that has all that the ring needs.
const KERNEL_OLDEST: (u32, u32) = (6, 1);

/// What was found out about the machine.
#[derive(Debug)]
pub(crate) struct Machine {
    /// The cores this process may run on.
    pub cores: Vec<usize>,
    /// Most clients that descriptors allow.
    pub client_count_max: u32,
    /// What could not be had.
    pub notes: Vec<String>,
}

/// Asks the machine, and raises the limit of open files for `maxclients` clients of `shards` shards, 0 for one a core.
///
/// # Errors
/// One sentence when the server cannot run here.
pub(crate) fn machine(maxclients: u32, shards: u16) -> Result<Machine, String> {
    check_kernel(&rustix::system::uname().release().to_string_lossy())?;
    crate::reactor::ring::probe().map_err(|error| ring_sentence(&error))?;
    let mut notes = Vec::new();
    let client_count_max = raise_descriptors(maxclients, spare_descriptors(shards), &mut notes)?;
    Ok(Machine { cores: cores(), client_count_max, notes })
}

/// Descriptors that a server of `shards` shards, 0 for one a core, needs besides its clients' sockets.
pub(crate) fn spare_descriptors(shards: u16) -> u64 {
    let shards = if shards == 0 { cores().len() as u64 } else { u64::from(shards) };
    PROCESS_DESCRIPTORS + SHARD_DESCRIPTORS * shards
}

/// Keeps the calling thread on one core; what is lost when it cannot be is only speed.
pub(crate) fn pin(core: usize) {
    let mut set = rustix::thread::CpuSet::new();
    set.set(core);
    if let Err(error) = rustix::thread::sched_setaffinity(None, &set) {
        tracing::warn!("a data thread could not be kept on core {core}: {error}");
    }
}

/// The cores that this process may run on.
pub(crate) fn cores() -> Vec<usize> {
    let Ok(set) = rustix::thread::sched_getaffinity(None) else { return vec![0] };
    (0..rustix::thread::CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect()
}

/// Checks that the kernel of this release has all that the server needs.
///
/// # Errors
/// One sentence when it has not.
pub(crate) fn check_kernel(release: &str) -> Result<(), String> {
    let mut numbers = release.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    let (Some(major), Some(minor)) = (numbers.next(), numbers.next()) else { return Ok(()) };
    if (major, minor) >= KERNEL_OLDEST {
        return Ok(());
    }
    let (oldest_major, oldest_minor) = KERNEL_OLDEST;
    Err(format!("Linux {release} is too old: Locksley needs {oldest_major}.{oldest_minor} or newer"))
}

/// Why there is no ring, and what to do.
pub(crate) fn ring_sentence(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::ENOSYS | libc::EACCES) => format!(
            "io_uring is not allowed here ({error}): in a container, start it with --security-opt seccomp=unconfined or \
             a seccomp profile that allows io_uring_setup, io_uring_enter and io_uring_register; on the host, set \
             kernel.io_uring_disabled=0"
        ),
        Some(libc::ENOMEM) => {
            format!("no memory for io_uring ({error}): raise the limit of locked memory (ulimit -l unlimited)")
        }
        _ => format!("io_uring cannot be used: {error}"),
    }
}

/// Raises the limit of open files; returns how many clients it leaves room for beside `spare` others.
fn raise_descriptors(maxclients: u32, spare: u64, notes: &mut Vec<String>) -> Result<u32, String> {
    let wanted = u64::from(maxclients) + spare;
    let limit = getrlimit(Resource::Nofile);
    let current = limit.current.unwrap_or(u64::MAX);
    if current >= wanted {
        return Ok(maxclients);
    }
    let raised = Rlimit { current: Some(wanted), maximum: Some(limit.maximum.unwrap_or(u64::MAX).max(wanted)) };
    if setrlimit(Resource::Nofile, raised).is_ok() {
        return Ok(maxclients);
    }
    let most = limit.maximum.unwrap_or(u64::MAX).min(wanted);
    let reached = match setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: limit.maximum }) {
        Ok(()) => most,
        Err(_) => current,
    };
    let clients = reached.saturating_sub(spare);
    if clients == 0 {
        return Err(format!("{reached} open files are too few: raise the limit (ulimit -n)"));
    }
    notes.push(format!(
        "maxclients is {clients} and not {maxclients}: only {reached} open files are allowed (ulimit -n)"
    ));
    Ok(clients as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_kernel_is_named() {
        for (release, is_fine) in
            [("6.1.0-13-amd64", true), ("6.18.2", true), ("7.0", true), ("5.15.0-91-generic", false), ("6.0", false)]
        {
            assert_eq!(check_kernel(release).is_ok(), is_fine, "{release}");
        }
    }

    #[test]
    fn a_forbidden_ring_names_the_remedy() {
        assert!(ring_sentence(&io::Error::from_raw_os_error(libc::EPERM)).contains("seccomp"));
        assert!(ring_sentence(&io::Error::from_raw_os_error(libc::ENOMEM)).contains("ulimit -l"));
    }
}
