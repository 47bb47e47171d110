//! Responses of the HTTP door: what all of them have in common.
//!
//! With `http-cors-origin` set every response names that origin, whoever asks: there is only the one, so that nothing has to
//! travel with a request. Browsers compare; everybody else passes over the field.

use locksley_wire::http::{Manner, Response};

use crate::config::Config;

/// Seconds after which a client may try again what could not be done now.
const RETRY_AFTER_SECONDS: u64 = 1;

/// Fields of a page's response that its script may read, besides those that it always may.
const EXPOSED: &[u8] = b"Access-Control-Expose-Headers: ETag, X-Cache, X-Flags, X-TTL-Remaining\r\nVary: Origin\r\n";

/// Fields of a response that is JSON.
pub(crate) const JSON: &[u8] = b"Content-Type: application/json\r\n";

/// Fields of a response with a value in JSON: nobody between keeps what may change at any time.
pub(crate) const JSON_VALUE: &[u8] =
    b"Content-Type: application/json\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n";

/// Fields of a response that is a value.
pub(crate) const RAW_VALUE: &[u8] =
    b"Content-Type: application/octet-stream\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n";

/// Ways to say a password.
const CHALLENGE: &[u8] = b"WWW-Authenticate: Bearer realm=\"locksley\", Basic realm=\"locksley\"\r\n";

/// Begins a response.
#[inline]
pub(crate) fn begin<'o>(out: &'o mut Vec<u8>, manner: Manner, config: &Config, status: u16) -> Response<'o> {
    let response = Response::new(out, manner, status);
    if config.http_cors_origin.is_empty() { response } else { share(response, config) }
}

/// Lets pages of the one other origin read a response.
#[cold]
fn share<'o>(response: Response<'o>, config: &Config) -> Response<'o> {
    response.field("Access-Control-Allow-Origin", config.http_cors_origin.as_bytes()).lines(EXPOSED)
}

/// Ends a response with a few bytes of JSON.
pub(crate) fn end_json(response: Response<'_>, body: &[u8]) {
    response.lines(JSON).body(body);
}

/// Ends a response with a sentence that says what was wrong.
#[cold]
pub(crate) fn end_error(response: Response<'_>, status: u16, sentence: &str) {
    let response = match status {
        401 => response.lines(CHALLENGE),
        503 => response.number("Retry-After", RETRY_AFTER_SECONDS),
        _ => response,
    };
    end_json(response, serde_json::json!({ "error": sentence }).to_string().as_bytes());
}

/// Writes a response that says what was wrong.
#[cold]
pub(crate) fn error(out: &mut Vec<u8>, manner: Manner, config: &Config, status: u16, sentence: &str) {
    end_error(begin(out, manner, config, status), status, sentence);
}
