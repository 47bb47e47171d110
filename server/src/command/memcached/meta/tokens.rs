//! The tokens of meta flags: numbers and modes, read before anything is done.

use locksley_wire::memcached::meta::{self, Flag, Flags};

/// Letters that some meta command knows.
const KNOWN: &[u8] = b"AbcCDfFhIJklLMNOPqRstTuv";

/// What the flags of a command say besides which of them there are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tokens {
    /// `T`: an exptime.
    pub exptime: Option<i64>,
    /// `N`: the exptime of an entry that a miss makes.
    pub vivify: Option<i64>,
    /// `R`: seconds of life below which an entry is to be made anew.
    pub recache: Option<i64>,
    /// `C`: the version to compare with.
    pub compare: Option<u64>,
    /// `F`: client flags.
    pub client_flags: u32,
    /// `D`: a delta.
    pub delta: Option<u64>,
    /// `J`: the number of an entry that a miss makes.
    pub initial: Option<u64>,
    /// `M`: how, a letter.
    pub mode: Option<u8>,
    /// `I`: as stale.
    pub invalidates: bool,
    /// `q`: no word of what was to be expected.
    pub is_quiet: bool,
}

/// What is wrong with flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadToken {
    /// No command knows the letter.
    Unknown,
    /// The token is no number.
    Number,
    /// The token of `F` is no number of 32 bits.
    ClientFlags,
    /// The token of `M` is not one letter.
    Mode,
}

impl BadToken {
    /// What `mg` and `ms` answer.
    pub(super) fn text(self) -> &'static str {
        match self {
            BadToken::Unknown => "invalid flag",
            BadToken::Number => "bad token in command line format",
            BadToken::ClientFlags => "bad command line format",
            BadToken::Mode => "incorrect length for M token",
        }
    }
}

/// What `md` and `ma` answer, whatever is wrong.
pub(super) const INVALID_OR_DUPLICATE: &str = "invalid or duplicate flag";

impl Tokens {
    /// Reads the tokens of `flags`.
    ///
    /// # Errors
    /// The first letter that is no flag; else the last token that is none.
    pub(super) fn read(flags: Flags<'_>) -> Result<Tokens, BadToken> {
        let mut tokens = Tokens::default();
        let mut read = Ok(());
        for flag in flags.iter() {
            match tokens.take(flag) {
                Err(BadToken::Unknown) => return Err(BadToken::Unknown),
                Err(bad) => read = Err(bad),
                Ok(()) => {}
            }
        }
        read.map(|()| tokens)
    }

    fn take(&mut self, flag: Flag<'_>) -> Result<(), BadToken> {
        let token = flag.token;
        match flag.letter {
            b'T' => self.exptime = Some(signed(token)?),
            b'N' => self.vivify = Some(signed(token)?),
            b'R' => self.recache = Some(signed(token)?),
            b'C' => self.compare = Some(unsigned(token)?),
            b'D' => self.delta = Some(unsigned(token)?),
            b'J' => self.initial = Some(unsigned(token)?),
            b'F' => {
                let client_flags = unsigned(token).ok().and_then(|flags| u32::try_from(flags).ok());
                self.client_flags = client_flags.ok_or(BadToken::ClientFlags)?;
            }
            b'M' => match token {
                [mode] => self.mode = Some(*mode),
                _ => return Err(BadToken::Mode),
            },
            b'I' => self.invalidates = true,
            b'q' => self.is_quiet = true,
            letter if KNOWN.contains(&letter) => {}
            _ => return Err(BadToken::Unknown),
        }
        Ok(())
    }
}

fn signed(token: &[u8]) -> Result<i64, BadToken> {
    meta::signed(token).map_err(|_| BadToken::Number)
}

fn unsigned(token: &[u8]) -> Result<u64, BadToken> {
    meta::unsigned(token).map_err(|_| BadToken::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_that_is_no_flag_is_worse_than_a_token_that_is_none() {
        let cases: [(&str, Option<BadToken>); 8] = [
            ("v t P/x L T-1 N0 R5 C1 D2 J3 F4 Ma I q", None),
            ("Tx v z", Some(BadToken::Unknown)),
            ("z Tx", Some(BadToken::Unknown)),
            ("S1", Some(BadToken::Unknown)),
            ("C-1", Some(BadToken::Number)),
            ("Tx M", Some(BadToken::Mode)),
            ("M Tx", Some(BadToken::Number)),
            ("F4294967296", Some(BadToken::ClientFlags)),
        ];
        for (flags, expected) in cases {
            assert_eq!(Tokens::read(Flags::checked(flags.as_bytes())).err(), expected, "{flags}");
        }
    }
}
