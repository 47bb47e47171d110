//! Why a command failed, in the words its client reads.

use std::borrow::Cow;
use std::fmt::Display;

use locksley_engine::Refusal;

/// An error reply without its leading `-`: a code in capitals, a space, a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure(Cow<'static, str>);

impl Failure {
    /// The entry is of another type.
    pub(crate) const WRONG_TYPE: Failure =
        Failure::fixed("WRONGTYPE Operation against a key holding the wrong kind of value");
    /// The arguments do not follow the command's grammar.
    pub(crate) const SYNTAX: Failure = Failure::fixed("ERR syntax error");
    /// A number was expected.
    pub(crate) const NOT_INTEGER: Failure = Failure::fixed("ERR value is not an integer or out of range");
    /// A floating-point number was expected.
    pub(crate) const NOT_FLOAT: Failure = Failure::fixed("ERR value is not a valid float");
    /// The key does not exist.
    pub(crate) const NO_SUCH_KEY: Failure = Failure::fixed("ERR no such key");
    /// There is no such database.
    pub(crate) const BAD_DB: Failure = Failure::fixed("ERR DB index is out of range");
    /// The memory limit is reached.
    pub(crate) const OUT_OF_MEMORY: Failure = Failure::fixed("OOM command not allowed when used memory > 'maxmemory'.");
    /// The log has no room: the disk is full, as far as is known here.
    pub(crate) const LOG_FULL: Failure =
        Failure::fixed("MISCONF Errors writing to the AOF file: No space left on device");
    /// A value without a time to live, where each has to have one.
    pub(crate) const TTL_REQUIRED: Failure = Failure::fixed("ERR a value needs a time to live (require-ttl is on)");
    /// No snapshot can be written, and there is no log.
    pub(crate) const SNAPSHOTS_FAIL: Failure = Failure::fixed(
        "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that \
         may modify the data set are disabled, because this instance is configured to report errors during writes if \
         RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about \
         the RDB error.",
    );
    /// The shards are being filled from the data directory.
    pub(crate) const LOADING: Failure = Failure::fixed("LOADING Redis is loading the dataset in memory");
    /// A string would grow beyond its limit.
    pub(crate) const STRING_TOO_LONG: Failure =
        Failure::fixed("ERR string exceeds maximum allowed size (proto-max-bulk-len)");

    /// A failure with a fixed text, code first.
    pub(crate) const fn fixed(text: &'static str) -> Failure {
        Failure(Cow::Borrowed(text))
    }

    /// A failure with a text made for it, code first; line breaks in it become spaces.
    pub(crate) fn new(text: impl Display) -> Failure {
        Failure(Cow::Owned(text.to_string().replace(['\r', '\n'], " ")))
    }

    /// The text, code first.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// What is behind the code.
    pub(crate) fn sentence(&self) -> &str {
        self.0.split_once(' ').map_or(&self.0, |(_, sentence)| sentence)
    }

    /// The code: the first word.
    pub(crate) fn code(&self) -> &str {
        self.0.split(' ').next().unwrap_or("ERR")
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        match refusal {
            Refusal::OutOfMemory { .. } => Failure::OUT_OF_MEMORY,
            Refusal::LogFull => Failure::LOG_FULL,
            Refusal::TtlRequired => Failure::TTL_REQUIRED,
            Refusal::TooManyPrefixes { count } => {
                Failure::new(format_args!("ERR {count} prefixes are still being deleted; try again"))
            }
            Refusal::KeyTooLong { bytes } => Failure::new(format_args!(
                "ERR key is too long ({bytes} bytes, the limit is {})",
                locksley_engine::limits::KEY_BYTES_MAX
            )),
            Refusal::ValueTooLong { .. } => Failure::STRING_TOO_LONG,
        }
    }
}
