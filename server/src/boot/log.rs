//! The server's log: lines of text on standard output, or in `logfile`.

use std::fs::OpenOptions;
use std::sync::Mutex;

use tracing::level_filters::LevelFilter;

use crate::config::{Config, LogLevel};

/// Starts the log that `config` asks for.
///
/// # Errors
/// One sentence when the file cannot be written.
pub(super) fn start(config: &Config) -> Result<(), String> {
    let level = match config.loglevel {
        LogLevel::Debug => LevelFilter::TRACE,
        LogLevel::Verbose => LevelFilter::DEBUG,
        LogLevel::Notice => LevelFilter::INFO,
        LogLevel::Warning => LevelFilter::WARN,
        LogLevel::Nothing => LevelFilter::OFF,
    };
    let lines = tracing_subscriber::fmt().with_target(false).with_ansi(false).with_max_level(level);
    if config.logfile.is_empty() {
        lines.init();
        return Ok(());
    }
    let file = OpenOptions::new().create(true).append(true).open(&config.logfile);
    let file = file.map_err(|error| format!("the log file {} cannot be written: {error}", config.logfile))?;
    lines.with_writer(Mutex::new(file)).init();
    Ok(())
}
