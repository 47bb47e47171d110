//! The lock of a data directory: one server at a time.
//!
//! The file `lock` in the directory is locked as long as the server runs, and the kernel lets go of it however the
//! server ends. It holds the process's number, for people.
//!
//! Source: flock(2).

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// A locked data directory.
#[derive(Debug)]
pub(crate) struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Locks the directory at `path`.
    ///
    /// # Errors
    /// A sentence, when another process has it or it cannot be written.
    pub(crate) fn take(path: &Path) -> Result<DirectoryLock, String> {
        let name = path.join("lock");
        let failed = |error: io::Error| format!("the data directory {} cannot be locked: {error}", path.display());
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&name);
        let mut file = file.map_err(failed)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                let holder = holder.trim();
                let holder = if holder.is_empty() { "another process" } else { &format!("process {holder}") };
                return Err(format!(
                    "the data directory {} is in use by {holder}: stop that server, or give this one another 'dir'",
                    path.display()
                ));
            }
            Err(error) => return Err(failed(error.into())),
        }
        let written = file.set_len(0).and_then(|()| file.rewind());
        written.and_then(|()| writeln!(file, "{}", std::process::id())).map_err(failed)?;
        Ok(DirectoryLock { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::persist::testing::Directory;

    #[test]
    fn a_locked_directory_is_refused_until_it_is_free() {
        let directory = Directory::new();
        let lock = DirectoryLock::take(directory.path()).unwrap();
        let sentence = DirectoryLock::take(directory.path()).unwrap_err();
        let process = format!("process {}", std::process::id());
        assert!(sentence.contains(&process) && sentence.contains(&*directory.path().to_string_lossy()), "{sentence}");
        drop(lock);
        DirectoryLock::take(directory.path()).unwrap();
    }
}
