//! Parts: what shards that answer together wrote, when it may be a failure's line in place of an answer.

use crate::command::failure::Failure;
use crate::command::row::{Outcome, ReplyPart};

/// Passes on the failure of the first part that is none of what `is_answer` knows; the first shard that failed speaks
/// for all.
pub(super) fn check_parts(parts: &[ReplyPart<'_>], is_answer: impl Fn(&[u8]) -> bool) -> Outcome {
    match parts.iter().find(|part| !is_answer(part.bytes)) {
        Some(part) => {
            let line = String::from_utf8_lossy(part.bytes);
            let text = line.trim_end();
            let sentence = text.strip_prefix("SERVER_ERROR ").unwrap_or(text);
            Err(Failure::new(format_args!("ERR {sentence}")))
        }
        None => Ok(()),
    }
}
