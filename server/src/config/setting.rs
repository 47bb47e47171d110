//! One setting as data: its name, how it is read, checked and written, and what it is for.

use super::Config;
use super::memory;

/// One setting.
pub(crate) struct Setting {
    /// Its name in lower case, as in Redis where Redis has it.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// When it may change.
    pub change: Change,
    /// What it is for, in one sentence without a full stop.
    pub summary: &'static str,
}

/// When a setting may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// By CONFIG SET too.
    AtRunTime,
    /// Only by the configuration file and the command line.
    AtStart,
}

/// What a setting holds, with its way into and out of [`Config`].
pub(crate) enum Kind {
    /// `yes` or `no`.
    Flag { get: fn(&Config) -> bool, set: fn(&mut Config, bool) },
    /// A whole number from `min` to `max`.
    Number { get: fn(&Config) -> i64, set: fn(&mut Config, i64), min: i64, max: i64 },
    /// An amount of memory from `min` to `max` bytes.
    Memory { get: fn(&Config) -> u64, set: fn(&mut Config, u64), min: u64, max: u64 },
    /// One of some names; `set` says whether it knows the name.
    Choice { names: fn() -> Vec<&'static str>, get: fn(&Config) -> &'static str, set: fn(&mut Config, &str) -> bool },
    /// Any text that only CONFIG GET may show.
    Secret { get: fn(&Config) -> String, set: fn(&mut Config, &str) -> Result<(), String> },
    /// Any text, or one that `set` has its own rules for.
    Text { get: fn(&Config) -> String, set: fn(&mut Config, &str) -> Result<(), String> },
    /// Words; several arguments of a directive are one value.
    Words { get: fn(&Config) -> String, set: fn(&mut Config, &str) -> Result<(), String> },
    /// Words to which a further directive adds; an empty one clears them.
    List {
        get: fn(&Config) -> String,
        set: fn(&mut Config, &str) -> Result<(), String>,
        add: fn(&mut Config, &str) -> Result<(), String>,
        grammar: &'static str,
    },
}

impl Setting {
    /// The value in `config`, as CONFIG GET shows it.
    pub(crate) fn get(&self, config: &Config) -> String {
        match &self.kind {
            Kind::Flag { get, .. } => if get(config) { "yes" } else { "no" }.to_owned(),
            Kind::Number { get, .. } => get(config).to_string(),
            Kind::Memory { get, .. } => get(config).to_string(),
            Kind::Choice { get, .. } => get(config).to_owned(),
            Kind::Secret { get, .. } | Kind::Text { get, .. } | Kind::Words { get, .. } | Kind::List { get, .. } => {
                get(config)
            }
        }
    }

    /// The value in `config` as people may see it in logs and reports: a secret is `***`, what is empty is `""`.
    pub(crate) fn shown(&self, config: &Config) -> String {
        let value = self.get(config);
        match &self.kind {
            _ if value.is_empty() => "\"\"".to_owned(),
            Kind::Secret { .. } => "***".to_owned(),
            Kind::Memory { .. } => memory::brief(value.parse().expect("an amount of memory is a number")),
            _ => value,
        }
    }

    /// Checks `value` and puts it into `config`.
    ///
    /// # Errors
    /// A sentence that says what would be right; `config` is as before.
    pub(crate) fn set(&self, config: &mut Config, value: &str) -> Result<(), String> {
        match &self.kind {
            Kind::Flag { set, .. } => match value.to_ascii_lowercase().as_str() {
                "yes" => set(config, true),
                "no" => set(config, false),
                _ => return Err("argument must be 'yes' or 'no'".to_owned()),
            },
            Kind::Number { set, min, max, .. } => {
                let number = value.parse::<i64>().map_err(|_| "argument couldn't be parsed into an integer")?;
                if !(*min..=*max).contains(&number) {
                    return Err(format!("argument must be between {min} and {max} inclusive"));
                }
                set(config, number);
            }
            Kind::Memory { set, min, max, .. } => {
                let bytes = memory::parse(value).ok_or("argument must be a memory value")?;
                if bytes < *min {
                    return Err(format!("argument must be at least {min} bytes"));
                }
                if bytes > *max {
                    return Err(format!("argument must be at most {max} bytes"));
                }
                set(config, bytes);
            }
            Kind::Choice { names, set, .. } => {
                if !set(config, &value.to_ascii_lowercase()) {
                    return Err(format!("argument(s) must be one of the following: {}", names().join(", ")));
                }
            }
            Kind::Secret { set, .. } | Kind::Text { set, .. } | Kind::Words { set, .. } | Kind::List { set, .. } => {
                set(config, value)?;
            }
        }
        Ok(())
    }

    /// Adds `value` to what earlier directives said, or, where a later directive replaces an earlier, sets it.
    ///
    /// # Errors
    /// As for [`Setting::set`].
    pub(crate) fn add(&self, config: &mut Config, value: &str) -> Result<(), String> {
        match &self.kind {
            Kind::List { add, .. } => add(config, value),
            _ => self.set(config, value),
        }
    }

    /// Whether it is written as several words of a line.
    pub(crate) fn is_words(&self) -> bool {
        matches!(self.kind, Kind::Words { .. } | Kind::List { .. })
    }

    /// What may be written, for `--help` and the docs: `yes|no`, `1..16`, `BYTES`, ...
    pub(crate) fn grammar(&self) -> String {
        match &self.kind {
            Kind::Flag { .. } => "yes|no".to_owned(),
            Kind::Number { min, max, .. } => format!("{min}..{max}"),
            Kind::Memory { .. } => "BYTES".to_owned(),
            Kind::Choice { names, .. } => names().join("|"),
            Kind::Secret { .. } | Kind::Text { .. } => "TEXT".to_owned(),
            Kind::Words { .. } => "WORDS".to_owned(),
            Kind::List { grammar, .. } => (*grammar).to_owned(),
        }
    }
}
