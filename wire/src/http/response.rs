//! Responses of HTTP/1.1, appended to a buffer.
//!
//! A response is written front to back, with its length known: status line, `Date`, the fields of the caller,
//! `Content-Length`, `Connection: close` where the connection ends, the body. To HEAD the same head is sent and no body.

/// What of a request decides how its response is written; small, because it travels with the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    /// The second in which it came, since the epoch.
    pub second: u32,
    /// It was HEAD: the body is left out.
    pub is_head: bool,
    /// The connection ends behind the response.
    pub closes: bool,
}

/// A response that is being written.
#[derive(Debug)]
pub struct Response<'o> {
    out: &'o mut Vec<u8>,
    manner: Manner,
}

impl<'o> Response<'o> {
    /// Begins a response: status line and `Date`.
    pub fn new(_out: &'o mut Vec<u8>, _manner: Manner, _status: u16) -> Response<'o> {
        todo!()
    }

    /// Adds a field.
    #[must_use]
    pub fn field(self, _name: &str, _value: &[u8]) -> Response<'o> {
        todo!()
    }

    /// Adds a field whose value is a number.
    #[must_use]
    pub fn number(self, _name: &str, _value: u64) -> Response<'o> {
        todo!()
    }

    /// Ends it with `body`, and its length.
    pub fn body(self, _body: &[u8]) {
        todo!()
    }

    /// Ends it without a body (204, 304).
    pub fn end(self) {
        todo!()
    }
}

/// The reason phrase of a status.
pub fn reason(_status: u16) -> &'static str {
    todo!()
}
