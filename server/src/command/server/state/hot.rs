//! The keys that are used most.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use locksley_engine::HotKey;
use serde::Serialize;

use crate::command::server::pack::{Reader, write_bytes, write_number, write_numbers};
use crate::limits::CONSOLE_HOT_KEY_COUNT_MAX;
use crate::thread::Thread;

/// One hot key.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct HotFacts {
    /// Its first bytes, in base64 where they are not text.
    key: String,
    /// `base64`, or absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    key_encoding: Option<&'static str>,
    /// How many bytes it has: more than are shown, where it is long.
    key_bytes: u64,
    /// Whether all of it is here.
    is_whole: bool,
    db: u64,
    shard: u64,
    requests_per_second: f64,
    bytes_per_second: f64,
}

/// Writes the hottest keys of `thread`.
pub(super) fn write(thread: &Thread, out: &mut Vec<u8>) {
    let hottest = thread.shard.hot_keys(CONSOLE_HOT_KEY_COUNT_MAX, thread.now);
    write_number(hottest.len() as u64, out);
    for HotKey { db, key, key_bytes, requests_per_second, bytes_per_second } in &hottest {
        write_bytes(key, out);
        write_numbers(&[*key_bytes as u64, u64::from(db.0), u64::from(thread.id.0)], out);
        write_numbers(&[requests_per_second.to_bits(), bytes_per_second.to_bits()], out);
    }
}

/// Reads what [`write`] wrote.
pub(super) fn read(reader: &mut Reader<'_>) -> Vec<HotFacts> {
    let count = reader.number();
    let hot = |_| {
        let bytes = reader.bytes();
        let (key, key_encoding) = match str::from_utf8(bytes) {
            Ok(text) => (text.to_owned(), None),
            Err(_) => (STANDARD.encode(bytes), Some("base64")),
        };
        let key_bytes = reader.number();
        HotFacts {
            key,
            key_encoding,
            key_bytes,
            is_whole: key_bytes == bytes.len() as u64,
            db: reader.number(),
            shard: reader.number(),
            requests_per_second: tenths(f64::from_bits(reader.number())),
            bytes_per_second: tenths(f64::from_bits(reader.number())),
        }
    };
    (0..count).map(hot).collect()
}

/// The hottest of all threads' keys, the hottest first.
pub(super) fn hottest(mut keys: Vec<HotFacts>) -> Vec<HotFacts> {
    keys.sort_by(|one, other| other.requests_per_second.total_cmp(&one.requests_per_second));
    keys.truncate(CONSOLE_HOT_KEY_COUNT_MAX);
    keys
}

/// Rounded to what a smoothed rate is good for.
fn tenths(rate: f64) -> f64 {
    (rate * 10.0).round() / 10.0
}
