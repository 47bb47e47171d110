//! What a shard answers to its part of a batch: for each of its keys some bytes, or none.
//!
//! ```text
//! [=][length: u32][bytes] [length: u32][bytes] ...
//! ```
//!
//! Lengths are little-endian. A part that begins otherwise is a failure's text, behind
//! [`FAILED_PART`](crate::command::row::FAILED_PART).

use crate::command::failure::Failure;
use crate::command::row::{FAILED_PART, ReplyPart};

/// What a part begins with that has an answer for each key.
const ANSWERS: u8 = b'=';

const _: () = assert!(ANSWERS != FAILED_PART);

/// Begins a part.
pub(super) fn begin(out: &mut Vec<u8>) {
    out.push(ANSWERS);
}

/// Appends the answer for one key: what `write` appends.
#[inline]
pub(super) fn push<E>(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out)?;
    let length = (out.len() - start - 4) as u32;
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
    Ok(())
}

/// The answers of a part in the order of its keys.
///
/// # Errors
/// The shard's failure.
pub(super) fn answers<'a>(part: &ReplyPart<'a>) -> Result<impl Iterator<Item = &'a [u8]> + use<'a>, Failure> {
    let mut rest = match part.bytes {
        [ANSWERS, rest @ ..] => rest,
        [FAILED_PART, text @ ..] => return Err(Failure::new(String::from_utf8_lossy(text))),
        _ => unreachable!("a part is answers or a failure"),
    };
    Ok(std::iter::from_fn(move || {
        let (length, behind) = rest.split_first_chunk()?;
        let (answer, behind) = behind.split_at(u32::from_le_bytes(*length) as usize);
        rest = behind;
        Some(answer)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_as_they_were_written() {
        let mut bytes = Vec::new();
        begin(&mut bytes);
        let written: [&[u8]; 4] = [b"one", b"", &[b'x'; 300], b"-"];
        for answer in written {
            push(&mut bytes, |out| {
                out.extend_from_slice(answer);
                Ok::<(), ()>(())
            })
            .expect("the writer does not fail");
        }
        let part = ReplyPart { bytes: &bytes, key_positions: &[], is_remembered: false };
        assert_eq!(answers(&part).expect("there are answers").collect::<Vec<_>>(), written);
    }

    #[test]
    fn a_failure_is_none_of_them() {
        let part = ReplyPart { bytes: b"-OOM full", key_positions: &[], is_remembered: false };
        assert_eq!(answers(&part).err().map(|failure| failure.text().to_owned()), Some("OOM full".to_owned()));
    }
}
