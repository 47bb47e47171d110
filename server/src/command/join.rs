//! Joins: one reply made of the replies of several shards.

use locksley_wire::resp::Reply;

use super::failure::Failure;
use super::row::{JoinInput, Outcome};

/// The sum of integer replies.
pub(crate) fn sum(input: &JoinInput<'_>, reply: &mut Reply<'_>) -> Outcome {
    let mut total = 0;
    for part in input.parts {
        total += integer(part.bytes)?;
    }
    reply.integer(total);
    Ok(())
}

/// The reply of the first shard, for commands that every shard answers alike.
pub(crate) fn first(input: &JoinInput<'_>, reply: &mut Reply<'_>) -> Outcome {
    reply.buffer().extend_from_slice(input.parts[0].bytes);
    Ok(())
}

/// Reads `:123\r\n`; a shard's error is passed on.
fn integer(bytes: &[u8]) -> Result<i64, Failure> {
    if let Some(text) = bytes.strip_prefix(b"-") {
        return Err(Failure::new(String::from_utf8_lossy(text).trim_end()));
    }
    let digits = bytes.strip_prefix(b":").and_then(|rest| rest.strip_suffix(b"\r\n"));
    let number = digits.and_then(|digits| std::str::from_utf8(digits).ok()).and_then(|digits| digits.parse().ok());
    Ok(number.expect("an integer handler writes one integer reply"))
}
