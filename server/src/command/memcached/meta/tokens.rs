//! The tokens of meta flags: numbers and modes, read before anything is done.

use locksley_wire::memcached::meta::Flags;

/// Letters that some meta command knows.
const KNOWN: &[u8] = b"bcCDfFhIJklLMNOPqRstTuv";

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
    /// The first that is none.
    pub(super) fn read(flags: Flags<'_>) -> Result<Tokens, BadToken> {
        let mut tokens = Tokens::default();
        for flag in flags.iter() {
            let token = flag.token;
            match flag.letter {
                b'T' => tokens.exptime = Some(signed(token)?),
                b'N' => tokens.vivify = Some(signed(token)?),
                b'R' => tokens.recache = Some(signed(token)?),
                b'C' => tokens.compare = Some(unsigned(token)?),
                b'D' => tokens.delta = Some(unsigned(token)?),
                b'J' => tokens.initial = Some(unsigned(token)?),
                b'F' => {
                    let flags = unsigned(token).ok().and_then(|flags| u32::try_from(flags).ok());
                    tokens.client_flags = flags.ok_or(BadToken::ClientFlags)?;
                }
                b'M' => match token {
                    [mode] => tokens.mode = Some(*mode),
                    _ => return Err(BadToken::Mode),
                },
                b'I' => tokens.invalidates = true,
                b'q' => tokens.is_quiet = true,
                letter if KNOWN.contains(&letter) => {}
                _ => return Err(BadToken::Unknown),
            }
        }
        Ok(tokens)
    }
}

fn signed(token: &[u8]) -> Result<i64, BadToken> {
    let text = std::str::from_utf8(token).map_err(|_| BadToken::Number)?;
    text.parse().map_err(|_| BadToken::Number)
}

fn unsigned(token: &[u8]) -> Result<u64, BadToken> {
    let is_number = !token.is_empty() && token.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(token).ok().filter(|_| is_number).ok_or(BadToken::Number)?;
    text.parse().map_err(|_| BadToken::Number)
}
