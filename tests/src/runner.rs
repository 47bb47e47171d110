//! Plays the cases of a file against a server and says where it answers otherwise.

use std::collections::HashMap;
use std::fmt::{self, Display};
use std::time::Instant;

use crate::binary::Kind;
use crate::cases::{Case, CaseFile, Sending, Step};
use crate::client::{Client, NoReply};
use crate::limits::{PATIENCE, REPLY_CHARS_SHOWN, REPLY_PATIENCE, SILENCE};
use crate::pattern::{Captures, Pattern};
use crate::reply::{Protocol, Reply};
use crate::server::{Launch, Server};
use crate::text::Word;

/// One reply that is not what the case says.
#[derive(Clone, Debug)]
pub struct Failure {
    /// File and line of the request.
    pub place: String,
    /// Title of the case.
    pub title: String,
    /// The dialect the case ran in.
    pub protocol: Protocol,
    /// The request as it is written.
    pub request: String,
    /// The pattern, as the parser understood it.
    pub expected: String,
    /// What came, cut where it is very long.
    pub got: String,
}

impl Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, title, protocol, request, expected, got } = self;
        write!(out, "{place} ({protocol}): {title}\n    {request}\n    expected {expected}\n    got      {got}")
    }
}

/// Starts the server a file asks for.
pub fn start_for(file: &CaseFile, launch: Launch) -> Server {
    let launch = launch.flags(file.server_flags.iter().cloned());
    match launch.kind() {
        Kind::Locksley => launch.flags(file.locksley_flags.iter().cloned()).start(),
        Kind::Redis => launch.flags(file.redis_flags.iter().cloned()).start(),
    }
}

/// The dialects that the cases of a file start in.
pub fn protocols_of(file: &CaseFile) -> &'static [Protocol] {
    if file.password.is_some() { &[Protocol::Resp2] } else { &[Protocol::Resp2, Protocol::Resp3] }
}

/// Plays every case of `file` that concerns this kind of server.
///
/// # Panics
///
/// If the server does not start, or ends.
pub fn play_file(file: &CaseFile, launch: &Launch) -> Vec<Failure> {
    let mut failures = Vec::new();
    let mut server = start_for(file, launch.clone());
    for case in &file.cases {
        if case.differs.is_some() && server.kind() == Kind::Redis {
            continue;
        }
        for &protocol in protocols_of(file) {
            if case.only.is_none_or(|only| only == protocol)
                && let Err(failure) = play_case(file, case, &server, protocol)
            {
                failures.push(*failure);
                // A case that stops half way may leave settings behind that make others fail.
                server.assert_lives();
                server = start_for(file, launch.clone());
            }
        }
    }
    server.assert_lives();
    failures
}

/// Plays one case from empty databases.
///
/// # Errors
///
/// The first reply that is not as the case says.
pub fn play_case(file: &CaseFile, case: &Case, server: &Server, protocol: Protocol) -> Result<(), Box<Failure>> {
    clean(file, server);
    let mut stage = Stage::new(server, protocol);
    let fail = |step: &Step, expected: String, got: String| {
        let place = format!("{}:{}", file.path.display(), step.line);
        let (title, request) = (case.title.clone(), step.text.clone());
        let got: String = got.chars().take(REPLY_CHARS_SHOWN).collect();
        Box::new(Failure { place, title, protocol, request, expected, got })
    };
    for step in &case.steps {
        if step.replies_in(protocol).next().is_none() {
            return Err(fail(step, "a reply in the case".into(), "no reply line".into()));
        }
        stage.play_patiently(step).map_err(|(expected, got)| fail(step, expected, got))?;
    }
    Ok(())
}

/// Empties the databases, as the runner itself.
fn clean(file: &CaseFile, server: &Server) {
    let mut client = server.connect();
    if let Some(password) = &file.password {
        assert_eq!(client.call(&["AUTH", password]).to_string(), "+OK", "{}", file.path.display());
    }
    let reply = client.command("FLUSHALL").to_string();
    assert_eq!(reply, "+OK", "FLUSHALL before a case of {}", file.path.display());
}

/// The connections and captured texts of one case.
pub struct Stage<'a> {
    server: &'a Server,
    protocol: Protocol,
    connections: HashMap<char, (Client, Protocol)>,
    captures: Captures,
}

impl<'a> Stage<'a> {
    /// An empty stage; connections are made when they are first used.
    pub fn new(server: &'a Server, protocol: Protocol) -> Self {
        Self { server, protocol, connections: HashMap::new(), captures: Captures::new() }
    }

    /// Sends a step's request.
    ///
    /// # Errors
    ///
    /// What the socket says.
    pub fn send(&mut self, step: &Step) -> std::io::Result<()> {
        let words: Vec<Vec<u8>> = step
            .words
            .iter()
            .map(|word| match word {
                Word::Bytes(bytes) => bytes.clone(),
                Word::Captured(name) => self.captures.get(name).cloned().unwrap_or_default(),
            })
            .collect();
        let (client, _) = self.connection(step.connection);
        if step.sending == Sending::Raw { client.send_raw(&words.concat()) } else { client.send(&words) }
    }

    /// Reads the next reply to `step`.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn read(&mut self, step: &Step, expects_silence: bool) -> Result<Reply, NoReply> {
        let asked_for = asked_for(step);
        let (client, protocol) = self.connection(step.connection);
        client.set_protocol(asked_for.unwrap_or(*protocol));
        let reply = if expects_silence { client.read_within(SILENCE) } else { client.read_within(REPLY_PATIENCE) };
        if let (Some(asked_for), Ok(answer)) = (asked_for, &reply)
            && !matches!(answer, Reply::Error(_))
        {
            *protocol = asked_for;
        }
        if matches!(reply, Err(NoReply::Closed)) {
            self.connections.remove(&step.connection);
        }
        reply
    }

    /// Whether a reply on this connection would be what `pattern` says.
    pub fn fits(&mut self, step: &Step, pattern: &Pattern, reply: &Reply) -> bool {
        let (_, protocol) = self.connection(step.connection);
        let protocol = *protocol;
        pattern.matches(reply, protocol, &mut self.captures)
    }

    /// Plays one step; an `until>` step again and again.
    ///
    /// # Errors
    ///
    /// What was expected and what came.
    pub fn play_patiently(&mut self, step: &Step) -> Result<(), (String, String)> {
        let start = Instant::now();
        loop {
            match self.play(step) {
                Err(_) if step.sending == Sending::Until && start.elapsed() < PATIENCE => {}
                result => return result,
            }
        }
    }

    fn play(&mut self, step: &Step) -> Result<(), (String, String)> {
        // A server that closes early may refuse the bytes; the replies below show what it did.
        let sent = self.send(step);
        let current = self.connection(step.connection).1;
        for line in step.replies_in(asked_for(step).unwrap_or(current)) {
            let reply = self.read(step, line.pattern == Pattern::Nothing);
            let fits = match (&reply, &line.pattern) {
                (Err(NoReply::Closed), Pattern::Closed) | (Err(NoReply::Silent), Pattern::Nothing) => true,
                (Ok(reply), pattern) => self.fits(step, pattern, reply),
                _ => false,
            };
            if !fits {
                let got = reply.map_or_else(|error| error.to_string(), |reply| reply.to_string());
                let got = if let Err(error) = &sent { format!("{got} (sending: {error})") } else { got };
                return Err((line.text.clone(), got));
            }
        }
        Ok(())
    }

    fn connection(&mut self, name: char) -> &mut (Client, Protocol) {
        let (server, protocol) = (self.server, self.protocol);
        self.connections.entry(name).or_insert_with(|| (server.connect_in(protocol), protocol))
    }
}

/// The dialect that a request switches to, if the server agrees.
fn asked_for(step: &Step) -> Option<Protocol> {
    match step.name() {
        (command, Some(version)) if command == "HELLO" && version == "2" => Some(Protocol::Resp2),
        (command, Some(version)) if command == "HELLO" && version == "3" => Some(Protocol::Resp3),
        (command, None) if command == "RESET" => Some(Protocol::Resp2),
        _ => None,
    }
}
