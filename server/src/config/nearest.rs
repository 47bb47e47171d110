//! The known name nearest to an unknown one.
//!
//! Source: Levenshtein, "Binary codes capable of correcting deletions, insertions, and reversals" (1966).

/// The name in `known` that takes the fewest single-letter changes to become `name`; `None` if that is more than a
/// third of its letters, because then it is another word and not a slip.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let (best, changes) = known.map(|other| (other, distance(name, other))).min_by_key(|(_, changes)| *changes)?;
    (changes * 3 <= best.len().max(name.len())).then_some(best)
}

fn distance(source: &str, target: &str) -> usize {
    let (source, target) = (source.as_bytes(), target.as_bytes());
    let mut row: Vec<usize> = (0..=target.len()).collect();
    for (index, from) in source.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, to) in target.iter().enumerate() {
            let replaced = diagonal + usize::from(!from.eq_ignore_ascii_case(to));
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[target.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_name_and_another_word_finds_none() {
        let known = ["maxmemory", "maxmemory-policy", "port", "timeout"];
        for (name, expected) in [
            ("maxmemry", Some("maxmemory")),
            ("Prot", None),
            ("ports", Some("port")),
            ("time-out", Some("timeout")),
            ("banana", None),
        ] {
            assert_eq!(nearest(name, known.into_iter()), expected, "{name}");
        }
    }
}
