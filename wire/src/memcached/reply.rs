//! Replies of the memcached text protocol, appended to a buffer.

/// What ends the reply to a retrieval.
pub const END: &[u8] = b"END\r\n";

/// Appends `VALUE <key> <flags> <bytes> [<cas>]`, the block and its end.
#[inline]
pub fn value(_key: &[u8], _flags: u32, _value: &[u8], _cas: Option<u64>, _out: &mut Vec<u8>) {
    todo!()
}

/// Appends `STAT <name> <value>`.
pub fn stat(_name: &str, _value: impl std::fmt::Display, _out: &mut Vec<u8>) {
    todo!()
}

/// Appends `SERVER_ERROR <text>`.
pub fn server_error(_text: &str, _out: &mut Vec<u8>) {
    todo!()
}

/// Appends `CLIENT_ERROR <text>`.
pub fn client_error(_text: &str, _out: &mut Vec<u8>) {
    todo!()
}
