//! CONFIG: reads, changes and writes down the settings.

use locksley_wire::glob;
use locksley_wire::resp::Reply;

use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::help::help as write_help;
use crate::command::join;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};
use crate::config::Config;
use crate::config::foreign::{self, Foreign};
use crate::config::rewrite::rewrite;
use crate::config::setting::{Change, Setting};
use crate::config::settings::{self, SETTINGS};

const ADMIN: Flags = Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE);

pub(super) static CONFIG: Command = Command {
    name: "config",
    arity: -2,
    flags: Flags::empty(),
    keys: Keys::None,
    categories: &[],
    group: Group::Server,
    since: "2.0.0",
    summary: "A container for commands on the settings",
    complexity: "Depends on subcommand",
    syntax: "",
    run: Run::Container(&[GET, SET, REWRITE, RESETSTAT, HELP]),
};

const GET: Command = Command {
    name: "get",
    arity: -3,
    flags: ADMIN,
    summary: "Returns the settings whose names match a pattern, with their values",
    complexity: "O(N), N the number of settings",
    syntax: "parameter [parameter ...]",
    run: Run::Home(get),
    ..CONFIG_SUBCOMMAND
};

const SET: Command = Command {
    name: "set",
    arity: -4,
    flags: ADMIN,
    summary: "Changes settings while the server runs, all of them or none",
    complexity: "O(N), N the number of settings given",
    syntax: "parameter value [parameter value ...]",
    run: Run::Home(set),
    ..CONFIG_SUBCOMMAND
};

const REWRITE: Command = Command {
    name: "rewrite",
    since: "2.8.0",
    flags: ADMIN,
    summary: "Writes the settings in force to the configuration file",
    run: Run::Home(rewrite_file),
    ..CONFIG_SUBCOMMAND
};

const RESETSTAT: Command = Command {
    name: "resetstat",
    flags: ADMIN,
    summary: "Sets the server's counters to zero",
    run: Run::Every { part: reset_statistics, join: join::first },
    ..CONFIG_SUBCOMMAND
};

const HELP: Command = Command {
    name: "help",
    since: "5.0.0",
    flags: Flags::LOADING.union(Flags::STALE),
    summary: "Says what the subcommands do",
    run: Run::Home(help),
    ..CONFIG_SUBCOMMAND
};

/// What the subcommands share.
const CONFIG_SUBCOMMAND: Command = Command {
    name: "",
    arity: 2,
    flags: ADMIN,
    keys: Keys::None,
    categories: &[],
    group: Group::Server,
    since: "2.0.0",
    summary: "",
    complexity: "O(1)",
    syntax: "",
    run: Run::Home(help),
};

fn get(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let config = &context.thread.config;
    let is_asked =
        |name: &str| args[2..].iter().any(|pattern| glob::matches(pattern, name.as_bytes(), glob::Case::Insensitive));
    let own = SETTINGS.iter().map(|setting| (setting.name, setting.get(config)));
    let found: Vec<_> = own.chain(foreign::shown(config)).filter(|(name, _)| is_asked(name)).collect();
    reply.map(found.len());
    for (name, value) in found {
        reply.bulk(name.as_bytes());
        reply.bulk(value.as_bytes());
    }
    Ok(())
}

fn set(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let pairs = &args[2..];
    if !pairs.len().is_multiple_of(2) {
        return Err(Failure::SYNTAX);
    }
    context.thread.shared.change_config(|config| {
        for (index, pair) in pairs.chunks_exact(2).enumerate() {
            let name = text(pair[0])?;
            if pairs[..index * 2].iter().step_by(2).any(|earlier| earlier.eq_ignore_ascii_case(pair[0])) {
                return Err(refused(name, "duplicate parameter"));
            }
            set_one(config, name, text(pair[1])?)?;
        }
        Ok(())
    })?;
    context.thread.refresh_config();
    for pair in pairs.chunks_exact(2) {
        tell_change(&context.thread.config, pair[0]);
    }
    reply.ok();
    Ok(())
}

/// Logs what a setting is now; those of Redis that do nothing are not spoken of, because some are secrets.
fn tell_change(config: &Config, name: &[u8]) {
    if let Some(setting) = str::from_utf8(name).ok().and_then(settings::find) {
        tracing::info!("CONFIG SET: {} is {} now", setting.name, setting.shown(config));
    }
}

fn set_one(config: &mut Config, name: &str, value: &str) -> Outcome {
    let Some(setting) = settings::find(name) else {
        return match foreign::find(name, value) {
            Some(Foreign::Ignored(known)) => {
                config.foreign.insert(known, value.to_owned());
                Ok(())
            }
            Some(Foreign::Refused(reason)) => Err(refused(name, reason)),
            None => {
                Err(Failure::new(format_args!("ERR Unknown option or number of arguments for CONFIG SET - '{name}'")))
            }
        };
    };
    let Setting { name, change, .. } = setting;
    if *change == Change::AtStart {
        return Err(refused(name, "can't set immutable config"));
    }
    setting.set(config, value).map_err(|error| refused(name, &error))
}

fn refused(name: &str, reason: &str) -> Failure {
    Failure::new(format_args!("ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}"))
}

fn text(bytes: &[u8]) -> Result<&str, Failure> {
    std::str::from_utf8(bytes).map_err(|_| Failure::new("ERR names and values of settings are UTF-8 text"))
}

fn rewrite_file(context: &mut Context<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let config = &context.thread.config;
    let path = config.file.as_ref().ok_or(Failure::new("ERR The server is running without a config file"))?;
    rewrite(path, config).map_err(|error| Failure::new(format_args!("ERR Rewriting config file: {error}")))?;
    reply.ok();
    Ok(())
}

fn reset_statistics(context: &mut Context<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    context.thread.reset_statistics();
    reply.ok();
    Ok(())
}

fn help(_: &mut Context<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let lines = [
        "GET <pattern> [<pattern> ...]",
        "    Return the settings matching the glob-like <pattern>s, with their values.",
        "SET <directive> <value> [<directive> <value> ...]",
        "    Set the configuration <directive>s to <value>s, all or none.",
        "RESETSTAT",
        "    Reset the statistics reported by the INFO command.",
        "REWRITE",
        "    Bring the configuration file in line with the settings in force.",
    ];
    write_help("CONFIG", &lines, reply);
    Ok(())
}
