//! A raw client: sends any bytes, reads replies, sees a close.

use std::fmt::{self, Display};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::limits::PATIENCE;
use crate::reply::{Malformed, Protocol, Reply};

/// Bytes that one read takes from the socket.
const READ_BYTES: usize = 64 * 1024;

/// One connection.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    received: Vec<u8>,
    /// Bytes at the start of `received` that were handed out already.
    consumed: usize,
    protocol: Protocol,
}

/// Why no reply was read.
#[derive(Debug)]
pub enum NoReply {
    /// The server closed the connection.
    Closed,
    /// Nothing came in time.
    Silent,
    /// What came is not RESP.
    Malformed(Malformed, Vec<u8>),
}

impl Display for NoReply {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => out.write_str("closed"),
            Self::Silent => out.write_str("none"),
            Self::Malformed(why, bytes) => {
                write!(out, "malformed ({why:?}): {}", crate::text::quote(&bytes[..bytes.len().min(200)]))
            }
        }
    }
}

impl Client {
    /// Connects, speaking RESP2.
    ///
    /// # Errors
    ///
    /// What the socket says.
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, received: Vec::new(), consumed: 0, protocol: Protocol::Resp2 })
    }

    /// The socket itself.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// The dialect in which replies are read from now on.
    pub fn set_protocol(&mut self, protocol: Protocol) {
        self.protocol = protocol;
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    ///
    /// What the socket says.
    pub fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends one request as an array of bulk strings.
    ///
    /// # Errors
    ///
    /// What the socket says.
    pub fn send<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> io::Result<()> {
        self.send_raw(&request(arguments))
    }

    /// Sends one request and reads its reply.
    ///
    /// # Panics
    ///
    /// If no reply comes.
    pub fn call<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> Reply {
        let shown = || {
            let words: Vec<_> = arguments.iter().map(|word| String::from_utf8_lossy(word.as_ref())).collect();
            words.join(" ").chars().take(200).collect::<String>()
        };
        if let Err(error) = self.send(arguments) {
            panic!("sending {}: {error}", shown());
        }
        self.read().unwrap_or_else(|error| panic!("{}: {error}", shown()))
    }

    /// Sends one request of words without spaces and reads its reply.
    ///
    /// # Panics
    ///
    /// If no reply comes.
    pub fn command(&mut self, line: &str) -> Reply {
        self.call(&line.split(' ').collect::<Vec<_>>())
    }

    /// Reads one reply, waiting with [`PATIENCE`].
    ///
    /// # Errors
    ///
    /// If the server closes, stays silent or sends something else.
    pub fn read(&mut self) -> Result<Reply, NoReply> {
        self.read_within(PATIENCE)
    }

    /// Reads one reply, waiting at most so long for it to be complete.
    ///
    /// # Errors
    ///
    /// If the server closes, stays silent or sends something else.
    pub fn read_within(&mut self, limit: Duration) -> Result<Reply, NoReply> {
        let start = Instant::now();
        // A long reply arrives in many pieces: it is parsed again only when as much again has come.
        let mut parse_from = 1;
        loop {
            let waiting = &self.received[self.consumed..];
            if waiting.len() >= parse_from {
                match Reply::read(waiting, self.protocol) {
                    Ok((reply, used)) => {
                        self.consume(used);
                        return Ok(reply);
                    }
                    Err(Malformed::Incomplete) => {
                        if waiting.len() > 1024 * 1024 {
                            parse_from = waiting.len() + waiting.len() / 4;
                        }
                    }
                    Err(why) => return Err(NoReply::Malformed(why, waiting.to_vec())),
                }
            }
            let left = limit.checked_sub(start.elapsed()).filter(|left| !left.is_zero()).ok_or(NoReply::Silent)?;
            match self.receive(if parse_from > 1 { left.min(Duration::from_millis(50)) } else { left }) {
                Ok(0) => return Err(NoReply::Closed),
                Ok(_) => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => parse_from = 1,
                Err(_) => return Err(NoReply::Closed),
            }
        }
    }

    /// Takes what the socket has, waiting at most so long; 0 bytes mean that the server closed.
    ///
    /// # Errors
    ///
    /// What the socket says.
    pub fn receive(&mut self, limit: Duration) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(limit))?;
        let end = self.received.len();
        self.received.resize(end + READ_BYTES, 0);
        let taken = self.stream.read(&mut self.received[end..]);
        self.received.truncate(end + taken.as_ref().map_or(0, |count| *count));
        taken
    }

    /// Everything received and not yet read as a reply; the buffer is empty afterwards.
    pub fn take_received(&mut self) -> Vec<u8> {
        let bytes = self.received.split_off(self.consumed);
        self.received.clear();
        self.consumed = 0;
        bytes
    }

    /// Reads until the server closes and gives all the bytes it sent before.
    ///
    /// # Panics
    ///
    /// If the server keeps the connection open.
    pub fn read_to_close(&mut self) -> Vec<u8> {
        let start = Instant::now();
        loop {
            match self.receive(PATIENCE) {
                Ok(0) => break,
                Ok(_) => assert!(start.elapsed() < PATIENCE, "the server goes on sending instead of closing"),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    let got = self.take_received();
                    panic!("the server keeps the connection open after {}", crate::text::quote(&got));
                }
                Err(_) => break,
            }
        }
        self.take_received()
    }

    /// Says that nothing more will be sent.
    ///
    /// # Errors
    ///
    /// What the socket says.
    pub fn finish_sending(&self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }

    /// One field of `INFO everything`.
    ///
    /// # Panics
    ///
    /// If INFO does not have it.
    pub fn info(&mut self, field: &str) -> String {
        let text = self.command("INFO everything").text().expect("INFO answers a text");
        text.lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
            .unwrap_or_else(|| panic!("INFO has no field {field}:\n{text}"))
            .trim_end()
            .to_owned()
    }

    /// One numeric field of `INFO everything`.
    ///
    /// # Panics
    ///
    /// If INFO does not have it or it is not a number.
    pub fn info_number(&mut self, field: &str) -> i64 {
        let text = self.info(field);
        text.parse().unwrap_or_else(|_| panic!("INFO field {field} is not a number: {text}"))
    }

    fn consume(&mut self, bytes: usize) {
        self.consumed += bytes;
        // Moving the rest to the front at every reply would make a deep pipeline quadratic.
        if self.consumed == self.received.len() {
            self.received.clear();
            self.consumed = 0;
        } else if self.consumed > 16 * READ_BYTES {
            self.received.drain(..self.consumed);
            self.consumed = 0;
        }
    }
}

/// The bytes of one request: an array of bulk strings.
pub fn request<A: AsRef<[u8]>>(arguments: &[A]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", arguments.len()).into_bytes();
    for argument in arguments {
        let argument = argument.as_ref();
        bytes.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
        bytes.extend_from_slice(argument);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}
