//! Requests of memcached mean the same in whatever pieces they arrive, and when they are read again; no bytes upset the
//! parser, and what it hands out keeps its bounds.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use locksley_wire::memcached::meta::Flags;
use locksley_wire::memcached::node::{Head, head};
use locksley_wire::memcached::{Limits, Malformed, Request, RequestParser, Step, Storage, key};

/// What lines and blocks are made of, so that whole requests are found soon.
#[rustfmt::skip]
const FRAGMENTS: &[&str] = &[
    "\r\n", "\r\n", "\r\n", "\n", " ", " ", " ", "get ", "gets ", "gat 0 ", "gats ", "set ", "add ", "replace ",
    "append ", "prepend ", "cas ", "delete ", "incr ", "decr ", "touch ", "flush_all", "version", "verbosity ",
    "stats", "quit", "mn", "mg ", "ms ", "md ", "ma ", "me ", "k", "key ", " 0 0 3\r\nabc\r\n",
    " 0 0 3 noreply\r\nabc\r\n", " 0 0 101\r\n", " 3 T0 c\r\nabc\r\n", " 101 q\r\n", " 1", " 0", " -1",
    " 18446744073709551615", " 2147483645", " noreply", " b k v", " Oabc", " N0", " MS", "Zm9v ", " HTTP/1.1", "\t",
    "\x7f",
];

#[derive(Arbitrary, Debug)]
enum Piece {
    Fragment(u8),
    Repeated(u8, u16),
    Bytes(Vec<u8>),
}

#[derive(Arbitrary, Debug)]
struct Case {
    /// Where the input is cut, as distances from the last cut.
    cuts: Vec<u8>,
    input: Vec<Piece>,
}

/// Small, so that its error is within reach.
const LIMITS: Limits = Limits { value_bytes_max: 100 };

const KEY_BYTES_MAX: usize = 250;

/// The longest line, that of a retrieval.
const LINE_BYTES_MAX: usize = 1024 * 1024;

/// Requests and refusals in words, and how many bytes were passed over in silence.
type Met = (Vec<String>, usize);

/// Feeds `input` in pieces of the given lengths, and the rest whole, keeping only what is not consumed; `again` reads
/// each request twice, as a server does that holds one back.
fn feed(input: &[u8], cuts: &[u8], again: bool) -> Met {
    let mut parser = RequestParser::default();
    let (mut met, mut skipped_bytes) = (Vec::new(), 0);
    let (mut begin, mut end) = (0, 0);
    let mut lengths = cuts.iter().map(|&length| usize::from(length));
    while end < input.len() {
        end = lengths.next().map_or(input.len(), |length| (end + length).min(input.len()));
        while begin < end {
            let held = &input[begin..end];
            let mut step = parser.parse(held, &LIMITS);
            if again && matches!(step, Step::Request { .. }) {
                parser.reset();
                let second = parser.parse(held, &LIMITS);
                assert_eq!(step, second, "a request reads otherwise the second time");
                step = second;
            }
            match step {
                Step::Request { consumed, request } => {
                    assert!(consumed > 0 && consumed <= held.len());
                    check_bounds(&request, &held[..consumed]);
                    met.push(format!("{request:?}"));
                    if request.is_err_and(Malformed::closes) {
                        return (met, skipped_bytes);
                    }
                    begin += consumed;
                }
                Step::Skipped { consumed } => {
                    assert!(consumed > 0 && consumed <= held.len());
                    skipped_bytes += consumed;
                    begin += consumed;
                }
                Step::Incomplete { wanted_bytes } => {
                    assert!(wanted_bytes > 0 && wanted_bytes as u64 <= LIMITS.value_bytes_max + 2);
                    assert!(held.len() < LINE_BYTES_MAX, "a line without an end is kept for ever");
                    break;
                }
            }
        }
    }
    (met, skipped_bytes)
}

/// Checks keys, and that everything lies in the request's own bytes.
fn check_bounds(request: &Result<Request<'_>, Malformed>, own: &[u8]) {
    let inside = |part: &[u8]| {
        let (part, own) = (part.as_ptr_range(), own.as_ptr_range());
        assert!(part.is_empty() || (own.start <= part.start && part.end <= own.end));
    };
    let key = |key: &[u8]| {
        inside(key);
        assert!(key::is_valid(key) && key.len() <= KEY_BYTES_MAX);
        assert!(key.iter().all(|byte| *byte > b' ' && *byte != 0x7F));
    };
    let value = |value: &[u8]| {
        inside(value);
        assert!(value.len() as u64 <= LIMITS.value_bytes_max);
    };
    match request {
        Ok(Request::Retrieve { keys, .. }) => {
            assert!(keys.count() > 0 && keys.iter().count() == keys.count());
            assert_eq!(keys.only().is_some(), keys.count() == 1);
            keys.iter().for_each(key);
        }
        Ok(Request::Store(Storage { key: name, value: block, .. })) => {
            key(name);
            value(block);
        }
        Ok(Request::Meta { key: name, flags, value: block, .. }) => {
            key(name);
            value(block);
            inside(flags);
            check_meta(name, flags);
        }
        Ok(
            Request::TooLarge { key: name, .. }
            | Request::MetaTooLarge { key: name, .. }
            | Request::Delete { key: name, .. }
            | Request::Count { key: name, .. }
            | Request::Touch { key: name, .. },
        ) => key(name),
        Ok(Request::Stats { words }) => inside(words),
        Ok(_) => {}
        Err(malformed) => {
            let text = malformed.text();
            assert!(text.is_empty() || text.ends_with(b"\r\n"));
        }
    }
}

/// Checks what is made of a meta command's flags and key.
fn check_meta(name: &[u8], flags: &[u8]) {
    if let Ok(flags) = Flags::parse(flags) {
        assert!(flags.iter().all(|flag| flag.letter.is_ascii_graphic() && flags.has(flag.letter)));
    }
    let mut decoded = Vec::new();
    if key::decode(name, &mut decoded) {
        let (mut encoded, mut back) = (Vec::new(), Vec::new());
        key::encode(&decoded, &mut encoded);
        assert!(encoded.len() == name.len() && key::decode(&encoded, &mut back) && back == decoded);
    }
}

fuzz_target!(|case: Case| {
    let mut input = Vec::new();
    for piece in &case.input {
        let fragment = |index: u8| FRAGMENTS[usize::from(index) % FRAGMENTS.len()].as_bytes();
        match piece {
            Piece::Fragment(index) => input.extend_from_slice(fragment(*index)),
            // Long enough for keys, blocks and lines that are too long.
            Piece::Repeated(index, count) => input.extend(fragment(*index).repeat(usize::from(*count) % 3000)),
            Piece::Bytes(bytes) => input.extend_from_slice(bytes),
        }
    }
    input.truncate(256 * 1024);
    let whole = feed(&input, &[], false);
    assert_eq!(whole, feed(&input, &case.cuts, false), "requests depend on how they are cut");
    assert_eq!(whole, feed(&input, &case.cuts, true), "requests depend on being read once");
    // The bytes are looked at as a reply, too: a client may meet any server.
    if let Ok(Some(Head::Value { bytes, body_start, body_bytes })) = head(&input) {
        assert!(body_start <= input.len() && body_start + body_bytes < bytes);
    }
});
