//! Conformance cases of the memcached door as data: the files `tests/conformance/memcached/*.cases`.
//!
//! ```text
//! # A comment. Before the first case a file may say how its servers are started:
//! memcached: -I 2m                        (only memcached)
//! locksley: --memcached-max-value 2mb     (only Locksley)
//!
//! case: a value is stored and given back
//! > set key 5 0 3
//! > abc
//! < STORED
//! > get key
//! < VALUE key 5 3
//! < abc
//! < END
//!
//! case: a touch is a change
//! differs: versions tell all doors about every change, that of the expiry too
//! > gets key
//! ...
//! m< EXISTS
//! l< NOT_FOUND
//! ```
//!
//! Every case starts with nothing stored and with connections of its own. The `>` lines that follow each other are
//! sent at once, each with `\r\n` behind it; the `<` lines below are the lines that have to come back, all of them and
//! nothing else: behind each group of lines the player sends `mn`, and the next line has to be `MN`. The notation of
//! both is that of [`line`](super::line).
//!
//! - `raw>` sends without `\r\n`, and nothing is sent behind it; `b>` sends on a second connection (any small letter
//!   names one); `until>` sends again and again until the lines fit.
//! - `<` alone in front of `...` stands for any lines up to the first that fits the next; `< closed` is the end of the
//!   connection.
//! - `m<` and `l<` are lines of memcached's and of Locksley's answer where these are meant to differ; the case then
//!   says why with `differs:`. `ours:` says why only Locksley is asked.

use std::fs;
use std::path::{Path, PathBuf};

use super::line::Line;

/// One file of cases.
#[derive(Clone, Debug)]
pub struct CaseFile {
    /// Where it lies.
    pub path: PathBuf,
    /// Flags for memcached.
    pub memcached_flags: Vec<String>,
    /// Flags for Locksley.
    pub locksley_flags: Vec<String>,
    /// Its cases, in order.
    pub cases: Vec<Case>,
}

/// One case: some requests and what has to come back.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it shows.
    pub title: String,
    /// Why memcached answers otherwise.
    pub differs: Option<String>,
    /// Why memcached is not asked.
    pub ours: Option<String>,
    /// Its requests.
    pub steps: Vec<Step>,
}

/// Lines that are sent at once, and the lines that answer them.
#[derive(Clone, Debug)]
pub struct Step {
    /// Line of the first request, from 1.
    pub line: usize,
    /// Line of the last line of the step.
    pub last_line: usize,
    /// The requests as they are written.
    pub text: String,
    /// Which connection they go over; `'a'` unless it is named.
    pub connection: char,
    /// How they are sent.
    pub sending: Sending,
    /// What is sent.
    pub requests: Vec<Line>,
    /// What has to come back.
    pub replies: Vec<Reply>,
}

/// One line that has to come back.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The only server that says so.
    pub only: Option<Party>,
    /// The line as it is written.
    pub text: String,
    /// What it has to look like.
    pub expected: Expected,
}

/// What has to come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// A line like this.
    Line(Line),
    /// Any number of lines, up to one that fits what follows.
    Lines,
    /// The end of the connection.
    Closed,
}

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// Debian's memcached.
    Memcached,
    /// The server under test.
    Locksley,
}

/// How the requests of a step are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sending {
    /// As lines.
    Lines,
    /// As they are.
    Raw,
    /// As lines, again and again until the answer fits.
    Until,
}

impl Step {
    /// The lines that `party` has to answer.
    pub fn replies_of(&self, party: Party) -> impl Iterator<Item = &Reply> + Clone {
        self.replies.iter().filter(move |reply| reply.only.is_none_or(|only| only == party))
    }
}

/// Every file of cases in `tests/conformance/memcached/`, by name.
///
/// # Panics
///
/// If a file cannot be read or is not well written.
pub fn all_files() -> Vec<CaseFile> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/memcached");
    let entries = fs::read_dir(&directory).expect("tests/conformance/memcached can be read");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("it can be read").path()).collect();
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
    let (memcached_flags, locksley_flags, cases) = (Vec::new(), Vec::new(), Vec::new());
    let mut file = CaseFile { path: path.to_owned(), memcached_flags, locksley_flags, cases };
    for (index, text) in text.lines().enumerate() {
        if !text.starts_with('#') && !text.trim().is_empty() {
            parse_line(&mut file, index + 1, text)
                .map_err(|error| format!("{}:{}: {error}", path.display(), index + 1))?;
        }
    }
    for case in &file.cases {
        let differing = case.steps.iter().flat_map(|step| &step.replies).any(|reply| reply.only.is_some());
        if differing != case.differs.is_some() {
            return Err(format!("{}: m< and l< go with a differs: {}", path.display(), case.title));
        }
    }
    Ok(file)
}

fn parse_line(file: &mut CaseFile, line: usize, text: &str) -> Result<(), String> {
    if let Some((mark, written)) = text.split_once('<')
        && let Some((_, only)) = REPLY_MARKS.into_iter().find(|(known, _)| *known == mark)
    {
        let step = file.cases.last_mut().and_then(|case| case.steps.last_mut()).ok_or("a reply without a request")?;
        let written = written.strip_prefix(' ').unwrap_or(written);
        let expected = match written {
            "..." => Expected::Lines,
            "closed" => Expected::Closed,
            line => Expected::Line(Line::parse(line)?),
        };
        step.replies.push(Reply { only, text: written.to_owned(), expected });
        step.last_line = line;
        return Ok(());
    }
    if let Some((mark, written)) = text.split_once('>')
        && let Some((connection, sending)) = request_mark(mark)
    {
        let case = file.cases.last_mut().ok_or("a request outside a case")?;
        let request = Line::parse(written.strip_prefix(' ').unwrap_or(written))?;
        match case.steps.last_mut() {
            Some(step)
                if step.replies.is_empty()
                    && step.last_line + 1 == line
                    && (step.connection, step.sending) == (connection, sending) =>
            {
                step.requests.push(request);
                step.text = format!("{}\n    {text}", step.text);
                step.last_line = line;
            }
            _ => {
                let (text, requests, replies) = (text.to_owned(), vec![request], Vec::new());
                case.steps.push(Step { line, last_line: line, text, connection, sending, requests, replies });
            }
        }
        return Ok(());
    }
    let (key, value) = text.split_once(':').ok_or("neither a request, a reply nor a directive")?;
    let value = value.trim();
    let words = || value.split_whitespace().map(str::to_owned);
    match (key, file.cases.last_mut()) {
        ("case", _) => {
            let (title, steps) = (value.to_owned(), Vec::new());
            file.cases.push(Case { title, differs: None, ours: None, steps });
        }
        ("memcached", None) => file.memcached_flags.extend(words()),
        ("locksley", None) => file.locksley_flags.extend(words()),
        ("differs", Some(case)) => case.differs = Some(value.to_owned()),
        ("ours", Some(case)) => case.ours = Some(value.to_owned()),
        (other, _) => return Err(format!("no such directive here: {other}")),
    }
    Ok(())
}

/// Who answers so, by what stands before a reply's `<`.
const REPLY_MARKS: [(&str, Option<Party>); 3] =
    [("", None), ("m", Some(Party::Memcached)), ("l", Some(Party::Locksley))];

fn request_mark(mark: &str) -> Option<(char, Sending)> {
    match mark.as_bytes() {
        b"" => Some(('a', Sending::Lines)),
        b"raw" => Some(('a', Sending::Raw)),
        b"until" => Some(('a', Sending::Until)),
        [name @ b'a'..=b'z'] => Some((char::from(*name), Sending::Lines)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Expected, Party, Sending, parse};

    #[test]
    fn a_file_is_read() {
        let text = "# words\nmemcached: -I 2m\n\ncase: one\n> set k 0 0 1\n> x\n< STORED\n\n> get k\n< ...\n< END\ncase: two\ndiffers: versions\nb> mn\nm< A\nl< closed\nraw> x\n";
        let file = parse(Path::new("x.cases"), text).expect("it is well written");
        assert_eq!(file.memcached_flags, ["-I", "2m"]);
        let [one, two] = file.cases.as_slice() else { panic!("two cases") };
        assert_eq!((one.steps.len(), one.steps[0].requests.len(), one.steps[1].replies.len()), (2, 2, 2));
        assert_eq!(one.steps[1].replies[0].expected, Expected::Lines);
        assert_eq!((two.steps[0].connection, two.steps[1].sending), ('b', Sending::Raw));
        let ours: Vec<_> = two.steps[0].replies_of(Party::Locksley).collect();
        assert_eq!(ours.len(), 1);
        assert_eq!(ours[0].expected, Expected::Closed);
    }

    #[test]
    fn a_mistake_is_named_with_its_line() {
        for (text, line) in [("> get", 1), ("case: a\n< END", 2), ("case: a\n> mn\n< {", 3), ("\nnonsense", 2)] {
            let error = parse(Path::new("x.cases"), text).expect_err(text);
            assert!(error.starts_with(&format!("x.cases:{line}: ")), "{error}");
        }
        assert!(parse(Path::new("x.cases"), "case: a\n> mn\nm< MN").is_err(), "it does not say why they differ");
    }
}
