//! What the wire costs: requests of RESP, memcached and HTTP parsed, replies encoded and measured, slots computed.
//!
//! Each parse and encode figure is for a pipeline of 16, as a server sees it in one turn.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use locksley_wire::resp::{Limits, Protocol, Reply, RequestParser, Span, Step, measure};
use locksley_wire::slot::slot;
use locksley_wire::{http, memcached};

const PIPELINE: usize = 16;

/// A request of the given arguments.
fn request(args: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = Reply::new(&mut out, Protocol::Resp2);
    encoder.array(args.len());
    for arg in args {
        encoder.bulk(arg);
    }
    out
}

/// Parses every request of `input` and gives their count.
fn parse_all(input: &[u8], limits: &Limits, spans: &mut Vec<Span>) -> usize {
    let mut parser = RequestParser::default();
    let mut begin = 0;
    let mut count = 0;
    while begin < input.len() {
        spans.clear();
        match parser.parse(&input[begin..], limits, spans) {
            Ok(Step::Request { consumed }) => begin += consumed,
            other => panic!("{other:?}"),
        }
        black_box(&spans);
        count += 1;
    }
    count
}

fn parse(criterion: &mut Criterion) {
    let key = [b'k'; 24];
    let long_key = [b'k'; 100];
    let value = [b'v'; 32];
    let long_value = [b'v'; 1024];
    let cases: [(&str, Vec<u8>); 4] = [
        ("get_24", request(&[b"GET", &key])),
        ("get_100", request(&[b"GET", &long_key])),
        ("set_24_32", request(&[b"SET", &key, &value])),
        ("set_100_1024", request(&[b"SET", &long_key, &long_value])),
    ];
    let mut group = criterion.benchmark_group("parse");
    group.throughput(Throughput::Elements(PIPELINE as u64));
    for (name, one) in cases {
        let input = one.repeat(PIPELINE);
        let limits = Limits::default();
        let mut spans = Vec::with_capacity(8);
        group.bench_function(name, |bencher| bencher.iter(|| parse_all(black_box(&input), &limits, &mut spans)));
    }
    group.finish();
}

/// A `get` or `set` of memcached's text commands, or one of its meta commands, as a client sends it.
fn memcached_request(line: &[&[u8]], value: Option<&[u8]>) -> Vec<u8> {
    let mut out = line.join(&b" "[..]);
    out.extend_from_slice(b"\r\n");
    if let Some(value) = value {
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// Parses every memcached request of `input` and gives their count.
fn parse_memcached_all(input: &[u8], limits: memcached::Limits) -> usize {
    let mut parser = memcached::RequestParser::default();
    let mut begin = 0;
    let mut count = 0;
    while begin < input.len() {
        match parser.parse(&input[begin..], &limits) {
            memcached::Step::Request { consumed, request } => {
                black_box(&request);
                begin += consumed;
            }
            other => panic!("{other:?}"),
        }
        count += 1;
    }
    count
}

fn parse_memcached(criterion: &mut Criterion) {
    let key = [b'k'; 24];
    let long_key = [b'k'; 100];
    let value = [b'v'; 32];
    let long_value = [b'v'; 1024];
    let cases: [(&str, Vec<u8>); 7] = [
        ("get_24", memcached_request(&[b"get", &key], None)),
        ("get_100", memcached_request(&[b"get", &long_key], None)),
        ("get_24_times_10", memcached_request(&[&b"get"[..], &[&key[..]; 10].join(&b" "[..])], None)),
        ("set_24_32", memcached_request(&[b"set", &key, b"0", b"0", b"32"], Some(&value))),
        ("set_100_1024", memcached_request(&[b"set", &long_key, b"0", b"3600", b"1024"], Some(&long_value))),
        ("mg_24", memcached_request(&[b"mg", &key, b"v"], None)),
        ("ms_24_32", memcached_request(&[b"ms", &key, b"32", b"T3600"], Some(&value))),
    ];
    let mut group = criterion.benchmark_group("parse_memcached");
    group.throughput(Throughput::Elements(PIPELINE as u64));
    for (name, one) in cases {
        let input = one.repeat(PIPELINE);
        let limits = memcached::Limits { value_bytes_max: 1024 * 1024 };
        group.bench_function(name, |bencher| bencher.iter(|| parse_memcached_all(black_box(&input), limits)));
    }
    group.finish();
}

fn encode_memcached(criterion: &mut Criterion) {
    let key = [b'k'; 24];
    let mut group = criterion.benchmark_group("encode_memcached");
    group.throughput(Throughput::Elements(PIPELINE as u64));
    let mut out = Vec::with_capacity(128 * 1024);
    for length in [32, 1024, 4096] {
        let value = vec![b'v'; length];
        group.bench_function(format!("value_{length}"), |bencher| {
            bencher.iter(|| {
                out.clear();
                for _ in 0..PIPELINE {
                    memcached::reply::value(black_box(&key), 0, black_box(&value), None, &mut out);
                }
                out.len()
            });
        });
        // The floor: the same bytes copied at once.
        let whole = vec![b'v'; length + "VALUE  0 1024\r\n\r\n".len() + key.len()];
        group.bench_function(format!("copy_{length}"), |bencher| {
            bencher.iter(|| {
                out.clear();
                for _ in 0..PIPELINE {
                    out.extend_from_slice(black_box(&whole));
                }
                out.len()
            });
        });
    }
    group.finish();
}

/// Parses every HTTP request of `input` and gives their count.
fn parse_http_all(input: &[u8]) -> usize {
    let limits = |_: &http::Request<'_>| http::Limits { body_bytes_max: 1 << 20 };
    let mut parser = http::RequestParser::default();
    let mut begin = 0;
    let mut count = 0;
    while begin < input.len() {
        match parser.parse(&input[begin..], limits) {
            http::Step::Request { consumed, request } => {
                black_box(&request);
                begin += consumed;
            }
            other => panic!("{other:?}"),
        }
        count += 1;
    }
    count
}

fn parse_http(criterion: &mut Criterion) {
    let short = "Host: 127.0.0.1:8379\r\nUser-Agent: curl/8.14.1\r\nAccept: */*\r\n";
    let usual = "Host: cache.internal:8379\r\nUser-Agent: a-client-of-some-language/2.32.3\r\n\
        Accept-Encoding: gzip, deflate, br, zstd\r\nAccept: application/octet-stream\r\nConnection: keep-alive\r\n\
        Authorization: Bearer 0123456789abcdef0123456789abcdef\r\nX-Request-Id: 01234567-89ab-cdef-0123-456789abcdef\r\n\
        Traceparent: 00-0123456789abcdef0123456789abcdef-0123456789abcdef-01\r\n";
    let head = |method: &str, fields: &str| format!("{method} /cache/{} HTTP/1.1\r\n{fields}", "k".repeat(24));
    let body = "v".repeat(1024);
    let chunks = format!("40\r\n{}\r\n", "v".repeat(64)).repeat(16);
    let cases = [
        ("get_curl", format!("{}\r\n", head("GET", short))),
        ("get_usual", format!("{}\r\n", head("GET", usual))),
        ("put_1024", format!("{}Content-Length: 1024\r\n\r\n{body}", head("PUT", short))),
        ("put_16_chunks", format!("{}Transfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n", head("PUT", short))),
    ];
    let mut group = criterion.benchmark_group("parse_http");
    group.throughput(Throughput::Elements(PIPELINE as u64));
    for (name, one) in cases {
        let input = one.repeat(PIPELINE).into_bytes();
        group.bench_function(name, |bencher| bencher.iter(|| parse_http_all(black_box(&input))));
    }
    group.finish();
}

/// Writes `PIPELINE` responses with a body, as GET gives raw bytes.
fn write_responses(out: &mut Vec<u8>, manner: http::Manner, body: &[u8]) {
    out.clear();
    for version in 0..PIPELINE as u64 {
        http::Response::new(out, manner, 200)
            .field("Content-Type", b"application/octet-stream")
            .number("X-Version", 1_234_567 + version)
            .field("X-Cache", b"HIT")
            .body(black_box(body));
    }
}

fn encode_http(criterion: &mut Criterion) {
    let manner = http::Manner { second: 784_111_777, is_head: false, closes: false };
    let mut group = criterion.benchmark_group("encode_http");
    group.throughput(Throughput::Elements(PIPELINE as u64));
    let mut out = Vec::with_capacity(64 * 1024);
    for length in [32, 1024] {
        let body = vec![b'v'; length];
        group.bench_function(format!("response_{length}"), |bencher| {
            bencher.iter(|| write_responses(&mut out, black_box(manner), &body));
        });
    }
    group.bench_function("date", |bencher| bencher.iter(|| http::date::date(black_box(784_111_777))));
    group.finish();
    write_responses(&mut out, manner, &[b'v'; 1024]);
    criterion.bench_function("measure/response_1024", |bencher| bencher.iter(|| http::node::head(black_box(&out))));
}

fn encode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode");
    group.throughput(Throughput::Elements(PIPELINE as u64));
    let mut out = Vec::with_capacity(64 * 1024);
    for length in [32, 1024, 4096] {
        let value = vec![b'v'; length];
        group.bench_function(format!("bulk_{length}"), |bencher| {
            bencher.iter(|| {
                out.clear();
                let mut reply = Reply::new(&mut out, Protocol::Resp2);
                for _ in 0..PIPELINE {
                    reply.bulk(black_box(&value));
                }
                reply.len()
            });
        });
    }
    for number in [1i64, 1_234_567] {
        group.bench_function(format!("integer_{number}"), |bencher| {
            bencher.iter(|| {
                out.clear();
                let mut reply = Reply::new(&mut out, Protocol::Resp2);
                for _ in 0..PIPELINE {
                    reply.integer(black_box(number));
                }
                reply.len()
            });
        });
    }
    group.bench_function("ok", |bencher| {
        bencher.iter(|| {
            out.clear();
            let mut reply = Reply::new(&mut out, Protocol::Resp2);
            for _ in 0..PIPELINE {
                reply.ok();
            }
            reply.len()
        });
    });
    group.finish();
}

fn measure_replies(criterion: &mut Criterion) {
    let mut input = Vec::new();
    Reply::new(&mut input, Protocol::Resp2).bulk(&[b'v'; 32]);
    criterion.bench_function("measure/bulk_32", |bencher| bencher.iter(|| measure(black_box(&input))));
}

fn slots(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("slot");
    for length in [24, 100] {
        let key = vec![b'k'; length];
        group.bench_function(length.to_string(), |bencher| bencher.iter(|| slot(black_box(&key))));
    }
    group.finish();
}

criterion_group!(
    benches,
    parse,
    parse_memcached,
    parse_http,
    encode,
    encode_memcached,
    encode_http,
    measure_replies,
    slots
);
criterion_main!(benches);
