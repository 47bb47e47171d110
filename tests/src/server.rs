//! A server process with a directory, ports and an end of its own.
//!
//! [`Launch`] says what to start. [`Server`] is the running process: it has said that it is ready, everything it
//! prints is kept for a failing test to show, and when the value is dropped the process is killed by its id and
//! its directory removed.

use std::collections::VecDeque;
use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::binary::{self, Kind};
use crate::client::Client;
use crate::directory::Directory;
use crate::http::HttpClient;
use crate::limits::OUTPUT_LINES_SHOWN;
use crate::memcached::MemcachedClient;
use crate::process::signal;
use crate::reply::Protocol;
use crate::wait::{until, until_some};

/// What a server prints when it serves.
const READY: &str = "Ready to accept connections";

/// Where the port of the first shard lies above a server's own.
const SHARD_OFFSET: u16 = 1;

/// Where the port for memcached lies above a server's own; the ports between are for its shards.
const MEMCACHED_OFFSET: u16 = 10;

/// Where the port for HTTP lies above a server's own; the highest that is kept free for it.
const HTTP_OFFSET: u16 = 11;

/// How to start a server.
#[derive(Clone, Debug)]
pub struct Launch {
    kind: Kind,
    program: PathBuf,
    shards: Option<u32>,
    flags: Vec<String>,
    config: Option<String>,
    descriptors: Option<u32>,
    port: Option<u16>,
    has_memcached: bool,
    has_http: bool,
    is_at_shard_port: bool,
    directory: Option<PathBuf>,
    fsync: Option<String>,
}

impl Launch {
    /// The program under test.
    pub fn subject() -> Self {
        let (kind, program) = binary::subject();
        Self::new(kind, program)
    }

    /// Debian's `redis-server`, the model.
    pub fn redis() -> Self {
        Self::new(Kind::Redis, binary::installed("redis-server"))
    }

    /// This program.
    pub fn new(kind: Kind, program: PathBuf) -> Self {
        Self {
            kind,
            program,
            shards: None,
            flags: Vec::new(),
            config: None,
            descriptors: None,
            port: None,
            has_memcached: false,
            has_http: false,
            is_at_shard_port: false,
            directory: None,
            fsync: env::var("LOCKSLEY_APPENDFSYNC").ok(),
        }
    }

    /// Which program it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// With so many shards; means nothing to `redis-server`.
    #[must_use]
    pub fn shards(mut self, count: u32) -> Self {
        self.shards = Some(count);
        self
    }

    /// With these further words on the command line.
    #[must_use]
    pub fn flags<S: Into<String>>(mut self, words: impl IntoIterator<Item = S>) -> Self {
        self.flags.extend(words.into_iter().map(Into::into));
        self
    }

    /// With a configuration file of this text.
    #[must_use]
    pub fn config(mut self, text: &str) -> Self {
        self.config = Some(text.to_owned());
        self
    }

    /// With so many file descriptors at most.
    #[must_use]
    pub fn descriptors(mut self, count: u32) -> Self {
        self.descriptors = Some(count);
        self
    }

    /// On this port.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// With a port for memcached clients, which is closed otherwise.
    #[must_use]
    pub fn memcached(mut self) -> Self {
        self.has_memcached = true;
        self
    }

    /// With a port for HTTP clients, which is closed otherwise.
    #[must_use]
    pub fn http(mut self) -> Self {
        self.has_http = true;
        self
    }

    /// With a port for each shard, and the first shard's as the one where RESP clients connect.
    #[must_use]
    pub fn at_shard_port(mut self) -> Self {
        self.is_at_shard_port = true;
        self.flags(["--cluster-announce-shards", "yes"])
    }

    /// In this directory, which outlives the server.
    #[must_use]
    pub fn directory(mut self, path: &Path) -> Self {
        self.directory = Some(path.to_owned());
        self
    }

    /// With a log under this policy (`appendfsync`), and no automatic snapshots. Without it there is no log, unless
    /// `LOCKSLEY_APPENDFSYNC` names a policy for all servers.
    #[must_use]
    pub fn durable(mut self, policy: &str) -> Self {
        self.fsync = Some(policy.to_owned());
        self
    }

    /// Starts the server and waits until it serves.
    ///
    /// # Panics
    ///
    /// If it ends instead.
    pub fn start(self) -> Server {
        self.try_start().unwrap_or_else(|ended| panic!("the server ended: {}\n{}", ended.status, ended.output))
    }

    /// Starts the server and waits until it serves or ends.
    ///
    /// A port that was free when it was looked for may be taken by another process before the server binds it;
    /// then another one is tried.
    ///
    /// # Errors
    ///
    /// How it ended and what it printed, if it did.
    ///
    /// # Panics
    ///
    /// If it does neither.
    pub fn try_start(self) -> Result<Server, Ended> {
        /// Ports that are tried.
        const TRIES: usize = 5;
        let mut result = self.try_start_once();
        for _ in 1..TRIES {
            match &result {
                Err(ended) if self.port.is_none() && ended.output.contains("in use") => result = self.try_start_once(),
                _ => break,
            }
        }
        result
    }

    /// Starts the server and waits for nothing.
    ///
    /// # Panics
    ///
    /// If the program cannot be run.
    pub fn spawn(self) -> Server {
        self.spawn_once()
    }

    fn spawn_once(&self) -> Server {
        let directory = self.directory.as_deref().map_or_else(Directory::new, Directory::of);
        let port = self.port.unwrap_or_else(free_port);
        let mut command = self.command_line(&directory, port);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", self.program.display()));
        let output = Output::default();
        let readers = [
            output.collect(child.stdout.take().expect("standard output is piped")),
            output.collect(child.stderr.take().expect("standard error is piped")),
        ];
        let entrance = if self.is_at_shard_port { port + SHARD_OFFSET } else { port };
        Server { child, output, readers: readers.into(), directory, port, entrance, kind: self.kind }
    }

    fn try_start_once(&self) -> Result<Server, Ended> {
        let mut server = self.spawn_once();
        match server.wait_until_ready() {
            None => Ok(server),
            Some(status) => Err(server.ended(status)),
        }
    }

    fn command_line(&self, directory: &Directory, port: u16) -> Command {
        let mut command = match self.descriptors {
            None => Command::new(&self.program),
            Some(count) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", &format!("ulimit -n {count}; exec \"$0\" \"$@\"")]).arg(&self.program);
                shell
            }
        };
        if let Some(text) = &self.config {
            let path = directory.path().join("server.conf");
            fs::write(&path, text).expect("the directory can be written");
            command.arg(path);
        }
        command.arg("--port").arg(port.to_string()).arg("--dir").arg(directory.path());
        command.args(["--save", "", "--appendonly"]);
        match &self.fsync {
            None => command.arg("no"),
            Some(policy) => command.args(["yes", "--appendfsync", policy]),
        };
        match self.kind {
            Kind::Redis => {
                // The bus of a cluster would otherwise take a port far above, which nobody looked for.
                command.arg("--cluster-port").arg((port + 1).to_string());
            }
            Kind::Locksley => {
                let door = |is_open, offset| if is_open { port + offset } else { 0 };
                command.arg("--memcached-port").arg(door(self.has_memcached, MEMCACHED_OFFSET).to_string());
                command.arg("--http-port").arg(door(self.has_http, HTTP_OFFSET).to_string());
                if let Some(count) = self.shards {
                    command.arg("--shards").arg(count.to_string());
                }
            }
        }
        command.args(&self.flags).current_dir(directory.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

/// How a process ended.
#[derive(Debug)]
pub struct Ended {
    /// Its status.
    pub status: ExitStatus,
    /// Everything it printed.
    pub output: String,
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    child: Child,
    output: Output,
    readers: VecDeque<thread::JoinHandle<()>>,
    directory: Directory,
    port: u16,
    /// Where RESP clients connect.
    entrance: u16,
    kind: Kind,
}

impl Server {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The port that takes every key.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Which program it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Where RESP clients connect.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.entrance))
    }

    /// Where it listens for memcached clients, if it was started [with that port](Launch::memcached).
    pub fn memcached_address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port + MEMCACHED_OFFSET))
    }

    /// Where it listens for HTTP clients, if it was started [with that port](Launch::http).
    pub fn http_address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port + HTTP_OFFSET))
    }

    /// The directory it runs in.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// What it has printed so far.
    pub fn printed(&self) -> String {
        self.output.text()
    }

    /// Connects to it, speaking RESP2.
    ///
    /// # Panics
    ///
    /// If it takes no connection.
    pub fn connect(&self) -> Client {
        Client::connect(self.address()).expect("the server takes connections")
    }

    /// Connects to it in this dialect.
    ///
    /// # Panics
    ///
    /// If it takes no connection, or refuses `HELLO 3`.
    pub fn connect_in(&self, protocol: Protocol) -> Client {
        let mut client = self.connect();
        if protocol == Protocol::Resp3 {
            client.set_protocol(protocol);
            let reply = client.command("HELLO 3");
            assert!(matches!(reply, crate::reply::Reply::Map(_)), "HELLO 3 answers {reply}");
        }
        client
    }

    /// Connects to its memcached door.
    ///
    /// # Panics
    ///
    /// If it takes no connection there.
    pub fn connect_memcached(&self) -> MemcachedClient {
        MemcachedClient::connect(self.memcached_address()).expect("the server takes memcached clients")
    }

    /// Connects to its HTTP door.
    ///
    /// # Panics
    ///
    /// If it takes no connection there.
    pub fn connect_http(&self) -> HttpClient {
        HttpClient::connect(self.http_address()).expect("the server takes HTTP clients")
    }

    /// Asserts that the process lives and answers a new client.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub fn assert_serves(&mut self) {
        self.assert_lives();
        let mut client = self.connect();
        assert_eq!(client.command("SET still-serving yes").to_string(), "+OK");
        assert_eq!(client.command("GET still-serving").to_string(), "\"yes\"");
        assert_eq!(client.command("DEL still-serving").to_string(), ":1");
    }

    /// Asserts that the process has not ended.
    ///
    /// # Panics
    ///
    /// If it has.
    pub fn assert_lives(&mut self) {
        let ended = self.child.try_wait().expect("the child can be waited for");
        assert!(ended.is_none(), "the server ended: {ended:?}\n{}", self.printed());
    }

    /// Waits until no client but the asking one is connected.
    ///
    /// # Panics
    ///
    /// If some stay.
    pub fn wait_for_clients_to_go(&self) {
        let mut client = self.connect();
        until("connected_clients is back to one", || client.info_number("connected_clients") == 1);
    }

    /// Waits until it says that it serves; `None` then, and its status if it ends instead.
    ///
    /// # Panics
    ///
    /// If it does neither.
    pub fn wait_until_ready(&mut self) -> Option<ExitStatus> {
        until_some("the server says that it is ready", || {
            // The end is looked for first: a process that has ended cannot become ready any more.
            let ended = self.child.try_wait().expect("the child can be waited for");
            if self.output.contains(READY) { Some(None) } else { ended.map(Some) }
        })
    }

    /// Sends a signal and waits for the end.
    ///
    /// # Panics
    ///
    /// If the process does not end.
    pub fn stop(mut self, signal_name: &str) -> Ended {
        signal(self.pid(), signal_name);
        self.wait()
    }

    /// Waits for an end that something else brought about.
    ///
    /// # Panics
    ///
    /// If the process does not end.
    pub fn wait(&mut self) -> Ended {
        let status = until_some("the server ends", || self.child.try_wait().expect("the child can be waited for"));
        self.ended(status)
    }

    fn ended(&mut self, status: ExitStatus) -> Ended {
        for reader in self.readers.drain(..) {
            reader.join().expect("a reader does not panic");
        }
        Ended { status, output: self.printed() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let was_running = matches!(self.child.try_wait(), Ok(None));
        // Killing a process that has just ended fails, and there is nothing else to do about it.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let text = self.output.text();
            let lines: Vec<&str> = text.lines().collect();
            let from = lines.len().saturating_sub(OUTPUT_LINES_SHOWN);
            let state = if was_running { "running" } else { "gone" };
            eprintln!("--- server on port {} ({state}), last lines of its output:", self.port);
            for line in &lines[from..] {
                eprintln!("--- {line}");
            }
        }
    }
}

/// A port that is free now, with [`HTTP_OFFSET`] free ones above it for shards and other protocols.
///
/// # Panics
///
/// If the machine has no such place.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Below the range from which the kernel takes the ports of outgoing connections (32768 and up), and spread
    // by process, so that suites that run at one time do not take the same.
    let first = 10_000 + process::id() % 1000 * 20;
    until_some("a row of free ports", || {
        let turn = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 10_000 + ((first - 10_000 + turn * u32::from(HTTP_OFFSET + 1)) % 20_000) as u16;
        let is_free = |port| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok();
        (port..=port + HTTP_OFFSET).all(is_free).then_some(port)
    })
}

/// What a process prints, line by line.
#[derive(Clone, Debug, Default)]
struct Output {
    text: Arc<Mutex<String>>,
}

impl Output {
    fn collect(&self, stream: impl Read + Send + 'static) -> thread::JoinHandle<()> {
        let text = Arc::clone(&self.text);
        thread::spawn(move || {
            let mut reader = BufReader::new(stream);
            let mut line = Vec::new();
            while matches!(reader.read_until(b'\n', &mut line), Ok(count) if count > 0) {
                text.lock().unwrap_or_else(PoisonError::into_inner).push_str(&String::from_utf8_lossy(&line));
                line.clear();
            }
        })
    }

    fn contains(&self, part: &str) -> bool {
        self.text.lock().unwrap_or_else(PoisonError::into_inner).contains(part)
    }

    fn text(&self) -> String {
        self.text.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Waits until a server's output has this text.
///
/// # Panics
///
/// If it does not come.
pub fn wait_for_output(server: &Server, part: &str) {
    until(&format!("the server prints {part:?}"), || server.output.contains(part));
}
