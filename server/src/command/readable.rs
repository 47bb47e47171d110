//! Requests as people read them, in the slow log and by MONITOR.
//!
//! A request of RESP is shown as it was sent. The memcached and HTTP doors make arguments of their lines and fields, and
//! hand numbers on in packed form: these are written out again, in the order in which the door's client sends them.

use std::borrow::Cow;

use super::memcached::{STORE_OPTIONS_BYTES, StoreOptions};
use super::rest::{Form, ITEM_OPTIONS_BYTES, ItemOptions, PUT_OPTIONS_BYTES, PutOptions};
use super::row::{Args, Group};

/// The arguments of a request to a row of `group`, its name first.
pub(crate) fn readable<'a>(group: Group, args: Args<'a>) -> Vec<Cow<'a, [u8]>> {
    let unpack = match group {
        Group::Memcached => memcached,
        Group::Rest => rest,
        _ => return args.iter().map(|arg| Cow::Borrowed(*arg)).collect(),
    };
    let shown = |(index, arg): (usize, &&'a [u8])| match unpack(args[0], index, arg) {
        Some(text) => Cow::Owned(text.into_bytes()),
        None => Cow::Borrowed(*arg),
    };
    args.iter().enumerate().map(shown).collect()
}

/// A packed argument of the memcached door.
fn memcached(name: &[u8], index: usize, arg: &[u8]) -> Option<String> {
    match (name, index) {
        (b"set" | b"add" | b"replace" | b"append" | b"prepend" | b"cas", 2) => {
            let StoreOptions { flags, exptime, cas } = packed(arg, STORE_OPTIONS_BYTES, StoreOptions::decode)?;
            Some(if name == b"cas" { format!("{flags} {exptime} {cas}") } else { format!("{flags} {exptime}") })
        }
        (b"gat" | b"gats" | b"flush_all", 1) | (b"touch", 2) => {
            Some(i64::from_le_bytes(arg.try_into().ok()?).to_string())
        }
        (b"incr" | b"decr", 2) => Some(u64::from_le_bytes(arg.try_into().ok()?).to_string()),
        _ => None,
    }
}

/// A packed argument of the HTTP door.
fn rest(name: &[u8], index: usize, arg: &[u8]) -> Option<String> {
    let fields = |PutOptions { flags, ttl_seconds }: PutOptions| format!("flags={flags} ttl_seconds={ttl_seconds}");
    match (name, index) {
        (b"get", 2) => Some(if arg == Form::Raw.encode() { "raw" } else { "json" }.to_owned()),
        (b"put" | b"put-absent", 2) => packed(arg, PUT_OPTIONS_BYTES, PutOptions::decode).map(fields),
        (b"batch-put", index) if index % 3 == 2 => {
            packed(arg, ITEM_OPTIONS_BYTES, ItemOptions::decode).map(|options| fields(options.put))
        }
        _ => None,
    }
}

/// What an argument of `length` bytes says; nothing if it is of another length.
fn packed<T>(arg: &[u8], length: usize, decode: fn(&[u8]) -> T) -> Option<T> {
    (arg.len() == length).then(|| decode(arg))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(group: Group, args: Args<'_>, expected: &[&str]) {
        let shown = readable(group, args);
        let shown: Vec<String> = shown.iter().map(|arg| arg.escape_ascii().to_string()).collect();
        assert_eq!(shown, expected);
    }

    #[test]
    fn packed_numbers_are_written_out() {
        let options = StoreOptions { flags: 7, exptime: -1, cas: 12 }.encode();
        check(Group::Memcached, &[b"set", b"key", &options, b"value"], &["set", "key", "7 -1", "value"]);
        check(Group::Memcached, &[b"cas", b"key", &options, b"value"], &["cas", "key", "7 -1 12", "value"]);
        let number = 100_i64.to_le_bytes();
        check(Group::Memcached, &[b"gat", &number, b"a", b"b"], &["gat", "100", "a", "b"]);
        check(Group::Memcached, &[b"touch", b"a", &number], &["touch", "a", "100"]);
        check(Group::Memcached, &[b"incr", b"a", &number], &["incr", "a", "100"]);
        check(Group::Memcached, &[b"mg", b"a", b"v t"], &["mg", "a", "v t"]);
        let put = PutOptions { flags: 1, ttl_seconds: 60 };
        check(Group::Rest, &[b"put", b"a", &put.encode(), b"v"], &["put", "a", "flags=1 ttl_seconds=60", "v"]);
        check(Group::Rest, &[b"get", b"a", Form::Json.encode(), b"tag"], &["get", "a", "json", "tag"]);
        let item = ItemOptions { put, if_version: Some(3) }.encode();
        let shown = ["batch-put", "a", "flags=1 ttl_seconds=60", "v", "b", "flags=1 ttl_seconds=60", "w"];
        check(Group::Rest, &[b"batch-put", b"a", &item, b"v", b"b", &item, b"w"], &shown);
    }

    #[test]
    fn what_is_not_packed_is_shown_as_it_is() {
        check(Group::String, &[b"set", b"key", &[7; 20]], &["set", "key", &"\\x07".repeat(20)]);
        check(Group::Memcached, &[b"set", b"key", b"no numbers"], &["set", "key", "no numbers"]);
        check(Group::Memcached, &[b"touch", b"key", b""], &["touch", "key", ""]);
    }
}
