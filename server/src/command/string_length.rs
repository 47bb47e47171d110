//! The longest a string may grow by commands that write a part of it.

use super::context::Context;
use super::failure::Failure;

/// Checks that a string may have `bytes` at `offset`.
///
/// # Errors
/// [`Failure::STRING_TOO_LONG`] when it would pass `proto-max-bulk-len`.
#[inline]
pub(crate) fn check_length(context: &Context<'_>, offset: usize, bytes: usize) -> Result<(), Failure> {
    let limit = context.thread.config.proto_max_bulk_len;
    match offset.checked_add(bytes) {
        Some(length) if length as u64 <= limit => Ok(()),
        _ => Err(Failure::STRING_TOO_LONG),
    }
}
