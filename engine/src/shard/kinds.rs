//! Tests of what is not a plain string: values with a grace, notes that there is nothing, locks.

use crate::limits::TOKEN_MAX;
use crate::lsn::Lsn;
use crate::wal::{Body, Record};
use crate::{
    Applied, Db, Entry, ExpiryChange, FlagsChange, Form, Grace, Kind, Look, Millis, Op, Policy, Refusal, ReplayFault,
    Shard, ShardOptions, Touch, Value,
};

const NOW: Millis = Millis(1_700_000_000_000);
/// When values with a grace are over, and when their grace is.
const UNTIL: Millis = Millis(NOW.0 + 1_000);
const END: Millis = Millis(UNTIL.0 + 500);
const GRACED: ExpiryChange = ExpiryChange::Graced { until: UNTIL, grace_ms: 500, cost_ms: 20 };
const DB: Db = Db(0);
const NAME: &[u8] = b"key";

fn shard() -> Shard {
    Shard::new(ShardOptions::default()).expect("a small shard")
}

/// Does `op`, which is not refused.
fn apply(shard: &mut Shard, op: Op<'_>, now: Millis) -> Applied {
    let applied = shard.apply(op, now).expect("there is room");
    shard.check();
    applied
}

fn put(shard: &mut Shard, value: &[u8], expiry: ExpiryChange, now: Millis) -> Applied {
    let key = shard.key(DB, NAME);
    let client_flags = FlagsChange::Keep;
    apply(shard, Op::Put { key, value: Value::Bytes(value), expiry, client_flags }, now)
}

fn put_absent(shard: &mut Shard, expiry: Millis, now: Millis) -> Applied {
    let key = shard.key(DB, NAME);
    apply(shard, Op::PutAbsent { key, expiry }, now)
}

fn lock(shard: &mut Shard, token: u64, expiry: Millis, now: Millis) -> Applied {
    let key = shard.key(DB, NAME);
    apply(shard, Op::Lock { key, token, expiry }, now)
}

fn value_of(entry: &Entry<'_>) -> String {
    match entry.value {
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Integer(integer) => integer.to_string(),
    }
}

/// What there is at `now`, in words; `get` and `peek` must show the same.
fn seen(shard: &mut Shard, now: Millis) -> String {
    let key = shard.key(DB, NAME);
    let peeked = shard.peek(key, now).map(|entry| value_of(&entry));
    let mut scanned = None;
    shard.scan(DB, 0, 1_000, now, |entry| scanned = Some(value_of(entry)));
    let drawn = shard.random(DB, 5, now).map(|entry| value_of(&entry));
    let got = shard.get(key, now, Touch::CountOnly).map(|entry| value_of(&entry));
    assert_eq!((&peeked, &scanned, &drawn), (&got, &got, &got), "all readers see the same");
    let tell = |what: &str, entry: &Entry<'_>| {
        let expiry = entry.expiry.map_or_else(|| "never".to_owned(), |at| format!("{}", at.0 as i64 - NOW.0 as i64));
        format!("{what} {} to {expiry}, cost {}", value_of(entry), entry.cost_ms)
    };
    let (text, is_live) = match shard.look(key, now, Touch::Leave) {
        Look::Missing => ("missing".to_owned(), false),
        Look::Absent { expiry } => (format!("absent to {}", expiry.0 - NOW.0), false),
        Look::Over(entry) => (tell("over", &entry), false),
        Look::Live(entry) => (tell("live", &entry), true),
    };
    assert_eq!(got.is_some(), is_live, "only what is live is got: {text}");
    text
}

fn after(ms: u64) -> Millis {
    Millis(NOW.0 + ms)
}

#[test]
fn a_value_with_a_grace_is_over_before_it_is_gone() {
    let mut shard = shard();
    let applied = put(&mut shard, b"value", GRACED, NOW);
    assert!(!applied.existed && applied.version > 0);
    for (at, expected) in [
        (0, "live value to 1000, cost 20"),
        (999, "live value to 1000, cost 20"),
        (1_000, "over value to 1000, cost 20"),
        (1_499, "over value to 1000, cost 20"),
        (1_500, "missing"),
    ] {
        assert_eq!(seen(&mut shard, after(at)), expected, "after {at} ms");
    }
    assert_eq!((shard.stats().expired, shard.len(DB)), (1, 0));
}

#[test]
fn background_work_leaves_a_value_its_grace() {
    let mut shard = shard();
    put(&mut shard, b"value", GRACED, NOW);
    shard.work(Millis(END.0 - 1), 1_000);
    assert_eq!(seen(&mut shard, Millis(END.0 - 1)), "over value to 1000, cost 20");
    shard.work(END, 1_000);
    assert_eq!(shard.len(DB), 0);
    shard.check();
}

/// A change of the key, in words.
fn change(shard: &mut Shard, what: &str, now: Millis) -> Applied {
    let key = shard.key(DB, NAME);
    let expiry = Some(after(9_000));
    match what {
        "put" => put(shard, b"new", ExpiryChange::Clear, now),
        "put, keep" => put(shard, b"new", ExpiryChange::Keep, now),
        "put long, keep" => put(shard, &[b'n'; 300], ExpiryChange::Keep, now),
        "put with grace" => {
            put(shard, b"new", ExpiryChange::Graced { until: after(7_000), grace_ms: 9, cost_ms: 8 }, now)
        }
        "splice" => apply(shard, Op::Splice { key, offset: 0, bytes: b"V" }, now),
        "splice far" => apply(shard, Op::Splice { key, offset: 300, bytes: b"V" }, now),
        "expire" => apply(shard, Op::SetExpiry { key, expiry }, now),
        "persist" => apply(shard, Op::SetExpiry { key, expiry: None }, now),
        "invalidate" => apply(shard, Op::Invalidate { key, expiry: ExpiryChange::Keep }, now),
        "invalidate, expire" => apply(shard, Op::Invalidate { key, expiry: ExpiryChange::Exactly(after(9_000)) }, now),
        "invalidate, grace" => apply(shard, Op::Invalidate { key, expiry: GRACED }, now),
        "delete" => apply(shard, Op::Delete { key }, now),
        "absent" => put_absent(shard, after(9_000), now),
        "lock" => lock(shard, 5, after(9_000), now),
        _ => panic!("{what} is no change"),
    }
}

/// Does `what` to a key that holds what `prepare` put there, at `now`: it must have existed or not, and be `expected`.
fn check(prepare: fn(&mut Shard), at: u64, what: &str, existed: bool, expected: &str) {
    let mut shard = shard();
    prepare(&mut shard);
    let applied = change(&mut shard, what, after(at));
    assert_eq!(applied.existed, existed, "{what} after {at} ms");
    assert_eq!(seen(&mut shard, after(at)).replace(&"n".repeat(300), "long"), expected, "{what} after {at} ms");
}

#[test]
fn changes_of_a_value_with_a_grace() {
    let prepare = |shard: &mut Shard| {
        put(shard, b"value", GRACED, NOW);
    };
    for (what, existed, expected) in [
        ("put", true, "live new to never, cost 0"),
        ("put, keep", true, "live new to 1000, cost 0"),
        ("put long, keep", true, "live long to 1000, cost 0"),
        ("put with grace", true, "live new to 7000, cost 8"),
        ("splice", true, "live Value to 1000, cost 20"),
        ("expire", true, "live value to 9000, cost 20"),
        ("persist", true, "live value to never, cost 0"),
        ("invalidate", true, "live value to 1000, cost 20"),
        ("invalidate, expire", true, "live value to 9000, cost 0"),
        ("delete", true, "missing"),
        ("absent", true, "absent to 9000"),
        ("lock", true, "live 5 to 9000, cost 0"),
    ] {
        check(prepare, 500, what, existed, expected);
    }
    let mut shard = shard();
    prepare(&mut shard);
    change(&mut shard, "splice far", NOW);
    assert!(seen(&mut shard, UNTIL).starts_with("over value\0"), "a splice keeps the grace in a new cell");
}

#[test]
fn in_its_grace_a_value_is_none_to_changes() {
    let prepare = |shard: &mut Shard| {
        put(shard, b"value", GRACED, NOW);
    };
    for (what, expected) in [
        ("put", "live new to never, cost 0"),
        ("put, keep", "live new to never, cost 0"),
        ("put long, keep", "live long to never, cost 0"),
        ("splice", "live V to never, cost 0"),
        ("expire", "over value to 1000, cost 20"),
        ("persist", "over value to 1000, cost 20"),
        ("invalidate", "over value to 1000, cost 20"),
        ("delete", "missing"),
        ("absent", "absent to 9000"),
        ("lock", "live 5 to 9000, cost 0"),
    ] {
        check(prepare, 1_200, what, false, expected);
    }
}

#[test]
fn changes_of_what_is_absent() {
    let prepare = |shard: &mut Shard| {
        put_absent(shard, END, NOW);
    };
    for (what, expected) in [
        ("put", "live new to never, cost 0"),
        ("put, keep", "live new to never, cost 0"),
        ("put with grace", "live new to 7000, cost 8"),
        ("splice", "live V to never, cost 0"),
        ("expire", "absent to 1500"),
        ("persist", "absent to 1500"),
        ("invalidate", "absent to 1500"),
        ("delete", "missing"),
        ("absent", "absent to 9000"),
        ("lock", "live 5 to 9000, cost 0"),
    ] {
        check(prepare, 500, what, false, expected);
    }
    let mut shard = shard();
    prepare(&mut shard);
    assert_eq!(seen(&mut shard, END), "missing");
}

#[test]
fn changes_of_a_lock() {
    let prepare = |shard: &mut Shard| {
        lock(shard, 7, END, NOW);
    };
    for (what, expected) in [
        ("put", "live new to never, cost 0"),
        ("put, keep", "live new to 1500, cost 0"),
        ("splice", "live V to 1500, cost 0"),
        ("expire", "live 7 to 9000, cost 0"),
        ("persist", "live 7 to never, cost 0"),
        ("delete", "missing"),
        ("absent", "absent to 9000"),
        ("lock", "live 5 to 9000, cost 0"),
    ] {
        check(prepare, 500, what, true, expected);
    }
    let mut shard = shard();
    prepare(&mut shard);
    let key = shard.key(DB, NAME);
    let kind = |shard: &Shard, now: Millis| shard.peek(shard.key(DB, NAME), now).map(|entry| entry.kind);
    assert_eq!((kind(&shard, NOW), kind(&shard, END)), (Some(Kind::Lock), None));
    apply(&mut shard, Op::Splice { key, offset: 0, bytes: b"x" }, NOW);
    assert_eq!(kind(&shard, NOW), Some(Kind::String), "bytes are no token");
}

#[test]
fn a_value_made_stale_can_be_given_a_grace() {
    let prepare = |shard: &mut Shard| {
        put(shard, b"value", ExpiryChange::Clear, NOW);
    };
    check(prepare, 0, "invalidate, grace", true, "live value to 1000, cost 20");
    check(prepare, 0, "invalidate", true, "live value to never, cost 0");
}

#[test]
fn what_is_over_at_once_is_not_written() {
    let mut shard = shard();
    for before in [GRACED, ExpiryChange::Clear] {
        for what in 0..3 {
            put(&mut shard, b"value", before, NOW);
            let over = ExpiryChange::Graced { until: Millis(NOW.0 - 20), grace_ms: 20, cost_ms: 1 };
            let applied = match what {
                0 => put_absent(&mut shard, NOW, NOW),
                1 => lock(&mut shard, 1, NOW, NOW),
                _ => put(&mut shard, b"new", over, NOW),
            };
            assert_eq!(applied, Applied { existed: true, version: 0 });
            assert_eq!(seen(&mut shard, NOW), "missing");
        }
    }
    let late = ExpiryChange::Graced { until: Millis(NOW.0 - 20), grace_ms: 21, cost_ms: 1 };
    put(&mut shard, b"late", late, NOW);
    assert_eq!(seen(&mut shard, NOW), "over late to -20, cost 1", "a grace can be all there is");
}

#[test]
fn what_ends_at_the_end_of_time_ends() {
    let mut shard = shard();
    put(&mut shard, b"value", ExpiryChange::Graced { until: Millis(u64::MAX), grace_ms: 5, cost_ms: 0 }, NOW);
    let key = shard.key(DB, NAME);
    assert_eq!(shard.peek(key, NOW).and_then(|entry| entry.expiry), Some(Millis(u64::MAX - 6)));
    put_absent(&mut shard, Millis(u64::MAX), NOW);
    assert!(matches!(shard.look(key, NOW, Touch::Leave), Look::Absent { expiry } if expiry == Millis(u64::MAX - 1)));
}

#[test]
fn reads_of_what_is_not_shown_are_misses() {
    let mut shard = shard();
    let key = shard.key(DB, NAME);
    let read = |shard: &mut Shard, now: Millis| {
        shard.reset_stats();
        shard.get(key, now, Touch::Count);
        shard.look(key, now, Touch::Count);
        shard.look(key, now, Touch::Leave);
        let stats = shard.stats();
        (stats.hits, stats.misses, stats.negative_hits)
    };
    put(&mut shard, b"value", GRACED, NOW);
    assert_eq!((read(&mut shard, NOW), read(&mut shard, UNTIL)), ((2, 0, 0), (0, 2, 0)));
    put_absent(&mut shard, END, NOW);
    assert_eq!((read(&mut shard, NOW), read(&mut shard, END)), ((0, 2, 2), (0, 2, 0)));
}

#[test]
fn fencing_tokens_grow_with_the_clock_and_without_it() {
    let mut shard = shard();
    assert_eq!(shard.next_fence(NOW), NOW.0 * 1_000);
    lock(&mut shard, NOW.0 * 1_000, END, NOW);
    assert_eq!(shard.next_fence(NOW), NOW.0 * 1_000 + 1);
    lock(&mut shard, NOW.0 * 1_000 + 1, END, NOW);
    assert_eq!(shard.next_fence(Millis(5)), NOW.0 * 1_000 + 2, "the clock was set back");
    assert_eq!(shard.next_fence(END), END.0 * 1_000);
    lock(&mut shard, 3, END, NOW);
    assert_eq!(shard.fence(), NOW.0 * 1_000 + 1, "an older token lowers nothing");
    apply(&mut shard, Op::Flush { db: None }, NOW);
    assert_eq!(shard.fence(), NOW.0 * 1_000 + 1);
    shard.raise_fence(TOKEN_MAX - 1);
    assert_eq!(shard.next_fence(NOW), TOKEN_MAX);
}

#[test]
fn memory_is_never_made_of_locks() {
    for name in Policy::names() {
        let policy = Policy::from_name(name).expect("it is its name");
        let options = ShardOptions { memory_bytes_max: 3 << 20, policy, ..ShardOptions::default() };
        let mut shard = Shard::new(options).expect("a small shard");
        let names: Vec<String> = (0..1_000).map(|number| format!("lock:{number}")).collect();
        for (token, name) in (1..).zip(&names) {
            let key = shard.key(DB, name.as_bytes());
            shard.apply(Op::Lock { key, token, expiry: after(10 + token) }, NOW).expect("there is room");
        }
        let value = [b'v'; 400];
        let mut refused = 0;
        for number in 0..20_000_u64 {
            let name = format!("key:{number}");
            let key = shard.key(DB, name.as_bytes());
            let expiry = ExpiryChange::At(after(10_000 + number));
            let op = Op::Put { key, value: Value::Bytes(&value), expiry, client_flags: FlagsChange::Set(0) };
            refused += u64::from(shard.apply(op, NOW).is_err());
        }
        shard.check();
        for name in &names {
            let key = shard.key(DB, name.as_bytes());
            assert!(
                shard.peek(key, NOW).is_some_and(|entry| entry.kind == Kind::Lock),
                "{} took {name}",
                policy.name()
            );
        }
        assert_eq!(refused > 0, policy == Policy::Noeviction, "{} refused {refused}", policy.name());
    }
}

#[test]
fn a_shard_full_of_locks_refuses_more() {
    let limit_bytes = 2 << 20;
    let options = ShardOptions { memory_bytes_max: limit_bytes, ..ShardOptions::default() };
    let mut shard = Shard::new(options).expect("a small shard");
    let outcome = (1..100_000).find_map(|token| {
        let name = format!("lock:{token}");
        let key = shard.key(DB, name.as_bytes());
        shard.apply(Op::Lock { key, token, expiry: END }, NOW).err()
    });
    assert_eq!((outcome, shard.stats().evicted), (Some(Refusal::OutOfMemory { limit_bytes }), 0));
    shard.check();
}

/// All that a snapshot would have of the shard.
fn items(shard: &Shard) -> Vec<String> {
    let mut items = Vec::new();
    shard.scan_items(DB, 0, 1_000, |item| items.push(format!("{item:?}")));
    items
}

#[test]
fn a_replay_comes_to_the_same() {
    let (db, key, grace) = (DB, NAME, Grace { grace_ms: 500, cost_ms: 20 });
    let put = |grace: Grace| Body::Put { db, key, value: Value::Integer(5), expiry: Some(END), client_flags: 3, grace };
    let invalidate = |base: u64| Body::Invalidate { db, key, base, expiry: Some(END), grace };
    for (bodies, form, expiry, found) in [
        (vec![put(grace)], Form::String, Some(END), grace),
        (vec![put(Grace::NONE)], Form::String, Some(END), Grace::NONE),
        (vec![put(grace), invalidate(1)], Form::String, Some(END), grace),
        (vec![put(Grace::NONE), invalidate(1)], Form::String, Some(END), grace),
        (
            vec![put(grace), Body::SetExpiry { db, key, base: 1, expiry: Some(UNTIL) }],
            Form::String,
            Some(UNTIL),
            Grace { grace_ms: 0, cost_ms: 20 },
        ),
        (vec![put(grace), Body::SetExpiry { db, key, base: 1, expiry: None }], Form::String, None, Grace::NONE),
        (vec![put(grace), Body::Splice { db, key, base: 1, offset: 0, bytes: b"x" }], Form::String, Some(END), grace),
        (vec![put(grace), Body::PutAbsent { db, key, expiry: UNTIL }], Form::Absent, Some(UNTIL), Grace::NONE),
        (
            // What was not shown to the splice is in the way of its replay.
            vec![Body::PutAbsent { db, key, expiry: UNTIL }, Body::Splice { db, key, base: 0, offset: 0, bytes: b"x" }],
            Form::String,
            None,
            Grace::NONE,
        ),
        (vec![put(grace), Body::Lock { db, key, token: 9, expiry: END }], Form::Lock, Some(END), Grace::NONE),
    ] {
        let mut shard = shard();
        // Long after all of it: in a replay nothing is over.
        shard.begin_replay(Millis(END.0 + 1_000_000));
        for (lsn, body) in (1..).zip(&bodies) {
            assert_eq!(shard.replay(&Record { lsn: Lsn(lsn), is_grouped: false, body: *body }), Ok(()), "{body:?}");
        }
        let mut restored = self::shard();
        restored.begin_replay(NOW);
        shard.scan_items(DB, 0, 1_000, |item| {
            assert_eq!((item.form, item.expiry, item.grace), (form, expiry, found), "{bodies:?}");
            restored.restore(item).expect("it fits");
        });
        assert_eq!((items(&restored), restored.len(DB)), (items(&shard), 1));
        assert_eq!((shard.fence(), restored.fence()), if form == Form::Lock { (9, 9) } else { (0, 0) });
        shard.end_replay();
        shard.check();
        restored.end_replay();
        restored.check();
    }
}

#[test]
fn a_splice_of_another_version_does_not_fit_what_is_absent() {
    let mut shard = shard();
    shard.begin_replay(NOW);
    let (db, key) = (DB, NAME);
    let mut replay = |lsn: u64, body: Body<'_>| shard.replay(&Record { lsn: Lsn(lsn), is_grouped: false, body });
    assert_eq!(replay(1, Body::PutAbsent { db, key, expiry: END }), Ok(()));
    let fault = replay(2, Body::Splice { db, key, base: 7, offset: 0, bytes: b"x" });
    assert_eq!(fault, Err(ReplayFault::Base { expected: 7, found: 1 }));
}
