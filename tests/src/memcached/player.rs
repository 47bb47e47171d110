//! Plays the cases of a file against a memcached server and says where it answers otherwise; or writes down what it
//! answers, for a person to read.

use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Display};
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use super::cases::{Case, CaseFile, Expected, Party, Sending, Step};
use super::line::Captures;
use super::{Memcached, MemcachedClient};
use crate::connection::{Connection, Missing};
use crate::limits::{PATIENCE, REPLY_CHARS_SHOWN, REPLY_PATIENCE};
use crate::server::{Launch, Server};
use crate::text::quote;

/// What is sent behind the lines of a step, and its answer.
const FENCE: (&[u8], &[u8]) = (b"mn\r\n", b"MN");

/// One step that is not answered as the case says.
#[derive(Clone, Debug)]
pub struct Failure {
    /// File and line of the request.
    pub place: String,
    /// Title of the case.
    pub title: String,
    /// The requests as they are written.
    pub requests: String,
    /// What was expected next.
    pub expected: String,
    /// What came.
    pub got: String,
}

impl Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, title, requests, expected, got } = self;
        write!(out, "{place}: {title}\n    {requests}\n    expected {expected}\n    got      {got}")
    }
}

/// A server that cases are played against.
#[derive(Debug)]
pub enum Stage {
    /// The model.
    Memcached(Memcached),
    /// The subject.
    Locksley(Box<Server>),
}

impl Stage {
    /// Starts the model as `file` asks for.
    pub fn memcached(file: &CaseFile) -> Self {
        Self::Memcached(Memcached::start(&file.memcached_flags))
    }

    /// Starts the subject as `file` asks for.
    pub fn locksley(file: &CaseFile, launch: &Launch) -> Self {
        let launch = launch.clone().memcached().flags(file.locksley_flags.iter().cloned());
        Self::Locksley(Box::new(launch.start()))
    }

    /// Which server it is.
    pub fn party(&self) -> Party {
        match self {
            Self::Memcached(_) => Party::Memcached,
            Self::Locksley(_) => Party::Locksley,
        }
    }

    /// Where it takes memcached clients.
    pub fn address(&self) -> SocketAddr {
        match self {
            Self::Memcached(server) => server.address(),
            Self::Locksley(server) => server.memcached_address(),
        }
    }

    fn connect(&self) -> MemcachedClient {
        MemcachedClient::connect(self.address()).expect("the server takes connections")
    }
}

/// Plays every case of `file`, each from an empty store.
///
/// # Panics
///
/// If the server ends.
pub fn play_file(file: &CaseFile, stage: &Stage) -> Vec<Failure> {
    let mut failures = Vec::new();
    for case in file.cases.iter().filter(|case| case.ours.is_none() || stage.party() == Party::Locksley) {
        assert_eq!(stage.connect().command("flush_all"), "OK", "before a case of {}", file.path.display());
        let mut player = Player::new(stage);
        if let Some(failure) = case.steps.iter().find_map(|step| player.failure(file, case, step)) {
            failures.push(failure);
        }
    }
    failures
}

/// Fills in the replies of steps that have none, as `stage` answers; gives how many lines were added.
///
/// # Errors
///
/// If the file cannot be rewritten.
///
/// # Panics
///
/// If the server ends.
pub fn record_file(file: &CaseFile, stage: &Stage) -> io::Result<usize> {
    let mut added: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for case in file.cases.iter().filter(|case| case.ours.is_none() || stage.party() == Party::Locksley) {
        assert_eq!(stage.connect().command("flush_all"), "OK");
        let mut player = Player::new(stage);
        for step in &case.steps {
            if step.replies.is_empty() && step.sending == Sending::Lines {
                let lines = player.answer(step).into_iter().map(|line| format!("< {}", written(&line)));
                added.insert(step.last_line, lines.collect());
            } else if player.failure(file, case, step).is_some() {
                println!("{}:{}: answered otherwise", file.path.display(), step.line);
            }
        }
    }
    let text = fs::read_to_string(&file.path)?;
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        lines.push(line.to_owned());
        lines.extend(added.remove(&(index + 1)).unwrap_or_default());
    }
    let count = lines.len() - text.lines().count();
    fs::write(&file.path, lines.join("\n") + "\n")?;
    Ok(count)
}

/// A line in the notation of the cases.
fn written(line: &[u8]) -> String {
    let is_plain = line.iter().all(|byte| matches!(byte, b' '..=b'~') && !b"\"{".contains(byte));
    let is_short = line.len() < 100 && !line.starts_with(b" ") && !line.ends_with(b" ");
    if is_plain && is_short { String::from_utf8_lossy(line).into_owned() } else { quote(line) }
}

/// The connections and captured bytes of one case.
#[derive(Debug)]
struct Player<'a> {
    stage: &'a Stage,
    connections: HashMap<char, MemcachedClient>,
    captures: Captures,
}

impl<'a> Player<'a> {
    fn new(stage: &'a Stage) -> Self {
        Self { stage, connections: HashMap::new(), captures: Captures::new() }
    }

    /// Plays a step; says how it was answered if not as it has to be.
    fn failure(&mut self, file: &CaseFile, case: &Case, step: &Step) -> Option<Failure> {
        let start = Instant::now();
        loop {
            match self.play(step) {
                Ok(()) => return None,
                Err(_) if step.sending == Sending::Until && start.elapsed() < PATIENCE => {}
                Err((expected, got)) => {
                    let place = format!("{}:{}", file.path.display(), step.line);
                    let (title, requests) = (case.title.clone(), step.text.clone());
                    let got: String = got.chars().take(REPLY_CHARS_SHOWN).collect();
                    return Some(Failure { place, title, requests, expected, got });
                }
            }
        }
    }

    fn play(&mut self, step: &Step) -> Result<(), (String, String)> {
        let replies: Vec<_> = step.replies_of(self.stage.party()).collect();
        let ends = replies.last().is_some_and(|reply| reply.expected == Expected::Closed);
        let is_fenced = step.sending != Sending::Raw && !ends;
        self.send(step, is_fenced).map_err(|why| ("requests that can be sent".to_owned(), why))?;
        let mut captures = std::mem::take(&mut self.captures);
        let connection = self.connection(step.connection);
        // What an answer that was not expected left over would be taken for the next one's.
        let rest = |connection: &mut Connection, line: &[u8]| {
            let after = if is_fenced { lines_to_fence(connection) } else { Vec::new() };
            std::iter::once(line).chain(after.iter().map(Vec::as_slice)).map(written).collect::<Vec<_>>().join(" | ")
        };
        for (index, reply) in replies.iter().enumerate() {
            let is_open = index > 0 && replies[index - 1].expected == Expected::Lines;
            match &reply.expected {
                Expected::Lines => {}
                Expected::Closed => match connection.line_within(REPLY_PATIENCE) {
                    Err(Missing::Closed(left)) if left.is_empty() => {
                        self.connections.remove(&step.connection);
                        self.captures = captures;
                        return Ok(());
                    }
                    other => return Err((reply.text.clone(), came(other))),
                },
                Expected::Line(expected) => loop {
                    let line = connection.line_within(REPLY_PATIENCE);
                    match line {
                        Ok(line) if expected.matches(&line, &mut captures) => break,
                        Ok(line) if is_open && line != FENCE.1 => {}
                        Ok(line) if line == FENCE.1 => return Err((reply.text.clone(), "nothing".to_owned())),
                        Ok(line) => return Err((reply.text.clone(), rest(connection, &line))),
                        Err(missing) => return Err((reply.text.clone(), came(Err(missing)))),
                    }
                },
            }
        }
        if is_fenced {
            match connection.line_within(REPLY_PATIENCE) {
                Ok(line) if line == FENCE.1 => {}
                Ok(line) => return Err(("nothing more".to_owned(), rest(connection, &line))),
                Err(missing) => return Err(("nothing more".to_owned(), came(Err(missing)))),
            }
        }
        self.captures = captures;
        Ok(())
    }

    /// All lines that answer a step.
    fn answer(&mut self, step: &Step) -> Vec<Vec<u8>> {
        if let Err(why) = self.send(step, true) {
            return vec![why.into_bytes()];
        }
        lines_to_fence(self.connection(step.connection))
    }

    fn send(&mut self, step: &Step, is_fenced: bool) -> Result<(), String> {
        let mut bytes = Vec::new();
        for request in &step.requests {
            bytes.extend(request.bytes(&self.captures)?);
            if step.sending != Sending::Raw {
                bytes.extend_from_slice(b"\r\n");
            }
        }
        if is_fenced {
            bytes.extend_from_slice(FENCE.0);
        }
        // A server that closes early may refuse the bytes; its answer shows what it did.
        let _ = self.connection(step.connection).send(&bytes);
        Ok(())
    }

    fn connection(&mut self, name: char) -> &mut Connection {
        let stage = self.stage;
        self.connections.entry(name).or_insert_with(|| stage.connect()).connection()
    }
}

fn came(line: Result<Vec<u8>, Missing>) -> String {
    line.map_or_else(|missing| missing.to_string(), |line| written(&line))
}

/// The lines up to the answer to the fence, or to the end.
fn lines_to_fence(connection: &mut Connection) -> Vec<Vec<u8>> {
    let mut lines = Vec::new();
    loop {
        match connection.line_within(REPLY_PATIENCE) {
            Ok(line) if line == FENCE.1 => return lines,
            Ok(line) => lines.push(line),
            Err(missing) => {
                lines.push(missing.to_string().into_bytes());
                return lines;
            }
        }
    }
}
