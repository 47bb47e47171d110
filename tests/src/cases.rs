//! Conformance cases as data: the files `tests/conformance/*.cases`.
//!
//! ```text
//! # A comment. Before the first case a file may say how its servers are started:
//! server: --enable-debug-command yes        (both servers)
//! locksley: --cluster-announce-shards yes   (only Locksley)
//! redis: --cluster-enabled yes              (only Redis)
//! password: secret                          (what the runner itself logs in with; such files start in RESP2 only)
//! differs: Redis has no such command        (of every case)
//!
//! case: SET stores a value that GET gives back
//! > SET key "a value"
//! < +OK
//! > GET key
//! < "a value"
//!
//! case: SET IFEQ writes only over the value it names
//! differs: newer than 7.0
//! > SET key new IFEQ old
//! < nil
//! ```
//!
//! Every case starts with empty databases and connections of its own. A request line is `>`, in the quoting of
//! [`text`](crate::text). `b>` sends on a second connection (any small letter names one), `raw>` sends bytes as
//! they are, `until>` repeats the request until the reply fits. The reply lines below it are
//! [patterns](crate::pattern): `<` for both dialects, `2<` and `3<` where RESP2 does not say what follows from
//! RESP3. A line that starts with a space goes on with the line before.
//!
//! `differs: why` marks a case in which Locksley is meant to answer otherwise than Redis 7.0, or that Redis 7.0
//! does not know; it runs against Locksley alone. `only: RESP3` leaves out the other dialect.

use std::fs;
use std::path::{Path, PathBuf};

use crate::pattern::Pattern;
use crate::reply::Protocol;
use crate::text::{Word, split_words};

/// One file of cases.
#[derive(Clone, Debug)]
pub struct CaseFile {
    /// Where it lies.
    pub path: PathBuf,
    /// Flags for both servers.
    pub server_flags: Vec<String>,
    /// Flags for Locksley alone.
    pub locksley_flags: Vec<String>,
    /// Flags for Redis alone.
    pub redis_flags: Vec<String>,
    /// What the runner logs in with.
    pub password: Option<String>,
    /// Why Redis 7.0 is not asked about any case.
    pub differs: Option<String>,
    /// Its cases, in order.
    pub cases: Vec<Case>,
}

/// One case: some requests and what has to come back.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it shows.
    pub title: String,
    /// Line of the title, from 1.
    pub line: usize,
    /// Why Redis 7.0 is not asked.
    pub differs: Option<String>,
    /// The one dialect it runs in; both otherwise.
    pub only: Option<Protocol>,
    /// Its requests.
    pub steps: Vec<Step>,
}

/// One request and its replies.
#[derive(Clone, Debug)]
pub struct Step {
    /// Line of the request, from 1.
    pub line: usize,
    /// The request as it is written.
    pub text: String,
    /// Which connection it goes over; `'a'` unless it is named.
    pub connection: char,
    /// How it is sent.
    pub sending: Sending,
    /// Its words.
    pub words: Vec<Word>,
    /// What has to come back.
    pub replies: Vec<ReplyLine>,
    /// Line of the last reply, or of the request if it has none.
    pub last_line: usize,
}

/// One reply that has to come back.
#[derive(Clone, Debug)]
pub struct ReplyLine {
    /// The dialect, if it holds in one only.
    pub only: Option<Protocol>,
    /// The pattern as it is written.
    pub text: String,
    /// What it has to look like.
    pub pattern: Pattern,
}

/// How a request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sending {
    /// As an array of bulk strings.
    Request,
    /// As it is.
    Raw,
    /// As an array of bulk strings, again and again until the reply fits.
    Until,
}

impl Step {
    /// The words in capital letters that name the command and, if it has one, the subcommand.
    pub fn name(&self) -> (String, Option<String>) {
        let word = |index: usize| match self.words.get(index) {
            Some(Word::Bytes(bytes)) => Some(String::from_utf8_lossy(bytes).to_uppercase()),
            _ => None,
        };
        (word(0).unwrap_or_default(), word(1))
    }

    /// The replies that hold in one dialect.
    pub fn replies_in(&self, protocol: Protocol) -> impl Iterator<Item = &ReplyLine> {
        self.replies.iter().filter(move |line| line.only.is_none_or(|only| only == protocol))
    }
}

/// Every file of cases in `tests/conformance/`, by name.
///
/// # Panics
///
/// If a file cannot be read or is not well written.
pub fn all_files() -> Vec<CaseFile> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance");
    let mut paths: Vec<PathBuf> = fs::read_dir(&directory)
        .expect("tests/conformance can be read")
        .map(|entry| entry.expect("tests/conformance can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "cases"))
        .collect();
    paths.sort();
    paths.iter().map(|path| read(path).unwrap_or_else(|error| panic!("{error}"))).collect()
}

/// Reads one file of cases.
///
/// # Errors
///
/// `path:line: what is wrong`.
pub fn read(path: &Path) -> Result<CaseFile, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    parse(path, &text)
}

fn parse(path: &Path, text: &str) -> Result<CaseFile, String> {
    let mut file = CaseFile {
        path: path.to_owned(),
        server_flags: Vec::new(),
        locksley_flags: Vec::new(),
        redis_flags: Vec::new(),
        password: None,
        differs: None,
        cases: Vec::new(),
    };
    for (line, last_line, text) in logical_lines(text) {
        parse_line(&mut file, line, last_line, &text).map_err(|error| format!("{}:{line}: {error}", path.display()))?;
    }
    Ok(file)
}

/// The lines with something on them, each with the lines that go on with it: first line, last line, text.
fn logical_lines(text: &str) -> Vec<(usize, usize, String)> {
    let mut lines: Vec<(usize, usize, String)> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        if line.starts_with('#') || line.trim().is_empty() {
            continue;
        }
        match lines.last_mut() {
            Some((_, last, text)) if line.starts_with(' ') => {
                text.push(' ');
                text.push_str(line.trim());
                *last = number;
            }
            _ => lines.push((number, number, line.trim_end().to_owned())),
        }
    }
    lines
}

fn parse_line(file: &mut CaseFile, line: usize, last_line: usize, text: &str) -> Result<(), String> {
    if let Some((mark, reply)) = text.split_once('<')
        && let Some((_, only)) = REPLY_MARKS.into_iter().find(|(known, _)| *known == mark)
    {
        let step = file.cases.last_mut().and_then(|case| case.steps.last_mut()).ok_or("a reply without a request")?;
        step.replies.push(ReplyLine { only, text: reply.trim().to_owned(), pattern: Pattern::parse(reply)? });
        step.last_line = last_line;
        return Ok(());
    }
    if let Some((mark, request)) = text.split_once('>')
        && let Some((connection, sending)) = request_mark(mark)
    {
        let case = file.cases.last_mut().ok_or("a request outside a case")?;
        let words = split_words(request)?;
        let text = text.to_owned();
        case.steps.push(Step { line, text, connection, sending, words, replies: Vec::new(), last_line });
        return Ok(());
    }
    let (key, value) = text.split_once(':').ok_or("neither a request, a reply nor a directive")?;
    let value = value.trim();
    let words = || value.split_whitespace().map(str::to_owned);
    match (key, file.cases.last_mut()) {
        ("case", _) => {
            let title = value.to_owned();
            let differs = file.differs.clone();
            file.cases.push(Case { title, line, differs, only: None, steps: Vec::new() });
        }
        ("server", None) => file.server_flags.extend(words()),
        ("locksley", None) => file.locksley_flags.extend(words()),
        ("redis", None) => file.redis_flags.extend(words()),
        ("password", None) => file.password = Some(value.to_owned()),
        ("differs", None) => file.differs = Some(value.to_owned()),
        ("differs", Some(case)) => case.differs = Some(value.to_owned()),
        ("only", Some(case)) => {
            case.only = Some(match value {
                "RESP2" => Protocol::Resp2,
                "RESP3" => Protocol::Resp3,
                other => return Err(format!("not a dialect: {other}")),
            });
        }
        (other, _) => return Err(format!("no such directive here: {other}")),
    }
    Ok(())
}

/// The dialects in which a reply line holds, by what stands before its `<`.
const REPLY_MARKS: [(&str, Option<Protocol>); 3] =
    [("", None), ("2", Some(Protocol::Resp2)), ("3", Some(Protocol::Resp3))];

fn request_mark(mark: &str) -> Option<(char, Sending)> {
    match mark.as_bytes() {
        b"" => Some(('a', Sending::Request)),
        b"raw" => Some(('a', Sending::Raw)),
        b"until" => Some(('a', Sending::Until)),
        [name @ b'a'..=b'z'] => Some((char::from(*name), Sending::Request)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Sending, parse};
    use crate::reply::Protocol;

    #[test]
    fn a_file_is_read() {
        let text = "# words\nserver: --a b\ndiffers: all new\n\ncase: one\n> GET k\n< nil\ncase: two\ndiffers: new\nonly: RESP3\nb> GET\n 'x'\n2< nil\n3< [:1,\n  :2]\nraw> \"PING\\r\\n\"\n";
        let file = parse(Path::new("x.cases"), text).expect("it is well written");
        assert_eq!(file.server_flags, ["--a", "b"]);
        let [one, two] = file.cases.as_slice() else { panic!("two cases") };
        assert_eq!((one.title.as_str(), one.steps.len(), one.steps[0].replies.len()), ("one", 1, 1));
        assert_eq!((two.differs.as_deref(), two.only), (Some("new"), Some(Protocol::Resp3)));
        assert_eq!(one.differs.as_deref(), Some("all new"));
        assert_eq!((two.steps[0].connection, two.steps[0].words.len(), two.steps[0].last_line), ('b', 2, 15));
        assert_eq!(two.steps[0].replies_in(Protocol::Resp2).count(), 1);
        assert_eq!(two.steps[1].sending, Sending::Raw);
    }

    #[test]
    fn a_mistake_is_named_with_its_line() {
        for (text, line) in [("> GET", 1), ("case: a\n< :1", 2), ("case: a\n> GET\n< :x", 3), ("\nnonsense", 2)] {
            let error = parse(Path::new("x.cases"), text).expect_err(text);
            assert!(error.starts_with(&format!("x.cases:{line}: ")), "{error}");
        }
    }
}
