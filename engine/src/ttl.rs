//! What a shard makes of the times to live that are asked for: a default, a bound, a spread.
//!
//! The policy works where an op comes in, so that log and snapshots hold the times it came to, and a replay, which knows no
//! policy, comes to the same.
//!
//! | asked for | becomes |
//! |---|---|
//! | nothing, of a value that is written | the default, spread; without one a refusal, if a time is required; else the bound |
//! | what the entry has ([`ExpiryChange::Keep`]) | that; nothing, if it has none |
//! | a time, of a value that is written | it, spread, up to the bound |
//! | another time for a value that is there | it, up to the bound |
//! | [`ExpiryChange::Exactly`] | it |
//!
//! To spread a time to live is to add a share of it that depends on the key alone: keys that were written together do not
//! end together, the same key ends after the same time each time it is written, and every copy of the data agrees about it.

use rapidhash::v3::rapidhash_v3;

use crate::op::{ExpiryChange, Refusal};
use crate::time::Millis;

/// Bounds and defaults for the expiry of values that are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TtlPolicy {
    /// Time to live of a value written without one, in milliseconds; 0 for none.
    pub default_ms: u64,
    /// Longest time to live, in milliseconds; 0 for no bound.
    pub max_ms: u64,
    /// Up to how many hundredths of itself a time to live is made longer, by the key: 0 to 100.
    pub jitter_percent: u8,
    /// Whether a value without a time to live is refused.
    pub is_required: bool,
}

impl TtlPolicy {
    /// Whether it changes nothing.
    pub(crate) fn is_idle(&self) -> bool {
        *self == TtlPolicy::default()
    }

    /// Whether a value that is written without a time to live is refused.
    pub fn refuses_endless(&self) -> bool {
        self.is_required && self.default_ms == 0
    }

    /// What is made of `change` when a value is written to `key`; `has_expiry` says whether the entry there has one.
    pub(crate) fn written(
        &self,
        change: ExpiryChange,
        has_expiry: bool,
        key: &[u8],
        now: Millis,
    ) -> Result<ExpiryChange, Refusal> {
        Ok(match change {
            ExpiryChange::Exactly(_) => change,
            ExpiryChange::Keep if has_expiry => change,
            ExpiryChange::Keep | ExpiryChange::Clear => self.endless(key, now)?,
            ExpiryChange::At(at) => ExpiryChange::Exactly(self.spread(at, key, now)),
            ExpiryChange::Graced { until, grace_ms, cost_ms } => {
                ExpiryChange::Graced { until: self.spread(until, key, now), grace_ms, cost_ms }
            }
        })
    }

    /// What is made of `change` when a value that is there is to end at another time, or not at all.
    pub(crate) fn changed(&self, change: ExpiryChange, key: &[u8], now: Millis) -> Result<ExpiryChange, Refusal> {
        Ok(match change {
            ExpiryChange::Keep | ExpiryChange::Exactly(_) | ExpiryChange::Graced { .. } => change,
            ExpiryChange::Clear => self.endless(key, now)?,
            ExpiryChange::At(at) => ExpiryChange::Exactly(self.cut(at, now)),
        })
    }

    /// What is made of no time to live.
    fn endless(&self, key: &[u8], now: Millis) -> Result<ExpiryChange, Refusal> {
        if self.refuses_endless() {
            return Err(Refusal::TtlRequired);
        }
        Ok(match (self.default_ms, self.max_ms) {
            (0, 0) => ExpiryChange::Clear,
            (0, max_ms) => ExpiryChange::Exactly(later(now, max_ms)),
            (default_ms, _) => ExpiryChange::Exactly(self.spread(later(now, default_ms), key, now)),
        })
    }

    /// `at`, as much later as the key says, and not beyond the bound.
    fn spread(&self, at: Millis, key: &[u8], now: Millis) -> Millis {
        let ttl_ms = at.0.saturating_sub(now.0);
        let spread_ms = u128::from(ttl_ms) * u128::from(self.jitter_percent) / 100;
        let added_ms = (spread_ms * u128::from(rapidhash_v3(key))) >> 64;
        self.cut(Millis(at.0.saturating_add(added_ms as u64)), now)
    }

    /// `at`, but not beyond the bound.
    fn cut(&self, at: Millis, now: Millis) -> Millis {
        if self.max_ms == 0 { at } else { at.min(later(now, self.max_ms)) }
    }
}

fn later(now: Millis, ms: u64) -> Millis {
    Millis(now.0.saturating_add(ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Db, FlagsChange, Op, Shard, ShardOptions, Value};

    const NOW: Millis = Millis(1_700_000_000_000);
    const NONE: TtlPolicy = TtlPolicy { default_ms: 0, max_ms: 0, jitter_percent: 0, is_required: false };
    const REFUSED: Result<Option<u64>, Refusal> = Err(Refusal::TtlRequired);

    fn shard(ttl: TtlPolicy) -> Shard {
        Shard::new(ShardOptions { ttl, ..ShardOptions::default() }).expect("a shard needs address space")
    }

    fn at(ms: u64) -> ExpiryChange {
        ExpiryChange::At(Millis(NOW.0 + ms))
    }

    /// The time that `key` has left, or why it was not written.
    fn left(shard: &Shard, key: &[u8], result: Result<crate::Applied, Refusal>) -> Result<Option<u64>, Refusal> {
        result?;
        let entry = shard.peek(shard.key(Db(0), key), NOW).expect("it is there");
        Ok(entry.expiry.map(|at| at.0 - NOW.0))
    }

    fn put(shard: &mut Shard, key: &[u8], expiry: ExpiryChange) -> Result<Option<u64>, Refusal> {
        let name = shard.key(Db(0), key);
        let put = Op::Put { key: name, value: Value::Integer(1), expiry, client_flags: FlagsChange::Keep };
        let result = shard.apply(put, NOW);
        left(shard, key, result)
    }

    #[test]
    fn a_value_that_is_written_gets_what_the_policy_says() {
        let default = TtlPolicy { default_ms: 500, ..NONE };
        let max = TtlPolicy { max_ms: 300, ..NONE };
        let required = TtlPolicy { is_required: true, ..NONE };
        let all = TtlPolicy { default_ms: 500, max_ms: 300, jitter_percent: 0, is_required: true };
        let (clear, keep) = (ExpiryChange::Clear, ExpiryChange::Keep);
        let exactly = ExpiryChange::Exactly(Millis(NOW.0 + 900));
        // By policy: what comes of no time, of the one there is if there is none, of 200 and 900, and of exactly 900.
        for (policy, expected) in [
            (NONE, [Ok(None), Ok(None), Ok(Some(200)), Ok(Some(900)), Ok(Some(900))]),
            (default, [Ok(Some(500)), Ok(Some(500)), Ok(Some(200)), Ok(Some(900)), Ok(Some(900))]),
            (max, [Ok(Some(300)), Ok(Some(300)), Ok(Some(200)), Ok(Some(300)), Ok(Some(900))]),
            (required, [REFUSED, REFUSED, Ok(Some(200)), Ok(Some(900)), Ok(Some(900))]),
            (all, [Ok(Some(300)), Ok(Some(300)), Ok(Some(200)), Ok(Some(300)), Ok(Some(900))]),
        ] {
            for (change, expected) in [clear, keep, at(200), at(900), exactly].into_iter().zip(expected) {
                let mut shard = shard(policy);
                assert_eq!(put(&mut shard, b"key", change), expected, "{policy:?} {change:?}");
                assert_eq!(shard.len(Db(0)), u64::from(expected.is_ok()), "what is refused is not there");
                if expected.is_ok_and(|left| left.is_some()) {
                    assert_eq!(put(&mut shard, b"key", keep), expected, "what there is is kept");
                }
            }
        }
    }

    #[test]
    fn a_value_that_is_there_gets_no_more_than_the_bound() {
        let max = TtlPolicy { max_ms: 300, jitter_percent: 100, ..NONE };
        let default = TtlPolicy { default_ms: 300, ..max };
        let required = TtlPolicy { is_required: true, ..NONE };
        let (clear, keep) = (ExpiryChange::Clear, ExpiryChange::Keep);
        let check = |policy: TtlPolicy, change: ExpiryChange, expected: Result<Option<u64>, Refusal>| {
            for invalidates in [false, true] {
                let mut shard = shard(NONE);
                assert_eq!(put(&mut shard, b"key", at(10_000)), Ok(Some(10_000)));
                shard.reconfigure(ShardOptions { ttl: policy, ..ShardOptions::default() });
                let key = shard.key(Db(0), b"key");
                let op = match change {
                    _ if invalidates => Op::Invalidate { key, expiry: change },
                    ExpiryChange::At(at) => Op::SetExpiry { key, expiry: Some(at) },
                    ExpiryChange::Clear => Op::SetExpiry { key, expiry: None },
                    _ => continue,
                };
                let result = shard.apply(op, NOW);
                assert_eq!(left(&shard, b"key", result), expected, "{policy:?} {op:?}");
            }
        };
        check(max, at(200), Ok(Some(200)));
        check(max, at(900), Ok(Some(300)));
        check(max, clear, Ok(Some(300)));
        check(max, keep, Ok(Some(10_000)));
        check(NONE, clear, Ok(None));
        check(required, clear, REFUSED);
        check(required, at(900), Ok(Some(900)));
        check(default, clear, Ok(Some(300)));
    }

    #[test]
    fn a_change_in_place_leaves_the_time_and_makes_no_value_without_one() {
        let splice = |shard: &mut Shard| {
            let key = shard.key(Db(0), b"key");
            let result = shard.apply(Op::Splice { key, offset: 3, bytes: b"x" }, NOW);
            left(shard, b"key", result)
        };
        for (policy, expected) in [
            (NONE, Ok(None)),
            (TtlPolicy { default_ms: 500, ..NONE }, Ok(Some(500))),
            (TtlPolicy { max_ms: 300, ..NONE }, Ok(Some(300))),
            (TtlPolicy { is_required: true, ..NONE }, REFUSED),
        ] {
            let mut shard = shard(policy);
            assert_eq!(splice(&mut shard), expected, "{policy:?}");
            if expected.is_ok() {
                let entry = shard.peek(shard.key(Db(0), b"key"), NOW).expect("it is there");
                assert_eq!((entry.value, entry.encoding), (Value::Bytes(b"\0\0\0x"), crate::Encoding::Spliced));
                assert_eq!(entry.version, shard.last_lsn().0);
            }
            put(&mut shard, b"key", ExpiryChange::Exactly(Millis(NOW.0 + 77))).expect("it has a time");
            assert_eq!(splice(&mut shard), Ok(Some(77)));
            shard.check();
        }
    }

    #[test]
    fn a_spread_depends_on_the_key_alone_and_is_even() {
        let policy = TtlPolicy { jitter_percent: 20, ..NONE };
        let mut shards = [shard(policy), shard(policy)];
        shards[1].reconfigure(ShardOptions { ttl: policy, seed: 9, ..ShardOptions::default() });
        let mut by_tenth = [0; 10];
        for number in 0..10_000 {
            let key = format!("key:{number}");
            let [first, second] =
                [0, 1].map(|index| put(&mut shards[index], key.as_bytes(), at(100_000)).expect("it is allowed"));
            assert_eq!(first, second, "{key}");
            let added = first.expect("it has a time") - 100_000;
            by_tenth[(added / 2_000) as usize] += 1;
        }
        assert!(by_tenth.iter().all(|count| (900..1_100).contains(count)), "{by_tenth:?}");
        let mut bounded = shard(TtlPolicy { jitter_percent: 100, max_ms: 150_000, ..NONE });
        for number in 0..100 {
            let left = put(&mut bounded, format!("key:{number}").as_bytes(), at(100_000));
            assert!(left.is_ok_and(|left| left.is_some_and(|left| (100_000..=150_000).contains(&left))), "{left:?}");
        }
    }

    #[test]
    fn what_is_over_at_once_stays_so_and_the_last_instant_is_never_passed() {
        for policy in [NONE, TtlPolicy { default_ms: 5, max_ms: 0, jitter_percent: 100, is_required: true }] {
            let mut shard = shard(policy);
            let key = shard.key(Db(0), b"key");
            let put = |expiry| Op::Put { key, value: Value::Integer(1), expiry, client_flags: FlagsChange::Keep };
            for over in [Millis(0), NOW] {
                assert_eq!(shard.apply(put(ExpiryChange::At(over)), NOW).map(|applied| applied.version), Ok(0));
            }
            shard.apply(put(ExpiryChange::At(Millis(u64::MAX - 5))), NOW).expect("there is room");
            let entry = shard.peek(shard.key(Db(0), b"key"), NOW).expect("it is there");
            assert!(entry.expiry >= Some(Millis(u64::MAX - 5)));
        }
    }

    #[test]
    fn the_grace_comes_behind_the_time_that_was_cut() {
        let mut shard = shard(TtlPolicy { max_ms: 300, ..NONE });
        let graced = ExpiryChange::Graced { until: Millis(NOW.0 + 900), grace_ms: 50, cost_ms: 3 };
        assert_eq!(put(&mut shard, b"key", graced), Ok(Some(300)));
        let key = shard.key(Db(0), b"key");
        assert!(matches!(shard.look(key, Millis(NOW.0 + 349), crate::Touch::Leave), crate::Look::Over(_)));
        assert!(matches!(shard.look(key, Millis(NOW.0 + 350), crate::Touch::Leave), crate::Look::Missing));
    }
}
