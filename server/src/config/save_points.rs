//! `save`: when snapshots are taken by themselves.
//!
//! Redis's grammar: any number of `seconds changes` pairs. Lines of a file and options of the command line add to one
//! another, the first of them takes the place of the default, and `save ""` clears what was said before it. CONFIG SET
//! sets all of them at once.

/// Pairs of seconds and changes: a snapshot is due when so many changes are so old.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SavePoints(pub Vec<(u64, u64)>);

impl Default for SavePoints {
    fn default() -> SavePoints {
        SavePoints(vec![(3_600, 1)])
    }
}

impl SavePoints {
    /// As Redis prints them.
    pub(crate) fn text(&self) -> String {
        let pairs = self.0.iter().map(|(seconds, changes)| format!("{seconds} {changes}"));
        pairs.collect::<Vec<_>>().join(" ")
    }

    /// The points that `text` says; an empty text says none.
    ///
    /// # Errors
    /// A sentence.
    pub(crate) fn parse(text: &str) -> Result<SavePoints, String> {
        let bad = || "Invalid save parameters".to_owned();
        let words: Vec<&str> = text.split_whitespace().collect();
        if !words.len().is_multiple_of(2) || (words.is_empty() && !text.is_empty()) {
            return Err(bad());
        }
        let number = |word: &str, min: i64| word.parse().ok().filter(|number: &i64| *number >= min).ok_or_else(bad);
        let pair = |pair: &[&str]| Ok((number(pair[0], 1)? as u64, number(pair[1], 0)? as u64));
        words.chunks_exact(2).map(pair).collect::<Result<_, String>>().map(SavePoints)
    }

    /// Adds what a further line says; an empty one clears all.
    ///
    /// # Errors
    /// A sentence; nothing is changed then.
    pub(crate) fn add(&mut self, text: &str) -> Result<(), String> {
        let SavePoints(more) = SavePoints::parse(text)?;
        if more.is_empty() {
            self.0.clear();
        }
        self.0.extend(more);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_pairs() {
        for (text, points) in [
            ("", Some(vec![])),
            ("3600 1", Some(vec![(3_600, 1)])),
            (" 900 1  60 0 ", Some(vec![(900, 1), (60, 0)])),
            (" ", None),
            ("60", None),
            ("60 1 5", None),
            ("0 1", None),
            ("60 -1", None),
            ("60 x", None),
        ] {
            assert_eq!(SavePoints::parse(text).ok(), points.map(SavePoints), "{text:?}");
        }
        assert_eq!(SavePoints(vec![(900, 1), (60, 0)]).text(), "900 1 60 0");
    }

    #[test]
    fn a_further_line_adds_and_an_empty_one_clears() {
        let mut points = SavePoints::default();
        assert!(points.add("5 1").is_ok());
        assert_eq!(points.text(), "3600 1 5 1");
        assert!(points.add("5").is_err());
        assert_eq!(points.text(), "3600 1 5 1");
        assert!(points.add("").is_ok());
        assert_eq!(points.text(), "");
    }
}
