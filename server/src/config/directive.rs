//! One `name value ...` from a configuration file or the command line, and how it gets into a [`Config`].

use std::fmt;
use std::path::PathBuf;

use super::Config;
use super::foreign::{self, Foreign};
use super::nearest::nearest;
use super::setting::{Kind, Setting};
use super::settings::{self, SETTINGS};

/// Where a directive stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A line of a file, counted from 1.
    Line(PathBuf, usize),
    /// The command line.
    CommandLine,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Line(path, line) => write!(formatter, "{}:{line}", path.display()),
            Place::CommandLine => formatter.write_str("command line"),
        }
    }
}

/// A setting's name with its arguments, unquoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Directive {
    /// Where it stands.
    pub place: Place,
    /// The name as it was written, without dashes.
    pub name: String,
    /// What follows the name.
    pub values: Vec<String>,
}

/// Whether a directive of this name came before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mention {
    /// No: what it says takes the place of the default.
    First,
    /// Yes: of a list it says more.
    Further,
}

/// Puts all `directives` into `config`, in their order; returns the names of those that have no effect here, each once.
///
/// # Errors
/// The sentence of the first that is wrong.
pub(crate) fn apply_all(directives: &[Directive], config: &mut Config) -> Result<Vec<&'static str>, String> {
    let mut ignored = Vec::new();
    for (index, directive) in directives.iter().enumerate() {
        let is_same = |other: &Directive| other.name.eq_ignore_ascii_case(&directive.name);
        let mention = if directives[..index].iter().any(is_same) { Mention::Further } else { Mention::First };
        if let Some(name) = directive.apply(config, mention)?
            && !ignored.contains(&name)
        {
            ignored.push(name);
        }
    }
    Ok(ignored)
}

impl Directive {
    /// Puts the directive into `config`; returns the name if it is one that has no effect here.
    ///
    /// # Errors
    /// One sentence that names the place, the setting and what would be right.
    pub(crate) fn apply(&self, config: &mut Config, mention: Mention) -> Result<Option<&'static str>, String> {
        let Some(setting) = settings::find(&self.name) else { return self.apply_foreign(config) };
        let value = self.value_for(setting)?;
        let outcome = match mention {
            Mention::First => setting.set(config, &value),
            Mention::Further => setting.add(config, &value),
        };
        outcome.map_err(|error| format!("{}: {} '{value}': {error}", self.place, setting.name))?;
        Ok(None)
    }

    /// The one value of `setting`; words are joined, others take exactly one.
    fn value_for(&self, setting: &Setting) -> Result<String, String> {
        match (&setting.kind, self.values.as_slice()) {
            // As in Redis, `--save` alone is `--save ""`.
            (Kind::List { .. }, []) => Ok(String::new()),
            (_, []) => Err(format!("{}: {} needs a value ({})", self.place, setting.name, setting.grammar())),
            (_, values) if setting.is_words() => Ok(values.join(" ")),
            (_, [value]) => Ok(value.clone()),
            (_, values) => {
                Err(format!("{}: {} takes one value and {} were given", self.place, setting.name, values.len()))
            }
        }
    }

    fn apply_foreign(&self, config: &mut Config) -> Result<Option<&'static str>, String> {
        let value = self.values.join(" ");
        match foreign::find(&self.name, &value) {
            Some(Foreign::Ignored(name)) => {
                if !name.is_empty() {
                    config.foreign.insert(name, value);
                }
                Ok((!name.is_empty()).then_some(name))
            }
            Some(Foreign::Refused(reason)) => Err(format!("{}: {}: {reason}", self.place, self.name)),
            None => Err(format!("{}: {}", self.place, unknown(&self.name))),
        }
    }
}

/// A sentence about a setting that nobody has, with the nearest one that somebody has.
pub(crate) fn unknown(name: &str) -> String {
    let known = SETTINGS.iter().map(|setting| setting.name).chain(foreign::names());
    match nearest(name, known) {
        Some(near) => format!("unknown setting '{name}', did you mean '{near}'?"),
        None => format!("unknown setting '{name}'; --help lists them all"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, values: &[&str], expected: Result<Option<&'static str>, &str>) {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        let directive = Directive { place: Place::CommandLine, name: name.to_owned(), values };
        let outcome = directive.apply(&mut Config::default(), Mention::First);
        assert_eq!(outcome.as_ref().map(|name| *name).map_err(String::as_str), expected);
    }

    #[test]
    fn lines_of_a_list_add_up_and_replace_the_default() {
        let directive = |name: &str, value: &str| {
            let values = value.split(' ').map(str::to_owned).collect();
            Directive { place: Place::CommandLine, name: name.to_owned(), values }
        };
        for (lines, expected) in [
            (&[][..], "3600 1"),
            (&["900 1"], "900 1"),
            (&["900 1", "300 10 60 5"], "900 1 300 10 60 5"),
            (&["900 1", "", "60 5"], "60 5"),
            (&[""], ""),
        ] {
            let mut config = Config::default();
            let directives: Vec<_> = lines.iter().map(|line| directive("SAVE", line)).collect();
            assert_eq!(apply_all(&directives, &mut config), Ok(Vec::new()));
            assert_eq!(config.save.text(), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_directive_is_applied_ignored_or_refused_with_a_sentence() {
        check("MaxMemory", &["15gb"], Ok(None));
        check("bind", &["127.0.0.1", "::1"], Ok(None));
        check("hz", &["10"], Ok(Some("hz")));
        check("tls-port", &["0"], Ok(None));
        check("maxmemory", &[], Err("command line: maxmemory needs a value (BYTES)"));
        check("maxmemory", &["1", "2"], Err("command line: maxmemory takes one value and 2 were given"));
        check("port", &["x"], Err("command line: port 'x': argument couldn't be parsed into an integer"));
        check("maxmemry", &["1"], Err("command line: unknown setting 'maxmemry', did you mean 'maxmemory'?"));
        check("banana", &["1"], Err("command line: unknown setting 'banana'; --help lists them all"));
        check(
            "rename-command",
            &["FLUSHALL", ""],
            Err("command line: rename-command: commands cannot be renamed or disabled"),
        );
    }
}
