//! Flags of meta commands: single letters, some with a token right behind.
//!
//! ```text
//! mg key t v Oabc q          flags: t, v, O(abc), q
//! ```

use crate::limits::{MEMCACHED_FLAG_COUNT_MAX as FLAG_COUNT_MAX, MEMCACHED_OPAQUE_BYTES_MAX as OPAQUE_BYTES_MAX};

/// Flags of one command in the order they were sent; none comes twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags<'a>(&'a [u8]);

/// One flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flag<'a> {
    /// Its letter.
    pub letter: u8,
    /// What is right behind it.
    pub token: &'a [u8],
}

/// What is wrong with flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadFlags {
    /// One comes twice: `CLIENT_ERROR duplicate flag`.
    Duplicate,
    /// There are too many.
    TooMany,
    /// An opaque token is too long: `CLIENT_ERROR opaque token too long`.
    OpaqueTooLong,
}

impl BadFlags {
    /// The line that answers it.
    pub fn text(self) -> &'static [u8] {
        match self {
            BadFlags::Duplicate => b"CLIENT_ERROR duplicate flag\r\n",
            BadFlags::TooMany => b"CLIENT_ERROR options flags are too long\r\n",
            BadFlags::OpaqueTooLong => b"CLIENT_ERROR opaque token too long\r\n",
        }
    }
}

impl<'a> Flags<'a> {
    /// Checks the words behind a key.
    ///
    /// # Errors
    /// When they cannot be flags of any command.
    pub fn parse(words: &'a [u8]) -> Result<Flags<'a>, BadFlags> {
        let flags = Flags(words);
        // A line of too many flags is refused for that, whatever they are.
        if flags.iter().nth(FLAG_COUNT_MAX).is_some() {
            return Err(BadFlags::TooMany);
        }
        let mut seen = 0u128;
        for flag in flags.iter() {
            let bit = 1u128 << (flag.letter & 0x7F);
            if seen & bit != 0 {
                return Err(BadFlags::Duplicate);
            }
            seen |= bit;
            if flag.letter == b'O' && flag.token.len() > OPAQUE_BYTES_MAX {
                return Err(BadFlags::OpaqueTooLong);
            }
        }
        Ok(flags)
    }

    /// Flags that were checked before, for the shard that runs the command.
    pub fn checked(words: &'a [u8]) -> Flags<'a> {
        Flags(words)
    }

    /// The words as they were sent.
    pub fn words(self) -> &'a [u8] {
        self.0
    }

    /// The flags in their order.
    pub fn iter(self) -> impl Iterator<Item = Flag<'a>> + Clone {
        let words = self.0.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
        words.map(|word| Flag { letter: word[0], token: &word[1..] })
    }

    /// Whether there is a flag `letter`.
    pub fn has(self, letter: u8) -> bool {
        self.iter().any(|flag| flag.letter == letter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_keep_their_order_and_come_once() {
        let flags = Flags::parse(b"t  v Oabc q").expect("these are flags");
        let shown: Vec<(u8, &[u8])> = flags.iter().map(|flag| (flag.letter, flag.token)).collect();
        assert_eq!(shown, [(b't', &b""[..]), (b'v', b""), (b'O', b"abc"), (b'q', b"")]);
        assert!(flags.has(b'O') && !flags.has(b'k'));
        assert_eq!(Flags::parse(b"k v k"), Err(BadFlags::Duplicate));
        assert_eq!(Flags::parse(&b"P ".repeat(60)), Err(BadFlags::TooMany));
        assert_eq!(Flags::parse(b"O12345678901234567890123456789012"), Err(BadFlags::OpaqueTooLong));
    }
}
