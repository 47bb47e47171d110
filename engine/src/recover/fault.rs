//! Why loading stopped.

use std::fmt;
use std::io;

/// Why a data directory cannot be loaded as it is.
#[derive(Debug)]
pub enum Fault {
    /// The disk failed.
    Disk {
        /// Where.
        path: String,
        /// How.
        error: io::Error,
    },
    /// Damage before intact data.
    Damage {
        /// Which file.
        path: String,
        /// Where in it, in bytes.
        offset: u64,
        /// What is wrong and what is behind it, as a sentence.
        sentence: String,
    },
    /// The log and the entries do not fit each other, or do not fit into the memory.
    Mismatch {
        /// Which file.
        path: String,
        /// Where in it, in bytes.
        offset: u64,
        /// What is wrong, as a sentence.
        sentence: String,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Disk { path, error } => write!(formatter, "{path}: {error}"),
            Fault::Damage { path, offset, sentence } | Fault::Mismatch { path, offset, sentence } => {
                write!(formatter, "{path}, offset {offset}: {sentence}")
            }
        }
    }
}

/// The disk's failure at `path`.
pub(super) fn disk_fault(path: &str, error: io::Error) -> Fault {
    Fault::Disk { path: path.to_owned(), error }
}
