//! The command line: `locksley-server [FILE] [--name value ...]`, every setting an option.
//!
//! clap prints the help and splits the words; what they mean is decided where the configuration file's lines are
//! ([`Directive::apply`]), so that both follow one grammar. Settings of Redis that mean nothing here are hidden options.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::ValueRange;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::directive::{Directive, Place, apply_all, unknown};
use super::setting::{Kind, Setting};
use super::settings::SETTINGS;
use super::{Config, file, foreign};

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Request {
    /// Serve with this configuration.
    Serve(Box<Serve>),
    /// Print this and stop: help or version.
    Print(String),
}

/// A configuration to serve with.
#[derive(Debug)]
pub(crate) struct Serve {
    /// The settings.
    pub config: Config,
    /// Settings that were given and have no effect here, each once.
    pub ignored: Vec<&'static str>,
}

/// Understands the command line `words`, the program's name first, and reads the configuration file it names.
///
/// # Errors
/// One sentence for the person who typed it.
pub(crate) fn read(words: impl IntoIterator<Item = OsString>) -> Result<Request, String> {
    let matches = match command().try_get_matches_from(words) {
        Ok(matches) => matches,
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            return Ok(Request::Print(error.render().to_string()));
        }
        Err(error) => return Err(sentence(&error)),
    };
    let mut config = Config { file: matches.get_one::<PathBuf>("FILE").cloned(), ..Config::default() };
    let mut directives = config.file.as_deref().map_or(Ok(Vec::new()), file::read)?;
    directives.extend(given(&matches));
    let ignored = apply_all(&directives, &mut config)?;
    config.repair = matches.get_flag(REPAIR);
    Ok(Request::Serve(Box::new(Serve { config, ignored })))
}

fn command() -> Command {
    let defaults = Config::default();
    let shown = SETTINGS.iter().map(|setting| {
        let default = setting.get(&defaults);
        let default = if default.is_empty() { "\"\"".to_owned() } else { default };
        option(setting.name, setting.grammar())
            .help(format!("{} [default: {default}]", setting.summary))
            .num_args(value_count(setting))
    });
    let repair = Arg::new(REPAIR).long(REPAIR).action(ArgAction::SetTrue).help(
        "If there is damage in the data directory, start with everything that is provably good and move the rest aside",
    );
    let hidden = foreign::names().map(|name| option(name, "VALUE".to_owned()).num_args(0..).hide(true));
    Command::new("locksley-server")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Locksley: an in-memory store and cache, one thread a core, that speaks Redis's protocol")
        .override_usage("locksley-server [FILE] [--name value ...]")
        .after_help(
            "FILE has the grammar of redis.conf. Memory is written 100, 1k, 1kb, 5mb, 15gb.\n\nlocksley-server inspect \
             PATH and locksley-server verify DIR look into a data directory, locksley-server doctor \
             looks at the machine; each has a --help of its own.",
        )
        .arg(Arg::new("FILE").help("Configuration file").value_parser(clap::value_parser!(PathBuf)))
        .args(shown)
        .arg(repair)
        .args(hidden)
        .next_line_help(true)
}

/// The flag that is no setting: it is given for one start.
const REPAIR: &str = "repair";

fn value_count(setting: &Setting) -> ValueRange {
    match setting.kind {
        Kind::Words { .. } => ValueRange::from(1..),
        Kind::List { .. } => ValueRange::from(0..),
        _ => ValueRange::SINGLE,
    }
}

fn option(name: &'static str, grammar: String) -> Arg {
    Arg::new(name).long(name).value_name(grammar).action(ArgAction::Append).allow_negative_numbers(true)
}

/// The options of the command line as directives, in the order they were given.
fn given(matches: &ArgMatches) -> Vec<Directive> {
    let names = SETTINGS.iter().map(|setting| setting.name).chain(foreign::names());
    let mut directives = Vec::new();
    for name in names {
        let Some(occurrences) = matches.get_occurrences::<String>(name) else { continue };
        let mut indices = matches.indices_of(name).into_iter().flatten();
        for values in occurrences {
            let values: Vec<String> = values.cloned().collect();
            let index = indices.by_ref().take(values.len().max(1)).last().unwrap_or(0);
            directives.push((index, Directive { place: Place::CommandLine, name: name.to_owned(), values }));
        }
    }
    directives.sort_by_key(|(index, _)| *index);
    directives.into_iter().map(|(_, directive)| directive).collect()
}

/// clap's error as one sentence.
fn sentence(error: &clap::Error) -> String {
    let argument = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(argument)) => argument.as_str(),
        Some(ContextValue::Strings(arguments)) => arguments.first().map_or("", String::as_str),
        _ => "",
    };
    let name = argument.trim_start_matches('-').split([' ', '=']).next().unwrap_or(argument);
    match error.kind() {
        ErrorKind::UnknownArgument if argument.starts_with("--") => format!("command line: {}", unknown(name)),
        ErrorKind::UnknownArgument => {
            format!("command line: '{argument}' is not understood: settings are written --name value")
        }
        ErrorKind::InvalidValue | ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => {
            format!("command line: {name} needs a value")
        }
        _ => format!("command line: {}", error.to_string().lines().next().unwrap_or("not understood")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serve(words: &[&str]) -> Result<Serve, String> {
        let words = std::iter::once("locksley-server").chain(words.iter().copied()).map(OsString::from);
        match read(words)? {
            Request::Serve(serve) => Ok(*serve),
            Request::Print(text) => panic!("{text}"),
        }
    }

    #[test]
    fn options_follow_redis_grammar() {
        let both =
            ["--port", "7000", "--maxmemory=1gb", "--bind", "127.0.0.1", "::1", "--slowlog-log-slower-than", "-1"];
        let config = serve(&both).expect("the grammar is followed").config;
        assert_eq!((config.port, config.maxmemory, config.slowlog_log_slower_than), (7000, 1 << 30, -1));
        assert_eq!(config.bind, ["127.0.0.1", "::1"]);
    }

    #[test]
    fn the_last_of_two_counts_and_foreign_settings_are_named_once() {
        let serve =
            serve(&["--port", "1", "--hz", "10", "--port", "2", "--hz", "20"]).expect("the grammar is followed");
        assert_eq!((serve.config.port, serve.ignored), (2, vec!["hz"]));
    }

    #[test]
    fn save_points_of_several_options_add_up() {
        let of = |words: &[&str]| serve(words).expect("the grammar is followed").config;
        assert_eq!(of(&["--save", "60", "5", "--save", "10 1"]).save.text(), "60 5 10 1");
        assert_eq!(of(&["--save", ""]).save.text(), "");
        assert_eq!(of(&["--save", "--port", "1"]).save.text(), "");
        assert!(of(&["--repair"]).repair && !of(&[]).repair);
    }

    #[test]
    fn a_slip_is_one_sentence() {
        for (words, error) in [
            (&["--maxmemry", "1"][..], "command line: unknown setting 'maxmemry', did you mean 'maxmemory'?"),
            (&["--port"], "command line: port needs a value"),
            (&["a.conf", "x"], "command line: 'x' is not understood: settings are written --name value"),
            (
                &["/nowhere/locksley.conf"],
                "cannot read the file /nowhere/locksley.conf: No such file or directory (os error 2)",
            ),
        ] {
            assert_eq!(serve(words).expect_err("it is refused"), error, "{words:?}");
        }
    }

    #[test]
    fn the_help_names_every_setting_with_its_default() {
        let Ok(Request::Print(help)) = read(["locksley-server", "--help"].map(OsString::from)) else {
            panic!("no help")
        };
        for setting in SETTINGS {
            assert!(help.contains(&format!("--{}", setting.name)), "{}", setting.name);
        }
        assert!(help.contains("[default: allkeys-s3fifo]") && !help.contains("appendfilename"));
    }
}
