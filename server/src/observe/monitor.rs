//! The line that a monitor reads of a command.

use std::fmt::Display;
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use locksley_engine::Db;

use super::quote::quote;

/// What stands in a log for an argument that is nobody's business.
pub(crate) const REDACTED: &[u8] = b"(redacted)";

/// Whether argument `index` of this request is a secret: passwords of AUTH, HELLO and CONFIG SET.
pub(crate) fn is_secret(args: &[&[u8]], index: usize) -> bool {
    let is = |at: usize, word: &str| args.get(at).is_some_and(|arg| arg.eq_ignore_ascii_case(word.as_bytes()));
    if is(0, "auth") {
        return index >= 1;
    }
    if is(0, "hello") {
        return (index.saturating_sub(2)..index).any(|at| at >= 2 && is(at, "auth"));
    }
    let names_secret = |at: usize| is(at, "requirepass") || is(at, "masterauth");
    is(0, "config") && is(1, "set") && index >= 3 && index % 2 == 1 && names_secret(index - 1)
}

/// The arguments with the secrets left out.
pub(crate) fn without_secrets<'a>(args: &'a [&'a [u8]]) -> impl ExactSizeIterator<Item = &'a [u8]> {
    args.iter().enumerate().map(move |(index, arg)| if is_secret(args, index) { REDACTED } else { *arg })
}

/// The reply that tells a monitor of one request: `+1700000000.000001 [0 127.0.0.1:50000] "get" "key"`.
pub(crate) fn line(db: Db, address: impl Display, args: &[&[u8]]) -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut out = Vec::with_capacity(64 + args.iter().map(|arg| arg.len() + 3).sum::<usize>());
    write!(out, "+{}.{:06} [{} {address}]", now.as_secs(), now.subsec_micros(), db.0)
        .expect("a vector takes all that is written");
    for arg in without_secrets(args) {
        out.push(b' ');
        quote(arg, &mut out);
    }
    out.extend(b"\r\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(request: &[&str], shown: &[&str]) {
        let args: Vec<&[u8]> = request.iter().map(|arg| arg.as_bytes()).collect();
        let kept: Vec<&[u8]> = without_secrets(&args).collect();
        let shown: Vec<&[u8]> = shown.iter().map(|arg| arg.as_bytes()).collect();
        assert_eq!(kept, shown, "{request:?}");
    }

    #[test]
    fn passwords_are_not_shown() {
        const X: &str = "(redacted)";
        check(&["AUTH", "secret"], &["AUTH", X]);
        check(&["auth", "user", "secret"], &["auth", X, X]);
        check(&["hello", "3", "AUTH", "user", "secret", "setname", "x"], &["hello", "3", "AUTH", X, X, "setname", "x"]);
        check(&["config", "set", "requirepass", "a", "port", "1"], &["config", "set", "requirepass", X, "port", "1"]);
        check(&["config", "set"], &["config", "set"]);
        check(&["get", "auth", "requirepass"], &["get", "auth", "requirepass"]);
    }

    #[test]
    fn a_line_names_database_address_and_arguments() {
        let line = line(Db(3), "127.0.0.1:5", &[b"get", b"a\"b"]);
        let text = String::from_utf8(line).expect("escaped bytes are text");
        assert!(text.starts_with('+') && text.ends_with(" [3 127.0.0.1:5] \"get\" \"a\\\"b\"\r\n"), "{text}");
    }
}
