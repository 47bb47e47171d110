//! Keys of memcached: their bounds, and the base64 form that lets them hold any byte.

/// Whether `key` may be a key as it was sent: 1 to 250 bytes, no space, no control character.
#[inline]
pub fn is_valid(_key: &[u8]) -> bool {
    todo!()
}

/// Decodes a base64 key into `out`; whether it was one of at most 250 bytes as sent.
pub fn decode(_key: &[u8], _out: &mut Vec<u8>) -> bool {
    todo!()
}

/// Appends the base64 form of `key`.
pub fn encode(_key: &[u8], _out: &mut Vec<u8>) {
    todo!()
}
