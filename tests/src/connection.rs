//! A socket with what it received and nobody took yet: lines, exact counts, and the end.

use std::fmt::{self, Display};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::limits::PATIENCE;
use crate::text::quote;

/// Bytes that one read takes from the socket.
const READ_BYTES: usize = 64 * 1024;

/// See the module.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    /// Bytes at the start of `received` that were taken.
    taken: usize,
}

/// Why what was waited for did not come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The server closed; these bytes came before.
    Closed(Vec<u8>),
    /// Nothing more came in time; these bytes came before.
    Silent(Vec<u8>),
}

impl Display for Missing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, bytes) = match self {
            Self::Closed(bytes) => ("closed", bytes),
            Self::Silent(bytes) => ("none", bytes),
        };
        out.write_str(what)?;
        if bytes.is_empty() { Ok(()) } else { write!(out, " after {}", quote(&bytes[..bytes.len().min(200)])) }
    }
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    ///
    /// What the socket says.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, received: Vec::new(), taken: 0 })
    }

    /// The socket itself.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    ///
    /// What the socket says.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends bytes that the server may refuse by closing.
    ///
    /// # Panics
    ///
    /// If it refuses them in another way.
    pub fn send_unless_closed(&mut self, bytes: &[u8]) {
        if let Err(error) = self.send(bytes) {
            let is_closed = matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset);
            assert!(is_closed, "the server neither reads nor closes: {error}");
        }
    }

    /// Says that nothing more will be sent.
    ///
    /// # Errors
    ///
    /// What the socket says.
    pub fn finish_sending(&self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }

    /// The next line, without its `\r\n`, waiting with [`PATIENCE`].
    ///
    /// # Errors
    ///
    /// If it does not come.
    pub fn line(&mut self) -> Result<Vec<u8>, Missing> {
        self.line_within(PATIENCE)
    }

    /// The next line, without its `\r\n`, waiting at most so long.
    ///
    /// # Errors
    ///
    /// If it does not come.
    pub fn line_within(&mut self, limit: Duration) -> Result<Vec<u8>, Missing> {
        let mut searched = 0;
        self.take_when(limit, |waiting| {
            let from = searched;
            searched = waiting.len().saturating_sub(1);
            waiting[from..].windows(2).position(|pair| pair == b"\r\n").map(|found| from + found + 2)
        })
        .map(|mut line| {
            line.truncate(line.len() - 2);
            line
        })
    }

    /// The next `count` bytes, waiting with [`PATIENCE`].
    ///
    /// # Errors
    ///
    /// If they do not come.
    pub fn bytes(&mut self, count: usize) -> Result<Vec<u8>, Missing> {
        self.take_when(PATIENCE, |waiting| (waiting.len() >= count).then_some(count))
    }

    /// Takes as many bytes as `measure` says once it says so.
    fn take_when(
        &mut self,
        limit: Duration,
        mut measure: impl FnMut(&[u8]) -> Option<usize>,
    ) -> Result<Vec<u8>, Missing> {
        let start = Instant::now();
        loop {
            if let Some(count) = measure(&self.received[self.taken..]) {
                return Ok(self.take(count));
            }
            let left = limit.checked_sub(start.elapsed()).filter(|left| !left.is_zero());
            let Some(left) = left else { return Err(Missing::Silent(self.received[self.taken..].to_vec())) };
            match self.receive(left) {
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Ok(0) | Err(_) => return Err(Missing::Closed(self.received[self.taken..].to_vec())),
                Ok(_) => {}
            }
        }
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        let bytes = self.received[self.taken..self.taken + count].to_vec();
        self.taken += count;
        // Moving the rest to the front at every line would make a deep pipeline quadratic.
        if self.taken == self.received.len() || self.taken > 16 * READ_BYTES {
            self.received.drain(..self.taken);
            self.taken = 0;
        }
        bytes
    }

    fn receive(&mut self, limit: Duration) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(limit))?;
        let end = self.received.len();
        self.received.resize(end + READ_BYTES, 0);
        let count = self.stream.read(&mut self.received[end..]);
        self.received.truncate(end + count.as_ref().map_or(0, |count| *count));
        count
    }

    /// Everything that comes until the server closes.
    ///
    /// # Panics
    ///
    /// If the server keeps the connection open.
    pub fn read_to_close(&mut self) -> Vec<u8> {
        match self.take_when(PATIENCE, |_| None) {
            Err(Missing::Closed(bytes)) => bytes,
            Err(open) => panic!("the server keeps the connection open: {open}"),
            Ok(_) => unreachable!("nothing was measured"),
        }
    }
}
