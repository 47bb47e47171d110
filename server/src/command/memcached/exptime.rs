//! Exptimes: how memcached's clients say when an entry goes.
//!
//! | sent | meant |
//! |---|---|
//! | 0 | never |
//! | negative | at once |
//! | 1 to 2,592,000 (30 days) | so many seconds from now |
//! | more | that second of Unix time |
//!
//! Unlike memcached, whose clock has whole seconds and whose times end in 2106, this counts from the millisecond of the
//! request, in 64 bits.

use locksley_engine::{ExpiryChange, Millis};

/// Up to here an exptime counts from now, in seconds.
const RELATIVE_SECONDS_MAX: i64 = 60 * 60 * 24 * 30;

/// What `exptime` makes of an entry's expiry at `now`; at once is `now` itself, at which an entry is gone.
#[inline]
pub(crate) fn expiry(exptime: i64, now: Millis) -> ExpiryChange {
    if exptime == 0 { ExpiryChange::Clear } else { ExpiryChange::At(instant(exptime, now)) }
}

/// The instant that `exptime`, which is not 0, means at `now`.
#[inline]
pub(crate) fn instant(exptime: i64, now: Millis) -> Millis {
    debug_assert_ne!(exptime, 0, "0 is no instant");
    let millis = u64::try_from(exptime).unwrap_or(0).saturating_mul(1_000);
    match exptime {
        ..0 => now,
        0..=RELATIVE_SECONDS_MAX => Millis(now.0 + millis),
        _ => Millis(millis),
    }
}

/// An exptime as it travels to its shard.
///
/// # Panics
/// When `bytes` are not the eight of an `i64`.
#[inline]
pub(super) fn decode(bytes: &[u8]) -> i64 {
    i64::from_le_bytes(bytes.try_into().expect("an exptime is packed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_count_from_now_up_to_30_days() {
        const NOW: Millis = Millis(1_700_000_000_123);
        let cases = [
            (0, ExpiryChange::Clear),
            (-1, ExpiryChange::At(NOW)),
            (i64::MIN, ExpiryChange::At(NOW)),
            (1, ExpiryChange::At(Millis(1_700_000_001_123))),
            (2_592_000, ExpiryChange::At(Millis(1_702_592_000_123))),
            (2_592_001, ExpiryChange::At(Millis(2_592_001_000))),
            (1_700_000_100, ExpiryChange::At(Millis(1_700_000_100_000))),
            (5_000_000_000, ExpiryChange::At(Millis(5_000_000_000_000))),
            (i64::MAX, ExpiryChange::At(Millis(u64::MAX))),
        ];
        for (exptime, expected) in cases {
            assert_eq!(expiry(exptime, NOW), expected, "exptime {exptime}");
        }
    }
}
