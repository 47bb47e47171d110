//! Flags of meta commands: single letters, some with a token right behind.
//!
//! ```text
//! mg key t v Oabc q          flags: t, v, O(abc), q
//! ```
//!
//! Which flags a command knows, and what their tokens mean, is the command's business; here is what all share: how many
//! there may be, that none comes twice, how long an opaque token may be, how numbers in tokens are read
//! ([`unsigned`], [`signed`]), and the answers to what is wrong ([`BadFlags`]).

use super::line::{self, Words};
use super::request::MetaVerb;
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

/// What is wrong with the flags of a command, or with a key that they say is base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadFlags {
    /// One comes twice.
    Duplicate,
    /// There are too many.
    TooMany,
    /// The command knows no such flag.
    Unknown,
    /// A token is no number where one is wanted.
    Token,
    /// An opaque token is too long.
    OpaqueTooLong,
    /// The key is no base64.
    Key,
}

impl BadFlags {
    /// The line that answers it. memcached tells what is wrong with `mg` and `ms`, and has one answer for `md` and
    /// `ma`, but for opaque tokens; for `me`, which looks at nothing but `b`, it has another.
    pub fn text(self, verb: MetaVerb) -> &'static [u8] {
        match (self, verb) {
            (_, MetaVerb::Debug) => b"CLIENT_ERROR bad command line format\r\n",
            (BadFlags::TooMany, MetaVerb::Get) => b"CLIENT_ERROR options flags are too long\r\n",
            (BadFlags::TooMany, _) => b"CLIENT_ERROR options flags too long\r\n",
            (BadFlags::OpaqueTooLong, _) => b"CLIENT_ERROR opaque token too long\r\n",
            (_, MetaVerb::Delete | MetaVerb::Arithmetic) => b"CLIENT_ERROR invalid or duplicate flag\r\n",
            (BadFlags::Duplicate, _) => b"CLIENT_ERROR duplicate flag\r\n",
            (BadFlags::Unknown, _) => b"CLIENT_ERROR invalid flag\r\n",
            (BadFlags::Token, _) => b"CLIENT_ERROR bad token in command line format\r\n",
            (BadFlags::Key, _) => b"CLIENT_ERROR error decoding key\r\n",
        }
    }
}

impl<'a> Flags<'a> {
    /// Checks the words behind a key. `me` takes any: they are [`checked`](Flags::checked) as they are.
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
            // memcached calls what is no letter a flag that comes twice.
            if !flag.letter.is_ascii_graphic() {
                return Err(BadFlags::Unknown);
            }
            let bit = 1u128 << flag.letter;
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
        Words(self.0).map(|word| Flag { letter: word[0], token: &word[1..] })
    }

    /// Whether there is a flag `letter`.
    pub fn has(self, letter: u8) -> bool {
        self.iter().any(|flag| flag.letter == letter)
    }
}

/// The number in `token`, as `C`, `D`, `F`, `J`, `N` and `R` have it.
///
/// # Errors
/// [`BadFlags::Token`] if it spells no unsigned number of 64 bits.
pub fn unsigned(token: &[u8]) -> Result<u64, BadFlags> {
    line::unsigned(token).ok_or(BadFlags::Token)
}

/// The time in `token`, as `T` has it, which may be negative.
///
/// # Errors
/// [`BadFlags::Token`] if it spells no signed number of 64 bits.
pub fn signed(token: &[u8]) -> Result<i64, BadFlags> {
    line::signed(token).ok_or(BadFlags::Token)
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
        assert_eq!(Flags::parse(b"\xff"), Err(BadFlags::Unknown));
    }

    #[test]
    fn flags_have_bounds() {
        assert_eq!(Flags::parse(&b"P ".repeat(60)), Err(BadFlags::TooMany));
        assert!(Flags::parse(b"a b c d e f g h i j k l m n o p q").is_ok());
        assert_eq!(Flags::parse(b"a b c d e f g h i j k l m n o p q r"), Err(BadFlags::TooMany));
        assert!(Flags::parse(b"O1234567890123456789012345678901").is_ok());
        assert_eq!(Flags::parse(b"O12345678901234567890123456789012"), Err(BadFlags::OpaqueTooLong));
    }

    #[test]
    fn tokens_are_numbers_or_none() {
        assert_eq!(unsigned(b"18446744073709551615"), Ok(u64::MAX));
        assert_eq!(signed(b"-1"), Ok(-1));
        for token in [&b""[..], b"-", b"+", b"1a", b"99999999999999999999"] {
            assert_eq!(unsigned(token), Err(BadFlags::Token));
            assert_eq!(signed(token), Err(BadFlags::Token));
        }
        assert_eq!(unsigned(b"-1"), Err(BadFlags::Token));
    }
}
