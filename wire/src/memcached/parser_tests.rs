use super::*;
use crate::memcached::request::Arithmetic;

const LIMITS: Limits = Limits { value_bytes_max: 1000 };

/// What a stream came to, one line a request or refusal, and how many bytes were passed over in silence.
#[derive(Debug, Default, PartialEq, Eq)]
struct Met {
    requests: Vec<String>,
    skipped_bytes: usize,
}

/// How requests are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// As a server does.
    Plain,
    /// Without the short way for common requests.
    Thorough,
    /// As a server that holds every request back once, and comes again.
    Twice,
}

/// Parses `stream`, of which a piece ends at each of `ends` and at its own end.
fn met(stream: &[u8], ends: &[usize], reading: Reading) -> Met {
    let (mut parser, mut met, mut position) = (RequestParser::default(), Met::default(), 0);
    let parse = |parser: &mut RequestParser, input| match reading {
        Reading::Thorough => parser.parse_any(input, LIMITS),
        Reading::Plain | Reading::Twice => parser.parse(input, &LIMITS),
    };
    for &end in ends.iter().chain([&stream.len()]) {
        while position < end {
            let input = &stream[position..end];
            let mut step = parse(&mut parser, input);
            if reading == Reading::Twice && matches!(step, Step::Request { .. }) {
                parser.reset();
                let again = parse(&mut parser, input);
                assert_eq!(step, again);
                step = again;
            }
            match step {
                Step::Request { consumed, request } => {
                    assert!(consumed > 0 && consumed <= input.len());
                    met.requests.push(format!("{request:?}"));
                    if request.is_err_and(Malformed::closes) {
                        return met;
                    }
                    position += consumed;
                }
                Step::Skipped { consumed } => {
                    assert!(consumed > 0 && consumed <= input.len());
                    met.skipped_bytes += consumed;
                    position += consumed;
                }
                Step::Incomplete { wanted_bytes } => {
                    assert!(wanted_bytes > 0);
                    break;
                }
            }
        }
    }
    met
}

fn requests(stream: &str) -> Vec<String> {
    met(stream.as_bytes(), &[], Reading::Plain).requests
}

/// Checks that `stream` comes to `expected` and nothing else.
#[track_caller]
fn check(stream: &str, expected: &[Result<Request<'_>, Malformed>]) {
    let expected: Vec<String> = expected.iter().map(|request| format!("{request:?}")).collect();
    assert_eq!(requests(stream), expected, "{:?}", &stream[..stream.len().min(100)]);
}

fn stored(mode: StoreMode, value: &[u8]) -> Storage<'_> {
    Storage { mode, key: b"k", flags: 0, exptime: 0, cas: 0, value, is_silent: false }
}

fn retrieved(retrieval: Retrieval, exptime: i64, keys: &[u8]) -> Result<Request<'_>, Malformed> {
    Ok(Request::Retrieve { retrieval, exptime, keys: Keys::many(keys).expect("these are keys") })
}

fn meta<'a>(verb: MetaVerb, flags: &'a [u8], value: &'a [u8]) -> Result<Request<'a>, Malformed> {
    Ok(Request::Meta { verb, key: b"k", flags, value })
}

#[test]
fn retrievals_name_their_keys() {
    check("get k\r\n", &[retrieved(Retrieval::Get, 0, b"k")]);
    check("get k\n", &[retrieved(Retrieval::Get, 0, b"k")]);
    check("  get  a   b \r\n", &[retrieved(Retrieval::Get, 0, b"a   b")]);
    check("gets k l\r\n", &[retrieved(Retrieval::Gets, 0, b"k l")]);
    check("gat 10 k\r\n", &[retrieved(Retrieval::Gat, 10, b"k")]);
    check("gats -1 k l m\r\n", &[retrieved(Retrieval::Gats, -1, b"k l m")]);
    check("get schl\u{fc}ssel\r\n", &[retrieved(Retrieval::Get, 0, "schl\u{fc}ssel".as_bytes())]);

    let keys = Keys::many(b"a  b c").expect("these are keys");
    assert_eq!((keys.only(), keys.count()), (None, 3));
    assert_eq!(keys.iter().collect::<Vec<_>>(), [b"a", b"b", b"c"]);
    assert_eq!(Keys::one(b"a").only(), Some(&b"a"[..]));
}

#[test]
fn storage_commands_bring_their_block() {
    let store = |storage| [Ok(Request::Store(storage))];
    check("set k 0 0 5\r\nhello\r\n", &store(stored(StoreMode::Set, b"hello")));
    check("set k 0 0 5\nhello\r\n", &store(stored(StoreMode::Set, b"hello")));
    check("set k 0 0 0\r\n\r\n", &store(stored(StoreMode::Set, b"")));
    check("add k 0 0 4\r\n\r\n\r\n\r\n", &store(stored(StoreMode::Add, b"\r\n\r\n")));
    check(" set  k  00 +0  01 \r\na\r\n", &store(stored(StoreMode::Set, b"a")));
    check("replace k 0 0 1 something\r\na\r\n", &store(stored(StoreMode::Replace, b"a")));
    let silent = Storage { is_silent: true, ..stored(StoreMode::Append, b"a") };
    check("append k 0 0 1 noreply\r\na\r\n", &store(silent));
    let bounds = Storage { flags: u32::MAX, exptime: i64::MIN, ..stored(StoreMode::Prepend, b"a") };
    check("prepend k 4294967295 -9223372036854775808 1\r\na\r\n", &store(bounds));
    let versioned = Storage { cas: u64::MAX, ..stored(StoreMode::Cas, b"a") };
    check("cas k 0 0 1 18446744073709551615\r\na\r\n", &store(versioned));
    check(
        "cas k 0 0 1 7 noreply\r\na\r\n",
        &store(Storage { cas: 7, is_silent: true, ..stored(StoreMode::Cas, b"a") }),
    );
}

#[test]
fn other_commands_say_what_they_want() {
    let key = b"k";
    let count = |arithmetic, delta, is_silent| [Ok(Request::Count { arithmetic, key, delta, is_silent })];
    check("delete k\r\n", &[Ok(Request::Delete { key, is_silent: false })]);
    check("delete k 0\r\n", &[Ok(Request::Delete { key, is_silent: false })]);
    check("delete k noreply\r\n", &[Ok(Request::Delete { key, is_silent: true })]);
    check("delete k 0 noreply\r\n", &[Ok(Request::Delete { key, is_silent: true })]);
    check("delete noreply\r\n", &[Ok(Request::Delete { key: b"noreply", is_silent: false })]);
    check("incr k 18446744073709551615\r\n", &count(Arithmetic::Increment, u64::MAX, false));
    check("decr k 1 noreply\r\n", &count(Arithmetic::Decrement, 1, true));
    check("touch k -1\r\n", &[Ok(Request::Touch { key, exptime: -1, is_silent: false })]);
    check("touch k 60 noreply\r\n", &[Ok(Request::Touch { key, exptime: 60, is_silent: true })]);
    for (line, exptime, is_silent) in [
        ("flush_all\r\n", 0, false),
        ("flush_all noreply\r\n", 0, true),
        ("flush_all 10\r\n", 10, false),
        ("flush_all -2 noreply\r\n", -2, true),
        ("flush_all 0 something\r\n", 0, false),
    ] {
        check(line, &[Ok(Request::FlushAll { exptime, is_silent })]);
    }
    check("version\r\nversion x\n", &[Ok(Request::Version), Ok(Request::Version)]);
    check("verbosity 1\r\n", &[Ok(Request::Verbosity { is_silent: false })]);
    check("verbosity 1 noreply\r\n", &[Ok(Request::Verbosity { is_silent: true })]);
    check("stats\r\n", &[Ok(Request::Stats { words: b"" })]);
    check("stats  items x \r\n", &[Ok(Request::Stats { words: b"items x" })]);
    check("quit\r\nquit noreply\r\n", &[Ok(Request::Quit), Ok(Request::Quit)]);
}

#[test]
fn meta_commands_keep_their_flags() {
    check("mg k\r\n", &[meta(MetaVerb::Get, b"", b"")]);
    check("mg k  t  v \r\n", &[meta(MetaVerb::Get, b"t  v", b"")]);
    check("ms k 2 T0 c\r\nab\r\n", &[meta(MetaVerb::Set, b"T0 c", b"ab")]);
    check("ms  k  0 \r\n\r\n", &[meta(MetaVerb::Set, b"", b"")]);
    check("md k q\r\n", &[meta(MetaVerb::Delete, b"q", b"")]);
    check("ma k N0 J5\r\n", &[meta(MetaVerb::Arithmetic, b"N0 J5", b"")]);
    check("me k\r\n", &[meta(MetaVerb::Debug, b"", b"")]);
    check("mn\r\nmn x\r\n", &[Ok(Request::MetaNoop), Ok(Request::MetaNoop)]);
}

/// Lines without end, and what is wrong with them.
#[rustfmt::skip]
const WRONG_LINES: &[(Malformed, &[&str])] = &[
    (Malformed::Unknown, &[
        "", " ", "foo", "GET a", "getx a", "get\ta", "m", "mx k", "mgx k", "mnx", "quitx", "bget k", "get", "gets ",
        "gat", "gat 0", "delete", "delete k 0 noreply x", "delete k 0 0 0", "incr", "incr k", "incr k 1 noreply x",
        "touch", "touch k", "touch k 0 noreply x", "flush_all 0 noreply x", "flush_all 0 x y", "verbosity",
        "verbosity a b c", "set", "set k", "set k 0 0", "set k 0 0 5 x y", "set k 0 0 5 noreply x", "cas k 0 0 5",
        "cas k 0 0 5 1 noreply x", "mg", "md ", "ma", "ms", "slabs reassign 1 2", "lru tune", "watch",
        "cache_memlimit 64", "shutdown", "lru_crawler metadump all",
    ]),
    (Malformed::BadLine, &[
        "get a\x01b", "get a\rb", "get a b\0", "get \x7f", "gat 0 a\tb", "delete a\x1f", "verbosity a",
        "verbosity a b", "set k 0 0 -1", "set k 0 0 a", "set k 0 0 5a", "set k 0 0 2147483646", "set k 0 0 +",
        "set k 0 0 99999999999999999999", "cas k 0 0 -1 1", "ms k", "ms k a", "ms k -1", "ms k S5", "ms k 2147483646",
        "me", "mg a\tb v",
    ]),
    (Malformed::BadDelete, &["delete k 1", "delete k x", "delete k 00", "delete k 0 x", "delete k noreply x"]),
    (Malformed::InvalidDelta, &[
        "incr k a", "incr k -1", "decr k 99999999999999999999", "incr k 1a", "incr k 0x10", "incr k 1\tx", "incr k +",
    ]),
    (Malformed::InvalidExptime, &[
        "touch k a", "touch k 1a", "touch k -", "touch k --1", "touch k -+1", "touch k 9223372036854775808", "gat a",
        "gat a k", "gats 1.5 k", "flush_all a", "flush_all noreply 0",
    ]),
];

#[test]
fn what_is_wrong_with_a_line_is_told_as_memcached_does() {
    let long = "k".repeat(251);
    for (malformed, lines) in WRONG_LINES {
        for line in *lines {
            for end in ["\r\n", "\n"] {
                check(&format!("{line}{end}version\r\n"), &[Err(*malformed), Ok(Request::Version)]);
            }
        }
    }
    for line in ["get ", "get a ", "gat 0 ", "delete ", "mg ", "md ", "ma ", "me "] {
        check(&format!("{line}{long}\r\n"), &[Err(Malformed::BadLine)]);
    }
    check(&format!("incr {long} 1\r\ntouch {long} 0\r\n"), &[Err(Malformed::BadLine), Err(Malformed::BadLine)]);
    check(&format!("get {}\r\n", &long[1..]), &[retrieved(Retrieval::Get, 0, &long.as_bytes()[1..])]);
}

#[test]
fn noreply_silences_errors_too() {
    let long = "k".repeat(251);
    for line in [
        "delete k 1 noreply",
        "touch k a noreply",
        "touch k noreply",
        "incr k a noreply",
        "incr k noreply",
        "flush_all a noreply",
        "verbosity noreply",
        "verbosity a noreply",
        "set k 0 0 -1 noreply",
        "set k 0 0 noreply",
        "set k x 0 3 noreply\r\nabc",
        "set k 0 0 3 noreply\r\nabcXX",
        "cas k 0 0 3 x noreply\r\nabc",
    ] {
        let stream = if line.ends_with("XX") { format!("{line}mn\r\n") } else { format!("{line}\r\nmn\r\n") };
        let Met { requests, skipped_bytes } = met(stream.as_bytes(), &[], Reading::Plain);
        assert_eq!(requests, ["Ok(MetaNoop)"], "{line}");
        assert_eq!(skipped_bytes, stream.len() - "mn\r\n".len());
    }
    check(&format!("delete {long} noreply\r\nmn\r\n"), &[Ok(Request::MetaNoop)]);
}

#[test]
fn the_block_of_a_bad_line_is_data() {
    let long = "k".repeat(251);
    let bad = Err(Malformed::BadLine);
    for head in [
        "set k x 0 9",
        "set k -1 0 9",
        "set k 4294967296 0 9",
        "set k 0 x 9",
        "cas k 0 0 9 -1",
        "set a\tb 0 0 9",
        &format!("set {long} 0 0 9"),
        &format!("ms {long} 9"),
        &format!("ms {long} 9 T0"),
    ] {
        check(&format!("{head}\r\nflush_all\r\nmn\r\n"), &[bad.clone(), Ok(Request::MetaNoop)]);
    }
    // No length, no block.
    check("set k 0 0 x\r\nflush_all\r\n", &[bad, Ok(Request::FlushAll { exptime: 0, is_silent: false })]);
}

#[test]
fn a_block_has_the_length_that_was_announced() {
    let chunk = Err(Malformed::BadDataChunk);
    check("set k 0 0 3\r\nabcXXmn\r\n", &[chunk.clone(), Ok(Request::MetaNoop)]);
    check("set k 0 0 3\r\nabcdef\r\n", &[chunk.clone(), Err(Malformed::Unknown)]);
    check("set k 0 0 3\r\nabc\nmn\r\n", &[chunk.clone(), Err(Malformed::Unknown)]);
    check("set k 0 0 5\r\nabc\r\nmn\r\nmn\r\n", &[chunk.clone(), Err(Malformed::Unknown), Ok(Request::MetaNoop)]);
    check("ms k 3 q\r\nabcXXmn\r\n", &[chunk, Ok(Request::MetaNoop)]);
}

#[test]
fn a_block_that_is_too_long_is_passed_over() {
    let block = "x".repeat(1001);
    let large = |mode, is_silent| Ok(Request::TooLarge { mode, key: b"k", is_silent });
    check(&format!("set k 0 0 1001\r\n{block}\r\nmn\r\n"), &[large(StoreMode::Set, false), Ok(Request::MetaNoop)]);
    check(&format!("add k 0 0 1001 noreply\r\n{block}\r\n"), &[large(StoreMode::Add, true)]);
    let meta = Ok(Request::MetaTooLarge { key: b"k", flags: b"q O1" });
    check(&format!("ms k 1001 q O1\r\n{block}\r\nmn\r\n"), &[meta, Ok(Request::MetaNoop)]);
    check("set k 0 0 2147483645\r\nxyz", &[large(StoreMode::Set, false)]);
    let fits = &block[1..];
    check(&format!("set k 0 0 1000\r\n{fits}\r\n"), &[Ok(Request::Store(stored(StoreMode::Set, fits.as_bytes())))]);
}

#[test]
fn lines_have_bounds_however_they_arrive() {
    let keys = |bytes: usize| "k ".repeat(bytes / 2);
    let count = |line: String| requests(&line);
    let too_long = "Err(LineTooLong)";
    // Both bounds count the line end.
    for (line, is_too_long) in [
        ("x".repeat(LINE_BYTES_MAX - 1) + "\n", false),
        ("x".repeat(LINE_BYTES_MAX) + "\n", true),
        ("x".repeat(LINE_BYTES_MAX), true),
        (" ".repeat(LINE_BYTES_MAX), true),
        (format!("getting {}\n", keys(LINE_BYTES_MAX)), true),
        (format!("set k 0 0 1{}\n", " ".repeat(LINE_BYTES_MAX)), true),
        (format!("mg k {}\n", " ".repeat(LINE_BYTES_MAX - 6)), false),
        (format!("mg k {}\n", " ".repeat(LINE_BYTES_MAX - 5)), true),
        (format!("get  {}\n", keys(RETRIEVAL_LINE_BYTES_MAX - 6)), false),
        (format!("get   {}\n", keys(RETRIEVAL_LINE_BYTES_MAX - 6)), true),
        (format!(" gats 0 {}", keys(RETRIEVAL_LINE_BYTES_MAX)), true),
    ] {
        let met = count(line);
        assert_eq!(met.len(), 1);
        assert_eq!(met[0] == too_long, is_too_long);
    }
    assert!(requests(&"x".repeat(LINE_BYTES_MAX - 1)).is_empty());
    assert!(Malformed::LineTooLong.closes() && !Malformed::LineTooLong.text().is_empty());
}

#[test]
fn a_browser_is_turned_away() {
    let stream = "POST / HTTP/1.1\r\nHost: cache\r\n\r\nflush_all\r\n";
    check(stream, &[Err(Malformed::Http)]);
    check("GET /x HTTP/1.0\r\n", &[Err(Malformed::Http)]);
    check("get HTTP/\r\n", &[retrieved(Retrieval::Get, 0, b"HTTP/")]);
}

/// Every command, and what can be wrong with one, one behind the other.
fn corpus() -> Vec<u8> {
    let mut stream = Vec::new();
    for request in [
        "get k\r\n",
        "get k\n",
        "get a b  c \r\n",
        "gets k\r\n",
        "gat 10 k l\r\n",
        "gats 0 k\n",
        "get\r\n",
        "\r\n",
        "\n",
        "set k 1 2 3\r\nabc\r\n",
        "set k 1 2 3\nabc\r\n",
        "set k 1 2 3 noreply\r\nabc\r\n",
        "set k 0 -1 0\r\n\r\n",
        "add k 0 0 3\r\n\r\na\r\n",
        "replace k 0 0 1\r\na\r\n",
        "append k 0 0 1\r\na\r\n",
        "prepend k 0 0 1\r\na\r\n",
        "cas k 0 0 1 77\r\na\r\n",
        "cas k 0 0 1 77 noreply\r\na\r\n",
        "delete k\r\n",
        "delete k 1\r\n",
        "incr k 1\r\n",
        "decr k 2 noreply\r\n",
        "incr k x noreply\r\n",
        "touch k 1\r\n",
        "flush_all\r\n",
        "flush_all 1 noreply\r\n",
        "version\r\n",
        "verbosity 1\r\n",
        "verbosity x noreply\r\n",
        "stats items\r\n",
        "mn\r\n",
        "mg k v t\r\n",
        "mg\n",
        "mg k\n",
        "mg k \r\n",
        "mg  k\r\n",
        "mg k  v  t \r\n",
        "mg k\r\r\n",
        "mg k\tv\r\n",
        "mg k \tv\r\n",
        "md k\r\n",
        "ma k q \n",
        "ms k 3 T0\r\nabc\r\n",
        "ms k 3\nabc\r\n",
        "md k q\r\n",
        "ma k N0\r\n",
        "me k\r\n",
        "set k x 0 3\r\nabc\r\n",
        "set k x 0 3 noreply\r\nabc\r\n",
        "set k 0 0 3\r\nabcXX",
        "ms k 3\r\nabcXX",
        "set k 0 0 1\r\nabc\r\n",
        "set k 0 0 3 noreply\r\nabcXX",
        "get k\r\r\n",
        "get a\tb\r\n",
        "\x7f\r\n",
        "slabs\r\n",
        "quit\r\n",
    ] {
        stream.extend_from_slice(request.as_bytes());
    }
    let large = "x".repeat(1001);
    for head in ["set k 0 0 1001", "add k 0 0 1001 noreply", "ms k 1001 q"] {
        stream.extend_from_slice(format!("{head}\r\n{large}\r\nget k\r\n").as_bytes());
    }
    stream.extend_from_slice(format!("get {}\r\nset k 0 0 1000\r\n", "key ".repeat(600)).as_bytes());
    stream.extend_from_slice(format!("{}\r\nGET / HTTP/1.1\r\nflush_all\r\n", &large[1..]).as_bytes());
    stream
}

#[test]
fn the_same_bytes_in_pieces_are_the_same_requests() {
    let stream = corpus();
    let whole = met(&stream, &[], Reading::Plain);
    assert_eq!(whole.requests.last().map(String::as_str), Some("Err(Http)"));
    for split in 1..stream.len() {
        assert_eq!(met(&stream, &[split], Reading::Plain), whole, "split at {split}");
    }
    for length in [1, 2, 3, 7, 64, 1000] {
        let ends: Vec<usize> = (length..stream.len()).step_by(length).collect();
        assert_eq!(met(&stream, &ends, Reading::Plain), whole, "pieces of {length}");
    }
}

#[test]
fn the_short_way_and_the_long_one_agree() {
    let stream = corpus();
    assert_eq!(met(&stream, &[], Reading::Thorough), met(&stream, &[], Reading::Plain));
}

#[test]
fn a_request_may_be_read_again_from_its_start() {
    let stream = corpus();
    let whole = met(&stream, &[], Reading::Plain);
    let ends: Vec<usize> = (5..stream.len()).step_by(5).collect();
    assert_eq!(met(&stream, &[], Reading::Twice), whole);
    assert_eq!(met(&stream, &ends, Reading::Twice), whole);
}

#[test]
fn a_missing_block_is_asked_for_at_once() {
    let mut parser = RequestParser::default();
    let head = b"set k 0 0 1000\r\nabc";
    assert_eq!(parser.parse(head, &LIMITS), Step::Incomplete { wanted_bytes: 999 });
    assert_eq!(parser.parse(b"set k 0 0 1000\r\nabcd", &LIMITS), Step::Incomplete { wanted_bytes: 998 });
}
