//! A raw client of HTTP/1.1: sends any bytes, reads responses one by one, keeps the connection.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;

use serde_json::Value;

use crate::connection::{Connection, Missing};

/// One connection.
#[derive(Debug)]
pub struct HttpClient {
    connection: Connection,
    host: String,
}

/// One response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Its status.
    pub status: u16,
    /// Its fields, with names in small letters.
    pub fields: Vec<(String, String)>,
    /// Its body; empty if it has none.
    pub body: Vec<u8>,
}

impl Response {
    /// The value of a field, by its name in small letters.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    ///
    /// # Panics
    ///
    /// If it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The number between the quotes of `ETag`.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn version(&self) -> u64 {
        let tag = self.field("etag").unwrap_or_else(|| panic!("no ETag in {self:?}"));
        let quoted = tag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        quoted.and_then(|digits| digits.parse().ok()).unwrap_or_else(|| panic!("not a quoted number: {tag}"))
    }
}

/// The bytes of a request: `Host`, these fields, and a `Content-Length` if there is a body or the method wants one.
pub fn request(host: &str, method: &str, target: &str, fields: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n");
    for (name, value) in fields {
        write!(head, "{name}: {value}\r\n").expect("a string takes any text");
    }
    if !body.is_empty() || matches!(method, "PUT" | "POST") {
        write!(head, "Content-Length: {}\r\n", body.len()).expect("a string takes any text");
    }
    head.push_str("\r\n");
    [head.as_bytes(), body].concat()
}

/// A body in chunks of at most so many bytes, with the last chunk.
///
/// # Panics
///
/// If `chunk_bytes` is 0.
pub fn chunked(body: &[u8], chunk_bytes: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for chunk in body.chunks(chunk_bytes) {
        bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

impl HttpClient {
    /// Connects.
    ///
    /// # Errors
    ///
    /// What the socket says.
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        Ok(Self { connection: Connection::open(address)?, host: address.to_string() })
    }

    /// The connection, for bytes as they are.
    pub fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// What this client says as `Host`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Sends a request and reads its response.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn call(&mut self, method: &str, target: &str, fields: &[(&str, &str)], body: &[u8]) -> Response {
        let bytes = request(&self.host, method, target, fields, body);
        self.send(&bytes);
        self.response_to(method)
    }

    /// `GET`.
    ///
    /// # Panics
    ///
    /// If there is no response.
    pub fn get(&mut self, target: &str) -> Response {
        self.call("GET", target, &[], b"")
    }

    /// `GET` of a value as it is.
    ///
    /// # Panics
    ///
    /// If there is no response.
    pub fn get_raw(&mut self, target: &str) -> Response {
        self.call("GET", target, &[("Accept", "application/octet-stream")], b"")
    }

    /// `PUT` of a value as it is.
    ///
    /// # Panics
    ///
    /// If there is no response.
    pub fn put(&mut self, target: &str, value: &[u8]) -> Response {
        self.call("PUT", target, &[("Content-Type", "application/octet-stream")], value)
    }

    /// `DELETE`.
    ///
    /// # Panics
    ///
    /// If there is no response.
    pub fn delete(&mut self, target: &str) -> Response {
        self.call("DELETE", target, &[], b"")
    }

    /// `POST` of JSON.
    ///
    /// # Panics
    ///
    /// If there is no response.
    pub fn post(&mut self, target: &str, body: &Value) -> Response {
        self.call("POST", target, &[("Content-Type", "application/json")], body.to_string().as_bytes())
    }

    /// Sends bytes as they are.
    ///
    /// # Panics
    ///
    /// If the server does not take them.
    pub fn send(&mut self, bytes: &[u8]) {
        self.connection.send(bytes).expect("the server reads");
    }

    /// Reads the response to a request of this method.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn response_to(&mut self, method: &str) -> Response {
        self.try_response_to(method).unwrap_or_else(|missing| panic!("a response to {method} was expected: {missing}"))
    }

    /// Reads the response to a request of this method.
    ///
    /// # Errors
    ///
    /// If the server closes or stays silent.
    ///
    /// # Panics
    ///
    /// If what comes is no response.
    pub fn try_response_to(&mut self, method: &str) -> Result<Response, Missing> {
        let line = text(self.connection.line()?);
        let status = line
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3)?.parse::<u16>().ok())
            .unwrap_or_else(|| panic!("no status line: {line}"));
        let mut fields = Vec::new();
        loop {
            let line = text(self.connection.line()?);
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("no field: {line}"));
            fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut response = Response { status, fields, body: Vec::new() };
        let has_body = method != "HEAD" && status >= 200 && !matches!(status, 204 | 304);
        if has_body {
            let length = response.field("content-length").unwrap_or_else(|| panic!("no length: {response:?}"));
            let length = length.parse().unwrap_or_else(|_| panic!("not a length: {length}"));
            response.body = self.connection.bytes(length)?;
        }
        Ok(response)
    }
}

fn text(line: Vec<u8>) -> String {
    String::from_utf8(line).unwrap_or_else(|error| panic!("a head is text: {error}"))
}

#[cfg(test)]
mod tests {
    use super::{chunked, request};

    #[test]
    fn requests_and_chunks_are_written_as_http_wants_them() {
        let bytes = request("h:1", "PUT", "/cache/a", &[("A", "b")], b"xy");
        assert_eq!(bytes, b"PUT /cache/a HTTP/1.1\r\nHost: h:1\r\nA: b\r\nContent-Length: 2\r\n\r\nxy");
        assert_eq!(request("h", "GET", "/", &[], b""), b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(chunked(b"abcde", 3), b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
        assert_eq!(chunked(b"", 3), b"0\r\n\r\n");
    }
}
