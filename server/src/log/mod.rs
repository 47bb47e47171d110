//! The server's log: lines of text or JSON on standard output or in `logfile`, and what is left of a crash.
//!
//! Anything may say something by the macros of `tracing`. A line must never hold a data thread up: it is put into a
//! bounded queue, and a thread of its own writes it. While the disk is full, or nobody reads standard output, lines are
//! lost and counted, and the next line that can be written says how many.
//!
//! ```text
//! tracing::warn!(..) ─▶ level? ─▶ gate: 10 a second a place ─▶ queue ─▶ thread "log" ─▶ file, standard output
//!                        (one atomic load)                       └─▶ the last lines, for a crash report
//! ```
//!
//! Invariants:
//! - a place whose level is off costs one relaxed load;
//! - no line holds a key, a value, a password or an argument of a client; the one exception is a line of the target
//!   [`KEYED`], whose purpose is to name a key, and which is kept out of crash reports;
//! - a line of the log is one line, whatever was put into it.

pub(crate) mod crash;
mod gate;
mod line;
pub(crate) mod moment;
mod queue;
mod sink;
mod subscriber;

use std::process;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::level_filters::LevelFilter;

use crate::config::{Config, LogFormat, LogLevel};
use crate::limits::LOG_FLUSH_MS;

use gate::Gate;
use line::{Line, Style};
use queue::Queue;
use sink::Sink;
use subscriber::Recorder;

/// The target of lines that are shown however many there are: those of which a start has as many as there is to say.
pub(crate) const WHOLE: &str = "whole";

/// The target of lines that name a key of a user.
pub(crate) const KEYED: &str = "keyed";

/// The log of this process, once there is one.
static LOG: OnceLock<Arc<Log>> = OnceLock::new();

/// What those who say something share with the thread that writes it.
#[derive(Debug)]
struct Log {
    /// Index into [`LEVELS`].
    level: AtomicU8,
    /// A [`Style`].
    style: AtomicU8,
    started_at: Instant,
    book: Mutex<Book>,
    /// Rung when there is something to write.
    to_write: Condvar,
    /// Rung when all is written.
    written: Condvar,
}

/// What waits to be written, and how much every place said.
#[derive(Debug, Default)]
struct Book {
    gate: Gate<Identifier>,
    queue: Queue,
    is_writing: bool,
    is_ending: bool,
}

/// The levels, from nothing to everything.
const LEVELS: [LevelFilter; 6] = [
    LevelFilter::OFF,
    LevelFilter::ERROR,
    LevelFilter::WARN,
    LevelFilter::INFO,
    LevelFilter::DEBUG,
    LevelFilter::TRACE,
];

/// What happened to lines that nobody will read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Lines left out because a place had said enough.
    pub suppressed: u64,
    /// Lines that could not be written.
    pub lost: u64,
}

/// Starts the log that `config` asks for.
///
/// # Errors
/// One sentence when the file cannot be written or the thread not be started.
///
/// # Panics
/// When the process has a log already.
pub(crate) fn start(config: &Config) -> Result<(), String> {
    let sink = Sink::open(&config.logfile)?;
    crash::remember(&Arc::new(config.clone()));
    let log = Arc::new(Log {
        level: AtomicU8::new(index_of(config.loglevel)),
        style: AtomicU8::new(style_of(config.log_format) as u8),
        started_at: Instant::now(),
        book: Mutex::default(),
        to_write: Condvar::new(),
        written: Condvar::new(),
    });
    let writer = Arc::clone(&log);
    let started = thread::Builder::new().name("log".to_owned()).spawn(move || writer.write_all(sink));
    started.map_err(|error| format!("the thread for the log cannot be started: {error}"))?;
    tracing::subscriber::set_global_default(Recorder(Arc::clone(&log))).expect("the log is started once");
    LOG.set(log).expect("the log is started once");
    Ok(())
}

/// Takes over what the settings in force say of the log.
pub(crate) fn adopt(config: &Arc<Config>) {
    let Some(log) = LOG.get() else { return };
    crash::remember(config);
    log.style.store(style_of(config.log_format) as u8, Ordering::Relaxed);
    let level = index_of(config.loglevel);
    if log.level.swap(level, Ordering::Relaxed) != level {
        // Places remember whether they are on.
        tracing::callsite::rebuild_interest_cache();
    }
}

/// What was left out and lost so far.
pub(crate) fn counts() -> Counts {
    LOG.get().map_or_else(Counts::default, |log| {
        let book = log.book();
        Counts { suppressed: book.gate.suppressed_count(), lost: book.queue.lost_count() }
    })
}

/// Waits until everything that was said is written, but not for long; to be called before the process ends.
pub(crate) fn finish() {
    if let Some(log) = LOG.get() {
        log.finish(Duration::from_millis(LOG_FLUSH_MS));
    }
}

/// Ends the process with this status; what was said is written first.
pub(crate) fn exit(status: i32) -> ! {
    finish();
    process::exit(status)
}

fn index_of(level: LogLevel) -> u8 {
    match level {
        LogLevel::Debug => 5,
        LogLevel::Verbose => 4,
        LogLevel::Notice => 3,
        LogLevel::Warning => 2,
        LogLevel::Nothing => 0,
    }
}

fn style_of(format: LogFormat) -> Style {
    match format {
        LogFormat::Text => Style::Text,
        LogFormat::Json => Style::Json,
    }
}

impl Log {
    /// How much is shown.
    fn level(&self) -> LevelFilter {
        LEVELS[usize::from(self.level.load(Ordering::Relaxed))]
    }

    fn style(&self) -> Style {
        if self.style.load(Ordering::Relaxed) == Style::Json as u8 { Style::Json } else { Style::Text }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn elapsed_ms(&self) -> u64 {
        self.started_at.elapsed().as_millis() as u64
    }

    /// Takes a line, from whoever says something.
    fn say(&self, line: Line) {
        self.book().queue.push(line);
        self.to_write.notify_one();
    }

    /// The life of the thread that writes.
    fn write_all(&self, mut sink: Sink) -> ! {
        let mut book = self.book();
        loop {
            let now_ms = self.elapsed_ms();
            let style = self.style();
            let is_ending = book.is_ending;
            for summary in book.gate.take_due(now_ms, is_ending) {
                book.queue.push(summary.line(style));
            }
            if let Some(batch) = book.queue.take() {
                book.is_writing = true;
                drop(book);
                let lost_count = sink.write(&batch, style);
                book = self.book();
                book.queue.count_lost(lost_count);
                book.is_writing = false;
                continue;
            }
            self.written.notify_all();
            book = match book.gate.due_at_ms() {
                None => self.to_write.wait(book).unwrap_or_else(PoisonError::into_inner),
                Some(at_ms) => {
                    let pause = Duration::from_millis(at_ms.saturating_sub(now_ms).max(1));
                    self.to_write.wait_timeout(book, pause).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn finish(&self, patience: Duration) {
        let mut book = self.book();
        book.is_ending = true;
        self.to_write.notify_one();
        let is_busy = |book: &mut Book| book.is_writing || !book.queue.is_empty() || book.gate.due_at_ms().is_some();
        drop(self.written.wait_timeout_while(book, patience, is_busy));
    }
}
