//! Why a request cannot be served, with the status and the sentence that the client gets.
//!
//! All of these end the connection: where the refused request ends is not known, or not to be trusted.

use crate::limits::{
    HTTP_CHUNK_DIGIT_COUNT_MAX as CHUNK_DIGIT_COUNT_MAX, HTTP_CHUNK_EXTENSION_BYTES_MAX as EXTENSION_BYTES_MAX,
    HTTP_CHUNK_LINE_BYTES_MAX as CHUNK_LINE_BYTES_MAX, HTTP_FIELD_COUNT_MAX as FIELD_COUNT_MAX,
    HTTP_HEAD_BYTES_MAX as HEAD_BYTES_MAX, HTTP_TARGET_BYTES_MAX as TARGET_BYTES_MAX,
};

/// Why a request cannot be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 400: the bytes are no request.
    Malformed,
    /// 400: both `Transfer-Encoding` and `Content-Length`, two lengths, or chunks in HTTP/1.0: whoever is between may
    /// read another end.
    AmbiguousLength,
    /// 400: HTTP/1.1 without a `Host`, or with two.
    MissingHost,
    /// 400: a field that decides something, and has one value, is there twice.
    RepeatedField,
    /// 400: the line before a chunk is too long, or its size, or what all such lines of a body say besides sizes.
    ChunkLineTooLong,
    /// 413: the body is longer than this limit.
    BodyTooLong {
        /// The limit, in bytes.
        limit_bytes: u64,
    },
    /// 414: the target is longer than allowed.
    TargetTooLong,
    /// 417: an expectation other than 100-continue.
    UnknownExpectation,
    /// 431: the head or the trailers are too long, or have too many fields.
    HeadTooLong,
    /// 501: a transfer coding other than chunked.
    UnknownCoding,
    /// 505: neither HTTP/1.0 nor 1.1.
    UnknownVersion,
}

impl Refusal {
    /// The status code.
    pub fn status(self) -> u16 {
        match self {
            Self::Malformed
            | Self::AmbiguousLength
            | Self::MissingHost
            | Self::RepeatedField
            | Self::ChunkLineTooLong => 400,
            Self::BodyTooLong { .. } => 413,
            Self::TargetTooLong => 414,
            Self::UnknownExpectation => 417,
            Self::HeadTooLong => 431,
            Self::UnknownCoding => 501,
            Self::UnknownVersion => 505,
        }
    }

    /// What is wrong, in a sentence that names the limit.
    pub fn sentence(self) -> String {
        match self {
            Self::Malformed => "the request is not HTTP/1.1".to_owned(),
            Self::AmbiguousLength => {
                "the length of the body can be read in two ways: one Content-Length, or in HTTP/1.1 one \
                 Transfer-Encoding, is needed"
                    .to_owned()
            }
            Self::MissingHost => "one Host field is needed".to_owned(),
            Self::RepeatedField => "a field that can have one value is there twice".to_owned(),
            Self::ChunkLineTooLong => format!(
                "the line before a chunk is longer than {CHUNK_LINE_BYTES_MAX} bytes, its size than \
                 {CHUNK_DIGIT_COUNT_MAX} digits, or all extensions together than {EXTENSION_BYTES_MAX} bytes"
            ),
            Self::BodyTooLong { limit_bytes } => format!("the body is longer than {limit_bytes} bytes"),
            Self::TargetTooLong => format!("the target is longer than {TARGET_BYTES_MAX} bytes"),
            Self::UnknownExpectation => "100-continue is the only expectation that can be met".to_owned(),
            Self::HeadTooLong => {
                format!("the head is longer than {HEAD_BYTES_MAX} bytes or has more than {FIELD_COUNT_MAX} fields")
            }
            Self::UnknownCoding => "chunked is the only transfer coding that can be read".to_owned(),
            Self::UnknownVersion => "HTTP/1.1 and HTTP/1.0 are spoken here".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::response::reason;

    #[test]
    fn each_refusal_has_a_phrase_and_names_its_limit() {
        let cases = [
            (Refusal::Malformed, "400 Bad Request", "HTTP/1.1"),
            (Refusal::AmbiguousLength, "400 Bad Request", "one Content-Length"),
            (Refusal::MissingHost, "400 Bad Request", "one Host"),
            (Refusal::RepeatedField, "400 Bad Request", "one value"),
            (Refusal::ChunkLineTooLong, "400 Bad Request", "longer than 256 bytes, its size than 8 digits"),
            (Refusal::BodyTooLong { limit_bytes: 77 }, "413 Content Too Large", "77 bytes"),
            (Refusal::TargetTooLong, "414 URI Too Long", "8192 bytes"),
            (Refusal::UnknownExpectation, "417 Expectation Failed", "100-continue"),
            (Refusal::HeadTooLong, "431 Request Header Fields Too Large", "16384 bytes or has more than 64 fields"),
            (Refusal::UnknownCoding, "501 Not Implemented", "chunked"),
            (Refusal::UnknownVersion, "505 HTTP Version Not Supported", "HTTP/1.0"),
        ];
        for (refusal, status, limit) in cases {
            assert_eq!(format!("{} {}", refusal.status(), reason(refusal.status())), status);
            assert!(refusal.sentence().contains(limit), "{}", refusal.sentence());
        }
    }
}
