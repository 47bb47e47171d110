//! Ill-treatment that a server has to survive, and be well after.
//!
//! Each test starts a server of its own, treats it badly, and then asserts that it serves, that the clients are
//! gone and that the memory is back ([`Health`](locksley_tests::health::Health)).

mod crowds;
mod disconnects;
mod frames;
mod giants;
mod http;
mod memcached;
mod pauses;
mod pipelines;
mod protection;
mod silence;
mod stops;

use std::io::{ErrorKind, Write as _};
use std::net::TcpStream;

use locksley_tests::binary::{Kind, subject};
use locksley_tests::limits::SILENCE;

/// Sends `bytes` again and again until the server takes no more; gives how many were sent, and whether the
/// server closed.
fn send_until_stuck(mut stream: &TcpStream, bytes: &[u8], limit: usize) -> (usize, bool) {
    stream.set_write_timeout(Some(SILENCE)).expect("a socket has timeouts");
    let mut sent = 0;
    while sent < limit {
        let from = sent % bytes.len();
        match stream.write(&bytes[from..]) {
            Ok(count) => sent += count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return (sent, false),
            Err(_) => return (sent, true),
        }
    }
    (sent, false)
}

/// Whether the program under test is `redis-server`, which has no such door; says so.
fn is_redis() -> bool {
    let is_redis = subject().0 == Kind::Redis;
    if is_redis {
        println!("skipped: redis-server has no such door");
    }
    is_redis
}
