//! First form of the reply encoder: the methods that the server's handlers call.

/// The dialect of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// RESP2.
    Resp2,
    /// RESP3.
    Resp3,
}

/// Encodes replies at the end of a buffer.
pub struct Reply<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Reply<'a> {
    /// Encodes to `out`.
    pub fn new(out: &'a mut Vec<u8>, _protocol: Protocol) -> Reply<'a> {
        Reply { out }
    }

    /// Bytes in the buffer, those before the first reply included.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether the buffer is empty.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// Takes back what was written after the buffer had `length` bytes (a handler failed half way).
    pub fn truncate(&mut self, length: usize) {
        self.out.truncate(length);
    }

    /// An error: its code and text without the leading `-`.
    pub fn error(&mut self, text: &str) {
        self.out.extend_from_slice(format!("-{text}\r\n").as_bytes());
    }

    /// A simple string.
    pub fn simple(&mut self, text: &str) {
        self.out.extend_from_slice(format!("+{text}\r\n").as_bytes());
    }

    /// `OK`.
    pub fn ok(&mut self) {
        self.simple("OK");
    }

    /// An integer.
    pub fn integer(&mut self, value: i64) {
        self.out.extend_from_slice(format!(":{value}\r\n").as_bytes());
    }

    /// A byte string.
    pub fn bulk(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(format!("${}\r\n", bytes.len()).as_bytes());
        self.out.extend_from_slice(bytes);
        self.out.extend_from_slice(b"\r\n");
    }

    /// A number as a byte string.
    pub fn bulk_integer(&mut self, value: i64) {
        self.bulk(value.to_string().as_bytes());
    }

    /// No value.
    pub fn null(&mut self) {
        self.out.extend_from_slice(b"$-1\r\n");
    }
}
