//! What the map keeps for an entry, and what a shard is to show of it.

use crate::{Encoding, Entry, ExpiryChange, Form, Grace, Kind, Value};

/// A value as the map keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    Bytes(Vec<u8>),
    Integer(i64),
}

/// An entry as the map keeps it.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    pub(super) form: Form,
    pub(super) value: Kept,
    pub(super) spliced: bool,
    /// When it goes.
    pub(super) expiry: Option<u64>,
    pub(super) grace: Grace,
    pub(super) client_flags: u32,
    pub(super) is_stale: bool,
    pub(super) was_read: bool,
    pub(super) version: u64,
}

impl Expected {
    /// What a splice of a missing key builds on.
    pub(super) fn nothing() -> Expected {
        Expected {
            form: Form::String,
            value: Kept::Bytes(Vec::new()),
            spliced: true,
            expiry: None,
            grace: Grace::NONE,
            client_flags: 0,
            is_stale: false,
            was_read: false,
            version: 0,
        }
    }
}

/// Whether it is there at all.
pub(super) fn is_there(kept: &Expected, now: u64) -> bool {
    kept.expiry.is_none_or(|at| at > now)
}

/// Whether readers of values see it.
pub(super) fn is_shown(kept: &Expected, now: u64) -> bool {
    kept.form != Form::Absent && fresh_until(kept).is_none_or(|at| at > now)
}

/// When the value is over, if it ends.
pub(super) fn fresh_until(kept: &Expected) -> Option<u64> {
    kept.expiry.map(|at| at - u64::from(kept.grace.grace_ms))
}

pub(super) fn value_bytes(value: &Kept) -> usize {
    match value {
        Kept::Bytes(bytes) => bytes.len(),
        Kept::Integer(_) => 8,
    }
}

/// Expiry and grace that come of `before` by `change`.
pub(super) fn changed_ending(change: ExpiryChange, before: (Option<u64>, Grace)) -> (Option<u64>, Grace) {
    match change {
        ExpiryChange::Keep => before,
        ExpiryChange::Clear => (None, Grace::NONE),
        ExpiryChange::At(at) | ExpiryChange::Exactly(at) => (Some(at.0), Grace::NONE),
        ExpiryChange::Graced { until, grace_ms, cost_ms } => {
            (Some(until.0 + u64::from(grace_ms)), Grace { grace_ms, cost_ms })
        }
    }
}

/// The value as a shard keeps it.
pub(super) fn canonical(value: &Kept) -> Kept {
    let Kept::Bytes(bytes) = value else { return value.clone() };
    let integer = std::str::from_utf8(bytes).ok().and_then(|text| text.parse::<i64>().ok());
    match integer {
        Some(integer) if integer.to_string().as_bytes() == bytes => Kept::Integer(integer),
        _ => value.clone(),
    }
}

pub(super) fn text(value: &Kept) -> Vec<u8> {
    match value {
        Kept::Bytes(bytes) => bytes.clone(),
        Kept::Integer(integer) => integer.to_string().into_bytes(),
    }
}

/// Asserts that an entry is what was written, and is to be shown.
pub(super) fn compare_shown(entry: &Entry<'_>, expected: &Expected, now: u64) {
    assert!(is_shown(expected, now), "an entry whose time is over is absent");
    compare(entry, expected);
}

/// Asserts that an entry is what was written.
pub(super) fn compare(entry: &Entry<'_>, expected: &Expected) {
    let value = match entry.value {
        Value::Bytes(bytes) => Kept::Bytes(bytes.to_vec()),
        Value::Integer(integer) => Kept::Integer(integer),
    };
    assert!(value == expected.value, "the value of {:?} is not what was written", entry.key);
    let encoding = match (&expected.value, expected.spliced) {
        (Kept::Integer(_), _) => Encoding::Integer,
        (Kept::Bytes(_), false) => Encoding::Bytes,
        (Kept::Bytes(_), true) => Encoding::Spliced,
    };
    assert_eq!(entry.encoding, encoding);
    assert_eq!(entry.expiry.map(|at| at.0), fresh_until(expected), "{:?}", entry.key);
    assert_eq!(entry.cost_ms, expected.grace.cost_ms, "{:?}", entry.key);
    assert_eq!(entry.kind, if expected.form == Form::Lock { Kind::Lock } else { Kind::String });
    assert_eq!(entry.client_flags, expected.client_flags);
    assert_eq!((entry.is_stale, entry.was_read), (expected.is_stale, expected.was_read), "{:?}", entry.key);
    assert_eq!(entry.version, expected.version);
    assert!(entry.memory_bytes >= entry.key.len() + value_bytes(&expected.value) + 16);
}
