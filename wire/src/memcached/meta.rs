//! Flags of meta commands: single letters, some with a token right behind.
//!
//! ```text
//! mg key t v Oabc q          flags: t, v, O(abc), q
//! ```

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
        todo!()
    }
}

impl<'a> Flags<'a> {
    /// Checks the words behind a key.
    ///
    /// # Errors
    /// When they cannot be flags of any command.
    pub fn parse(_words: &'a [u8]) -> Result<Flags<'a>, BadFlags> {
        todo!()
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
