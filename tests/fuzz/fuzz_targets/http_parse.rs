//! HTTP requests mean the same in whatever pieces they arrive, have one reading, and no bytes upset the parser.
//!
//! Inputs are put together from words that requests are made of and from any bytes between them, since a head is
//! hardly ever found letter by letter.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use locksley_wire::http::target::decode;
use locksley_wire::http::{Limits, Refusal, Request, RequestParser, Step, node};

#[derive(Arbitrary, Debug)]
struct Case {
    /// Where the input is cut, as distances from the last cut.
    pieces: Vec<u8>,
    parts: Vec<Part>,
}

#[derive(Arbitrary, Debug)]
enum Part {
    Word(u8),
    Digits(u16),
    Hexadecimal(u8),
    Repeated(u8, u16),
    Bytes(Vec<u8>),
}

const WORDS: [&str; 56] = [
    "GET / HTTP/1.1\r\nHost: a\r\n",
    "PUT /a HTTP/1.1\r\nHost: a\r\n",
    "\r\n\r\n",
    "\r\n",
    "\n",
    "\r",
    " ",
    "\t",
    ":",
    ": ",
    ",",
    ";",
    "GET ",
    "HEAD ",
    "OPTIONS * HTTP/1.1\r\n",
    "/",
    "/cache/a%20b?db=1&ttl_seconds=5",
    "http://b:80/c",
    "?",
    "#",
    " HTTP/1.1\r\n",
    " HTTP/1.0\r\n",
    " HTTP/2.0\r\n",
    "Host: b\r\n",
    "Content-Length: 3\r\n\r\nabc",
    "Content-Length: ",
    "content-length:",
    "Content-Length",
    "Transfer-Encoding: chunked\r\n\r\n",
    "Transfer-Encoding: chunked\r\n",
    "transfer-encoding:\tChunked\r\n",
    "Transfer-Encoding",
    "chunked",
    "gzip, ",
    "3\r\nabc\r\n",
    "3;d=e\r\nabc\r\n",
    "A\r\n0123456789\r\n",
    "0\r\n\r\n",
    "0\r\nTrailer: f\r\n\r\n",
    "000",
    "+",
    "-",
    "0x",
    "Expect: 100-continue\r\n",
    "Expect: ",
    "Connection: close\r\n",
    "Connection: keep-alive, Upgrade\r\n",
    "Origin: g\r\n",
    "Authorization: Bearer h\r\n",
    "If-Match: \"1\"\r\n",
    "If-None-Match: *\r\n",
    "Content-Type: i\r\n",
    "X: ",
    "HTTP/1.1 200 OK\r\n",
    "X-Cache: MISS\r\n",
    "\0",
];

const BODY_BYTES_MAX: u64 = 1_000;

/// Each request as text, and what ended the stream.
type Requests = (Vec<String>, Option<Refusal>);

fn input(parts: &[Part]) -> Vec<u8> {
    let mut input = Vec::new();
    let word = |index: u8| WORDS[usize::from(index) % WORDS.len()].as_bytes();
    for part in parts {
        match part {
            Part::Word(index) => input.extend_from_slice(word(*index)),
            Part::Digits(number) => input.extend_from_slice(number.to_string().as_bytes()),
            Part::Hexadecimal(number) => input.extend_from_slice(format!("{number:x}").as_bytes()),
            Part::Repeated(index, count) => input.extend_from_slice(&word(*index).repeat(usize::from(count % 2_000))),
            Part::Bytes(bytes) => input.extend_from_slice(bytes),
        }
    }
    input
}

/// Feeds `input` in pieces of the given lengths, and the rest whole, keeping only what is not consumed.
fn feed(input: &[u8], pieces: &[u8]) -> Requests {
    let limits = |_: &Request<'_>| Limits { body_bytes_max: BODY_BYTES_MAX };
    let mut parser = RequestParser::default();
    let mut requests = Vec::new();
    let (mut begin, mut end) = (0, 0);
    // No request that begins at `begin` can end before this.
    let mut end_min = 0;
    let mut lengths = pieces.iter().map(|&length| usize::from(length));
    while end < input.len() {
        end = lengths.next().map_or(input.len(), |length| (end + length).min(input.len()));
        while begin < end {
            let held = &input[begin..end];
            match parser.parse(held, limits) {
                Step::Request { consumed, request } => {
                    assert!(
                        consumed <= held.len() && begin + consumed >= end_min,
                        "bytes were wanted that are not needed"
                    );
                    requests.push(describe(&held[..consumed], &request));
                    begin += consumed;
                }
                Step::Continue => {}
                Step::Incomplete { wanted_bytes } => {
                    assert!(wanted_bytes > 0);
                    end_min = end + wanted_bytes;
                    break;
                }
                Step::Refused(refusal) => {
                    assert!((400..600).contains(&refusal.status()) && !refusal.sentence().is_empty());
                    return (requests, Some(refusal));
                }
            }
        }
    }
    (requests, None)
}

/// What a request says, which is held against a reading of its bytes that knows nothing but lines.
fn describe(bytes: &[u8], request: &Request<'_>) -> String {
    let text = bytes.trim_ascii_start();
    let head_bytes = text.windows(4).position(|end| end == b"\r\n\r\n").expect("a head ends") + 4;
    let (head, framed) = text.split_at(head_bytes);
    let lone = |pair: &[u8]| (pair[0] == b'\r') != (pair[1] == b'\n');
    assert!(!head.windows(2).any(lone), "a CR or LF stands alone");
    let lines = || head.split(|byte| *byte == b'\n').skip(1);
    let count = |name: &[u8]| {
        let is_named = |line: &[u8]| line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
        lines().filter(|line| is_named(line)).count()
    };
    let (lengths, codings) = (count(b"content-length:"), count(b"transfer-encoding:"));
    assert!(lengths + codings <= 1 && count(b"host:") <= 1, "two readings are possible");
    let body = request.body.pieces().collect::<Vec<_>>().concat();
    assert!(body.len() == request.body.len() && body.len() as u64 <= BODY_BYTES_MAX);
    match codings {
        0 => assert_eq!(body, framed),
        _ => assert!(framed.ends_with(b"\r\n\r\n") && framed.len() >= body.len() + 5),
    }
    assert!(lengths + codings > 0 || body.is_empty());
    let mut buffer = Vec::new();
    let _ = decode(request.target.path, &mut buffer);
    for (name, value) in request.target.parameters() {
        let decoded_bytes = decode(value, &mut buffer).map_or(0, <[u8]>::len);
        assert!(!name.contains(&b'&') && decoded_bytes <= value.len());
    }
    format!("{request:?}")
}

fuzz_target!(|case: Case| {
    let input = input(&case.parts);
    let whole = feed(&input, &[]);
    let in_pieces = feed(&input, &case.pieces);
    assert_eq!(whole, in_pieces, "requests depend on how they are cut");
    let (requests, refusal) = feed(&input, &vec![1; input.len().min(4_096)]);
    assert_eq!(whole, (requests, refusal), "requests depend on how they are cut");
    // The bytes are looked at as a response, too: a client may meet any server.
    if let Ok(Some(head)) = node::head(&input) {
        assert!(head.head_bytes <= input.len());
    }
});
