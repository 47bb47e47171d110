//! Reads a configuration file in the grammar of redis.conf.
//!
//! A line is blank, a comment that begins with `#`, or a setting's name with its values; values with blanks stand in
//! quotes as in inline commands. `include FILE` reads another file in its place.

use std::path::{Path, PathBuf};

use locksley_wire::resp::inline;

use super::directive::{Directive, Place};

/// Files that may include one another before it is taken for a circle.
const INCLUDE_DEPTH_MAX: usize = 16;

/// The directives of the file at `path`, in order, included files in their places.
///
/// # Errors
/// One sentence that names the file and the line.
pub(crate) fn read(path: &Path) -> Result<Vec<Directive>, String> {
    let mut directives = Vec::new();
    read_into(path, 0, &mut directives)?;
    Ok(directives)
}

fn read_into(path: &Path, depth: usize, directives: &mut Vec<Directive>) -> Result<(), String> {
    if depth >= INCLUDE_DEPTH_MAX {
        return Err(format!("{}: files include one another more than {INCLUDE_DEPTH_MAX} deep", path.display()));
    }
    let bytes = std::fs::read(path).map_err(|error| format!("cannot read the file {}: {error}", path.display()))?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{}: the file is not UTF-8 text", path.display()))?;
    for (index, line) in text.lines().enumerate() {
        let place = Place::Line(path.to_owned(), index + 1);
        let Some(directive) = parse_line(line, place)? else { continue };
        if directive.name.eq_ignore_ascii_case("include") {
            for included in &directive.values {
                read_into(&relative_to(path, included), depth + 1, directives)?;
            }
        } else {
            directives.push(directive);
        }
    }
    Ok(())
}

/// The directive of one line, `None` for a blank line or a comment.
///
/// # Errors
/// One sentence when the quotes do not match.
pub(super) fn parse_line(line: &str, place: Place) -> Result<Option<Directive>, String> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let words = inline::split(line.as_bytes()).ok_or_else(|| format!("{place}: the quotes do not match"))?;
    let mut words = words.into_iter().map(|word| String::from_utf8_lossy(&word).into_owned());
    let Some(name) = words.next() else { return Ok(None) };
    Ok(Some(Directive { place, name, values: words.collect() }))
}

/// An included path counts from the folder of the file that includes it.
fn relative_to(path: &Path, included: &str) -> PathBuf {
    path.parent().unwrap_or(Path::new("")).join(included)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_blank_a_comment_or_a_directive() {
        for (line, expected) in [
            ("", None),
            ("   # maxmemory 1gb", None),
            ("maxmemory 1gb", Some(("maxmemory", vec!["1gb"]))),
            ("  bind 127.0.0.1   ::1 ", Some(("bind", vec!["127.0.0.1", "::1"]))),
            ("requirepass \"a b\\x21\"", Some(("requirepass", vec!["a b!"]))),
            ("save \"\"", Some(("save", vec![""]))),
        ] {
            let directive = parse_line(line, Place::CommandLine).expect("the quotes match");
            let found = directive.map(|directive| (directive.name, directive.values));
            let expected =
                expected.map(|(name, values)| (name.to_owned(), values.into_iter().map(str::to_owned).collect()));
            assert_eq!(found, expected, "{line}");
        }
    }

    #[test]
    fn quotes_that_do_not_match_are_an_error_that_names_the_line() {
        let place = Place::Line(PathBuf::from("locksley.conf"), 7);
        let error = parse_line("requirepass \"open", place).expect_err("the quotes do not match");
        assert_eq!(error, "locksley.conf:7: the quotes do not match");
    }
}
