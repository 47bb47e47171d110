//! What ops do to an entry: its marks, its times, its version.

use crate::lsn::Lsn;
use crate::wal::{Body, Record};
use crate::{
    Applied, Db, ExpiryChange, FlagsChange, Grace, Key, Millis, Op, ReplayFault, Shard, ShardOptions, Touch, Value,
};

const NOW: Millis = Millis(1_700_000_000_000);
const LATER: Millis = Millis(NOW.0 + 5_000);

fn put<'a>(key: Key<'a>, value: &'a [u8], expiry: ExpiryChange) -> Op<'a> {
    Op::Put { key, value: Value::Bytes(value), expiry, client_flags: FlagsChange::Keep }
}

/// Does `steps` one after another: each is to leave the entry as it says, stale or not and read or not.
fn check(steps: &[(&str, bool, bool)]) {
    let mut shard = Shard::new(ShardOptions::default()).expect("a small shard");
    let mut last = 0;
    for (index, (step, is_stale, was_read)) in steps.iter().enumerate() {
        let key = shard.key(Db(0), b"key");
        let expiry = Some(LATER);
        let op = match *step {
            "put" => put(key, b"value", ExpiryChange::Clear),
            "put long" => put(key, &[b'v'; 900], ExpiryChange::Keep),
            "splice" => Op::Splice { key, offset: 1, bytes: b"x" },
            "splice far" => Op::Splice { key, offset: 3_000, bytes: b"x" },
            "expire" => Op::SetExpiry { key, expiry },
            "persist" => Op::SetExpiry { key, expiry: None },
            "invalidate" => Op::Invalidate { key, expiry: ExpiryChange::Keep },
            "invalidate and expire" => Op::Invalidate { key, expiry: ExpiryChange::At(LATER) },
            "invalidate and persist" => Op::Invalidate { key, expiry: ExpiryChange::Clear },
            read => {
                let touch = match read {
                    "get" => Touch::Count,
                    "get, no touch" => Touch::CountOnly,
                    _ => Touch::Leave,
                };
                shard.get(key, NOW, touch).expect("it is there");
                Op::Delete { key: shard.key(Db(0), b"nobody's") }
            }
        };
        let is_change = !matches!(op, Op::Delete { .. });
        let applied = shard.apply(op, NOW).expect("there is room");
        let entry = shard.peek(shard.key(Db(0), b"key"), NOW).expect("it is there");
        let context = format!("step {index}, {step}");
        assert_eq!((entry.is_stale, entry.was_read), (*is_stale, *was_read), "{context}");
        assert_eq!(entry.version > last, is_change, "{context}");
        assert!(!is_change || entry.version == applied.version, "{context}");
        last = entry.version;
        shard.check();
    }
}

#[test]
fn a_counted_read_is_remembered_until_the_value_changes() {
    check(&[
        ("put", false, false),
        ("peek", false, false),
        ("get, no touch", false, false),
        ("get", false, true),
        ("expire", false, true),
        ("persist", false, true),
        ("invalidate", true, true),
        ("put", false, false),
        ("get", false, true),
        ("put long", false, false),
        ("get", false, true),
        ("splice", false, false),
        ("get", false, true),
        ("splice far", false, false),
    ]);
}

#[test]
fn a_value_out_of_date_is_so_until_it_is_written_whole() {
    check(&[
        ("put", false, false),
        ("invalidate", true, false),
        ("get", true, true),
        ("invalidate", true, true),
        ("splice", true, false),
        ("expire", true, false),
        ("splice far", true, false),
        ("persist", true, false),
        ("invalidate and expire", true, false),
        ("put long", false, false),
        ("invalidate and persist", true, false),
        ("put", false, false),
        ("invalidate and expire", true, false),
        ("put", false, false),
    ]);
}

#[test]
fn a_read_shows_whether_there_was_one_before() {
    let mut shard = Shard::new(ShardOptions::default()).expect("a small shard");
    let key = shard.key(Db(0), b"key");
    shard.apply(put(key, b"value", ExpiryChange::Clear), NOW).expect("there is room");
    let mut read = |at: Millis| shard.get(key, at, Touch::Count).map(|entry| (entry.was_read, entry.idle_ms > 0));
    assert_eq!(read(NOW), Some((false, false)));
    assert_eq!(read(Millis(NOW.0 + 60_000)), Some((true, true)));
    assert_eq!(read(Millis(NOW.0 + 60_000)), Some((true, false)));
}

#[test]
fn an_invalidation_changes_the_expiry_as_it_says() {
    let mut shard = Shard::new(ShardOptions::default()).expect("a small shard");
    let key = shard.key(Db(0), b"key");
    let mut invalidate = |before: ExpiryChange, change: ExpiryChange| {
        shard.apply(put(key, b"value", before), NOW).expect("there is room");
        let applied = shard.apply(Op::Invalidate { key, expiry: change }, NOW).expect("there is room");
        assert!(applied.existed);
        shard.check();
        shard.peek(key, NOW).map(|entry| entry.expiry)
    };
    let (soon, later) = (Millis(NOW.0 + 1), ExpiryChange::At(LATER));
    assert_eq!(invalidate(later, ExpiryChange::Keep), Some(Some(LATER)));
    assert_eq!(invalidate(later, ExpiryChange::Clear), Some(None));
    assert_eq!(invalidate(later, ExpiryChange::At(soon)), Some(Some(soon)));
    assert_eq!(invalidate(ExpiryChange::Clear, ExpiryChange::Keep), Some(None));
    assert_eq!(invalidate(ExpiryChange::Clear, later), Some(Some(LATER)));
    assert_eq!(invalidate(later, ExpiryChange::At(NOW)), None, "what is over goes");
    let missing = shard.apply(Op::Invalidate { key, expiry: ExpiryChange::Keep }, NOW);
    assert_eq!(missing, Ok(Applied::default()));
}

#[test]
fn a_flush_that_finishes_all_older_ones_is_one_too() {
    let options = ShardOptions { database_count: 2, ..ShardOptions::default() };
    let mut shard = Shard::new(options).expect("a small shard");
    for round in 0..40 {
        for number in 0..400 {
            for db in [Db(0), Db(1)] {
                let name = format!("key:{number}");
                let key = shard.key(db, name.as_bytes());
                shard.apply(put(key, b"value", ExpiryChange::Clear), NOW).expect("there is room");
            }
        }
        let db = Db(round % 2);
        shard.apply(Op::Flush { db: Some(db) }, NOW).expect("it is never refused");
        assert_eq!(shard.len(db), 0, "round {round}");
        // Leaves a little of each flushed table, as the rounds go by.
        shard.work(NOW, 300 + usize::from(round) * 16);
    }
    shard.check();
}

#[test]
fn an_invalidation_of_another_version_does_not_fit() {
    let mut shard = Shard::new(ShardOptions::default()).expect("a small shard");
    shard.begin_replay(NOW);
    let (db, key) = (Db(0), &b"key"[..]);
    let mut replay = |lsn: u64, body: Body<'_>| {
        let outcome = shard.replay(&Record { lsn: Lsn(lsn), is_grouped: false, body });
        let key = shard.key(db, key);
        let found = shard.peek(key, Millis(0)).map(|entry| (entry.version, entry.is_stale, entry.expiry));
        (outcome, found)
    };
    let grace = Grace::NONE;
    let invalidate = |base: u64, expiry: Option<Millis>| Body::Invalidate { db, key, base, expiry, grace };
    assert_eq!(replay(1, invalidate(1, None)).0, Err(ReplayFault::Base { expected: 1, found: 0 }));
    let put = Body::Put { db, key, value: Value::Integer(5), expiry: Some(LATER), client_flags: 0, grace: Grace::NONE };
    assert_eq!(replay(2, put), (Ok(()), Some((2, false, Some(LATER)))));
    assert_eq!(replay(3, invalidate(1, None)).0, Err(ReplayFault::Base { expected: 1, found: 2 }));
    assert_eq!(replay(4, invalidate(2, None)), (Ok(()), Some((4, true, None))));
    // In a replay nothing is over.
    assert_eq!(replay(5, invalidate(4, Some(Millis(1)))), (Ok(()), Some((5, true, Some(Millis(1))))));
    shard.end_replay();
    shard.check();
}
