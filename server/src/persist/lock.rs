//! The lock of a data directory: one server at a time.
//!
//! The file `lock` in the directory is locked as long as the server runs, and the kernel lets go of it however the
//! server ends: after it has unmapped the memory, which takes a while, so a new server waits a little for an old one.
//! The file holds the process's number, for people.
//!
//! Source: flock(2).

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// Time between two attempts.
const PAUSE: Duration = Duration::from_millis(20);

/// A locked data directory.
#[derive(Debug)]
pub(crate) struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Locks the directory at `path`, waiting up to `patience` for another process to end.
    ///
    /// # Errors
    /// A sentence, when another process has it or it cannot be written.
    pub(crate) fn take(path: &Path, patience: Duration) -> Result<DirectoryLock, String> {
        let name = path.join("lock");
        let failed = |error: io::Error| format!("the data directory {} cannot be locked: {error}", path.display());
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&name);
        let mut file = file.map_err(failed)?;
        let start = Instant::now();
        let mut is_told = false;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(Errno::INTR) => {}
                Err(Errno::WOULDBLOCK) if start.elapsed() < patience => {
                    if !is_told {
                        tracing::info!("waiting for {} to let go of the data directory", holder(&mut file));
                        is_told = true;
                    }
                    thread::sleep(PAUSE);
                }
                Err(Errno::WOULDBLOCK) => {
                    return Err(format!(
                        "the data directory {} is in use by {}: stop that server, or give this one another 'dir'",
                        path.display(),
                        holder(&mut file)
                    ));
                }
                Err(error) => return Err(failed(error.into())),
            }
        }
        let written = file.set_len(0).and_then(|()| file.rewind());
        written.and_then(|()| writeln!(file, "{}", std::process::id())).map_err(failed)?;
        Ok(DirectoryLock { _file: file })
    }
}

/// Who has the lock, as far as the file says.
fn holder(file: &mut File) -> String {
    let mut number = String::new();
    let _ = file.rewind().and_then(|()| file.read_to_string(&mut number));
    match number.trim() {
        "" => "another process".to_owned(),
        number => format!("process {number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::persist::testing::Directory;

    #[test]
    fn a_locked_directory_is_refused_until_it_is_free() {
        let directory = Directory::new();
        let lock = DirectoryLock::take(directory.path(), Duration::ZERO).unwrap();
        let sentence = DirectoryLock::take(directory.path(), Duration::ZERO).unwrap_err();
        let process = format!("process {}", std::process::id());
        assert!(sentence.contains(&process) && sentence.contains(&*directory.path().to_string_lossy()), "{sentence}");
        let path = directory.path().to_owned();
        let waiting = thread::spawn(move || DirectoryLock::take(&path, Duration::from_mins(10)));
        drop(lock);
        waiting.join().unwrap().unwrap();
    }
}
