//! What is left of a crash: a file in the data directory that says which version broke where, and what it logged last.
//!
//! A panic of any thread ends the process: a shard that is gone is served by nobody else, and what it was doing when an
//! invariant broke must not be written down by others. Before that, the thread that panicked first writes the report;
//! where the data directory takes no file, it goes to standard error.
//!
//! Whoever looks for the fault is often not whoever runs the server, so a report can be passed on as it is: it has no key
//! and no value, no password and no argument of a client. Settings that are secrets are shown as `***`, lines of the log
//! that name a key are left out, and of a message that was put together at run time everything between the first and the
//! last quotation mark or bracket is, because that is how values stand in it.
//!
//! Invariants:
//! - the process ends within [`CRASH_PATIENCE_MS`], whatever the disk and whoever reads standard error do;
//! - there are never more than [`CRASH_REPORT_COUNT_MAX`] reports in a directory, the oldest of them first: a server
//!   that is started and crashes again and again does not fill the disk.

use std::backtrace::Backtrace;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{self, PanicHookInfo};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, TryLockError};
use std::thread;
use std::time::Duration;

use rustix::process::getpid;
use rustix::thread::sched_getaffinity;

use super::moment::Moment;
use super::{LOG, Log, finish};
use crate::config::Config;
use crate::config::settings::SETTINGS;
use crate::limits::{CRASH_PATIENCE_MS, CRASH_REPORT_COUNT_MAX};
use crate::version::LOCKSLEY_VERSION;

/// How the names of reports begin; the time and the process follow.
const PREFIX: &str = "crash-";

/// How they end.
const SUFFIX: &str = ".txt";

/// The settings in force.
static CONFIG: Mutex<Option<Arc<Config>>> = Mutex::new(None);

/// Makes a panic of any thread write a report and end the process.
pub(crate) fn arm() {
    panic::set_hook(Box::new(|broken| {
        static IS_CRASHING: AtomicBool = AtomicBool::new(false);
        if IS_CRASHING.swap(true, Ordering::AcqRel) {
            // The thread that came first ends the process.
            loop {
                thread::park();
            }
        }
        end_soon();
        report(broken);
        process::abort();
    }));
}

/// Takes note of the settings in force.
pub(super) fn remember(config: &Arc<Config>) {
    if let Ok(mut remembered) = CONFIG.lock() {
        *remembered = Some(Arc::clone(config));
    }
}

/// Ends the process after a while, should the report not come to an end.
fn end_soon() {
    let patience = Duration::from_millis(CRASH_PATIENCE_MS);
    let waiting = move || {
        thread::sleep(patience);
        process::abort();
    };
    // Without the thread the report is all the more needed.
    let _ = thread::Builder::new().name("crash".to_owned()).spawn(waiting);
}

fn report(broken: &PanicHookInfo<'_>) {
    let thread = thread::current();
    let crash = Crash {
        moment: Moment::now(),
        thread: thread.name().unwrap_or("-").to_owned(),
        place: broken.location().map(ToString::to_string).unwrap_or_default(),
        message: message(broken),
        backtrace: Backtrace::force_capture().to_string(),
    };
    let config = unless_held(&CONFIG).and_then(|config| config.clone());
    let text = crash.text(config.as_deref(), LOG.get().map(Arc::as_ref));
    let directory = config.as_ref().map_or(Path::new("."), |config| &config.dir);
    let mut sentence = format!("thread {} panicked at {}: {}; ", crash.thread, crash.place, crash.message);
    match save(directory, crash.moment, &text) {
        Ok(path) => {
            let _ = write!(sentence, "the crash report is {}", path.display());
            complain(&sentence);
        }
        Err(error) => {
            let _ = write!(sentence, "the crash report is on standard error ({error})");
            complain(&format!("{text}\n{sentence}"));
        }
    }
    tracing::error!("{sentence}");
    finish();
}

fn complain(text: &str) {
    // There is nobody left to tell of a failure.
    let _ = writeln!(io::stderr(), "{text}");
}

/// What a lock holds, unless it stays held: the thread that panicked may hold it itself.
fn unless_held<T>(lock: &Mutex<T>) -> Option<std::sync::MutexGuard<'_, T>> {
    const TRIES: usize = 50;
    for _ in 0..TRIES {
        match lock.try_lock() {
            Ok(guard) => return Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(1)),
        }
    }
    None
}

/// What a panic says, without what may be data.
fn message(broken: &PanicHookInfo<'_>) -> String {
    if let Some(fixed) = broken.payload().downcast_ref::<&'static str>() {
        return (*fixed).to_owned();
    }
    broken.payload().downcast_ref::<String>().map_or_else(|| "(no message)".to_owned(), |text| without_data(text))
}

/// `message` without everything from its first quotation mark or bracket to its last: keys, values and arguments stand
/// between such marks wherever a panic shows them, and may contain further ones. What `assert` itself says is kept.
fn without_data(message: &str) -> String {
    const KEPT: [&str; 2] = ["assertion `left == right` failed", "assertion `left != right` failed"];
    const MARKS: [char; 6] = ['"', '`', '[', ']', '\u{2018}', '\u{2019}'];
    let kept = KEPT.into_iter().find(|kept| message.starts_with(kept)).map_or(0, str::len);
    let (head, rest) = message.split_at(kept);
    let is_letter = |at: usize| rest[..at].chars().next_back().is_some_and(char::is_alphanumeric);
    // An apostrophe within a word is none of the marks.
    let is_mark = |(at, letter): &(usize, char)| MARKS.contains(letter) || (*letter == '\'' && !is_letter(*at));
    let mut marks = rest.char_indices().filter(is_mark);
    let Some((first, _)) = marks.next() else { return message.to_owned() };
    let end_at = rest.rfind([MARKS.as_slice(), &['\'']].concat().as_slice()).filter(|last| *last > first);
    let tail = end_at.map_or("", |last| {
        let width = rest[last..].chars().next().map_or(0, char::len_utf8);
        &rest[last + width..]
    });
    format!("{head}{}…{tail}", &rest[..first])
}

/// A panic, and where.
#[derive(Debug)]
struct Crash {
    moment: Moment,
    thread: String,
    place: String,
    message: String,
    backtrace: String,
}

impl Crash {
    fn text(&self, config: Option<&Config>, log: Option<&Log>) -> String {
        let system = rustix::system::uname();
        // Threads of shards are kept on one core each; the process is not.
        let cores = sched_getaffinity(Some(getpid())).map_or(0, |cores| cores.count());
        let build = if cfg!(debug_assertions) { "with debug assertions" } else { "release" };
        let uptime = log.map_or(0.0, |log| log.started_at.elapsed().as_secs_f64());
        let mut text = format!(
            "Locksley {LOCKSLEY_VERSION} ended because an invariant of its own broke. Please report this; the text holds \
             no keys, no values and no passwords.\n\n\
             message   {}\nplace     {}\nthread    {}\ntime      {}\nprocess   {}, up {uptime:.3} seconds\n\
             build     {build}, {}\nsystem    {} {}, {cores} cores\n",
            self.message,
            self.place,
            self.thread,
            self.moment,
            process::id(),
            std::env::consts::ARCH,
            system.sysname().to_string_lossy(),
            system.release().to_string_lossy(),
        );
        let _ = write!(text, "\nBacktrace\n\n{}\nSettings\n\n", self.backtrace);
        let settings = config.into_iter().flat_map(|config| SETTINGS.iter().map(move |row| (row, config)));
        for (setting, config) in settings {
            let _ = writeln!(text, "{} {}", setting.name, setting.shown(config));
        }
        text.push_str("\nLast lines of the log\n\n");
        push_lines(log, &mut text);
        text
    }
}

fn push_lines(log: Option<&Log>, text: &mut String) {
    let Some(book) = log.and_then(|log| unless_held(&log.book)) else {
        text.push_str("(none can be had)\n");
        return;
    };
    for line in book.queue.recent() {
        text.push_str(if line.is_keyed { "(a line that names a key)\n" } else { &line.text });
    }
}

/// Writes a report into `directory`; returns its path.
fn save(directory: &Path, moment: Moment, text: &str) -> io::Result<PathBuf> {
    let is_report = |name: &str| name.starts_with(PREFIX) && name.ends_with(SUFFIX);
    let names = fs::read_dir(directory)?.filter_map(Result::ok).map(|entry| entry.file_name());
    if names.filter(|name| name.to_str().is_some_and(is_report)).count() >= CRASH_REPORT_COUNT_MAX {
        let sentence = format!("{} has {CRASH_REPORT_COUNT_MAX} crash reports already", directory.display());
        return Err(io::Error::other(sentence));
    }
    let path = directory.join(format!("{PREFIX}{}-{}{SUFFIX}", moment.compact(), process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    if let Err(error) = written {
        // Half a report says less than the whole one on standard error.
        let _ = fs::remove_file(&path);
        return Err(error);
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::persist::testing::Directory;

    #[test]
    fn a_message_is_told_without_what_may_be_data() {
        for (message, expected) in [
            ("slot 17 is not ours", "slot 17 is not ours"),
            ("it doesn't hold: 3 of 4", "it doesn't hold: 3 of 4"),
            (
                "index out of bounds: the len is 3 but the index is 7",
                "index out of bounds: the len is 3 but the index is 7",
            ),
            (
                "assertion `left == right` failed\n  left: 1\n right: 2",
                "assertion `left == right` failed\n  left: 1\n right: 2",
            ),
            (
                "assertion `left == right` failed: of the table\n  left: \"secret\"\n right: \"s\\\"ecret\"",
                "assertion `left == right` failed: of the table\n  left: …",
            ),
            (
                "assertion `left == right` failed\n  left: [115, 101]\n right: [99]",
                "assertion `left == right` failed\n  left: …",
            ),
            ("key \"a\" b \"c\" at 5", "key … at 5"),
            (
                "byte index 1 is not a char boundary; it is inside 'é' (bytes 0..2) of `é`secret`",
                "byte index 1 is not a char boundary; it is inside …",
            ),
            ("why: Utf8Error { valid_up_to: 3 }", "why: Utf8Error { valid_up_to: 3 }"),
            ("called `Result::unwrap()` on an `Err` value: Kind(NotFound)", "called … value: Kind(NotFound)"),
            ("an open \"mark, then secret", "an open …"),
        ] {
            assert_eq!(without_data(message), expected);
        }
    }

    #[test]
    fn a_directory_takes_so_many_reports() {
        let directory = Directory::new();
        for number in 0..CRASH_REPORT_COUNT_MAX {
            fs::write(directory.path().join(format!("{PREFIX}{number}{SUFFIX}")), "").unwrap();
        }
        let refused = save(directory.path(), Moment::now(), "text").unwrap_err();
        assert!(refused.to_string().contains("crash reports already"), "{refused}");
        fs::remove_file(directory.path().join(format!("{PREFIX}0{SUFFIX}"))).unwrap();
        let path = save(directory.path(), Moment::now(), "text").unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "text");
    }

    #[test]
    fn a_directory_that_takes_no_file_is_an_error() {
        assert!(save(Path::new("/nowhere/at/all"), Moment::now(), "text").is_err());
    }

    #[test]
    fn a_report_names_the_settings_but_no_secret() {
        let crash = Crash {
            moment: Moment::default(),
            thread: "shard-0".to_owned(),
            place: "engine/src/slab.rs:1:2".to_owned(),
            message: "it broke".to_owned(),
            backtrace: "0: main".to_owned(),
        };
        let config = Config { requirepass: "hunter2".to_owned(), ..Config::default() };
        let text = crash.text(Some(&config), None);
        for part in [
            "message   it broke\n",
            "place     engine/src/slab.rs:1:2\n",
            "0: main",
            "\nrequirepass ***\n",
            "\nport 6379\n",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("hunter2"), "{text}");
    }
}
