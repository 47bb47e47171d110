//! What was found out about one thing, and what to do about it.

use std::fmt::{self, Display, Formatter};

/// Where the sentences of the lines begin.
const WORDS_AT: usize = 19;

/// How things stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    /// As they should.
    Good,
    /// The server runs, but not as well or as safely as it could.
    Warn,
    /// The server does not start, or does not do what it was told to.
    Bad,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub verdict: Verdict,
    /// What is the case, without a full stop.
    pub sentence: String,
    /// What to do; empty where nothing is.
    pub remedy: String,
}

impl Finding {
    pub(super) fn good(sentence: impl Into<String>) -> Finding {
        Finding { verdict: Verdict::Good, sentence: sentence.into(), remedy: String::new() }
    }

    pub(super) fn warn(sentence: impl Into<String>, remedy: impl Into<String>) -> Finding {
        Finding { verdict: Verdict::Warn, sentence: sentence.into(), remedy: remedy.into() }
    }

    pub(super) fn bad(sentence: impl Into<String>, remedy: impl Into<String>) -> Finding {
        Finding { verdict: Verdict::Bad, sentence: sentence.into(), remedy: remedy.into() }
    }

    /// What is said of it: a line, and where there is something to do, a second one.
    pub(super) fn line(&self, subject: &str) -> String {
        let mut line = format!("{}  {subject:<12} {}\n", self.verdict, self.sentence);
        if !self.remedy.is_empty() {
            line.extend([" ".repeat(WORDS_AT).as_str(), "do: ", &self.remedy, "\n"]);
        }
        line
    }
}

impl Display for Verdict {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Verdict::Good => "good",
            Verdict::Warn => "warn",
            Verdict::Bad => "bad ",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_good_or_what_to_do() {
        assert_eq!(Finding::good("there is none").line("swap"), "good  swap         there is none\n");
        let bad = Finding::bad("it is in use", "choose another").line("ports");
        assert_eq!(bad, "bad   ports        it is in use\n                   do: choose another\n");
    }
}
