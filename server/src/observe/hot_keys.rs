//! Hot keys in the log: one line when a key became hot, which names it, because that is what the line is for.

use locksley_engine::HotKey;

use super::quote::quote;
use crate::limits::HOT_KEY_SHOWN_BYTES_MAX;
use crate::log::KEYED;

/// Says that keys of `shard` became hot.
#[cold]
pub(crate) fn log(shard: u16, keys: &[HotKey]) {
    for hot in keys {
        tracing::warn!(target: KEYED, "{}", line(shard, hot));
    }
}

/// What is said of one.
fn line(shard: u16, hot: &HotKey) -> String {
    let HotKey { db, key, key_bytes, requests_per_second, bytes_per_second } = hot;
    let shown = &key[..key.len().min(HOT_KEY_SHOWN_BYTES_MAX)];
    let mut name = Vec::new();
    quote(shown, &mut name);
    let name = String::from_utf8_lossy(&name);
    let missing = match key_bytes - shown.len() {
        0 => String::new(),
        count => format!("... ({count} more bytes)"),
    };
    format!(
        "hot key {name}{missing} in database {} on shard {shard}: {requests_per_second:.0} requests/s, \
         {bytes_per_second:.0} bytes/s",
        db.0
    )
}

#[cfg(test)]
mod tests {
    use locksley_engine::Db;

    use super::*;

    #[test]
    fn a_line_names_the_key_without_harm() {
        let mut hot = HotKey {
            db: Db(3),
            key: b"a\n\"b\"".as_slice().into(),
            key_bytes: 5,
            requests_per_second: 1_234.6,
            bytes_per_second: 99_999.5,
        };
        let expected = r#"hot key "a\n\"b\"" in database 3 on shard 1: 1235 requests/s, 100000 bytes/s"#;
        assert_eq!(line(1, &hot), expected);
        (hot.key, hot.key_bytes) = (vec![b'k'; 1_024].into(), 5_000);
        let text = line(0, &hot);
        assert!(text.starts_with(&format!("hot key \"{}\"... (4872 more bytes) in", "k".repeat(128))), "{text}");
    }
}
