//! Responses as a client reads them, for the load generator.

/// What the head of a response tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// Length of the head.
    pub head_bytes: usize,
    /// Length of the body, as Content-Length says.
    pub body_bytes: usize,
    /// A field `X-Cache` that begins with `M`: the server had nothing.
    pub is_miss: bool,
}

/// Looks at the response that `input` begins with; `None` when its head is not all there.
///
/// # Errors
/// Text that says why the bytes are no response, or one without a Content-Length.
pub fn head(_input: &[u8]) -> Result<Option<Head>, String> {
    todo!()
}
