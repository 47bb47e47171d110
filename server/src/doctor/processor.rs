//! The cores that shards run on.

use super::cgroup;
use super::finding::Finding;
use crate::config::Config;
use crate::machine;

pub(super) fn cores(config: &Config) -> Option<Finding> {
    Some(judge(machine::cores().len(), cgroup::processor_millis(), config.shards))
}

/// Judges so many cores, of which `quota` thousandths may be used at once.
fn judge(cores: usize, quota: Option<u64>, shards: u16) -> Finding {
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    let shown = format!("{shards} shard{} on {cores} core{}", plural(shards.into()), plural(cores));
    if let Some(millis) = quota
        && millis < u64::from(shards) * 1_000
    {
        let allowed = millis as f64 / 1_000.0;
        return Finding::warn(
            format!(
                "{shown}, but the control group allows {allowed:.1} cores' time: shards are stopped when it is used up"
            ),
            format!("raise the limit of processor time, or start with --shards {}", (millis / 1_000).max(1)),
        );
    }
    if usize::from(shards) > cores {
        return Finding::warn(
            format!("{shown}: shards that share a core wait for each other"),
            format!("start with --shards {cores}, or without --shards"),
        );
    }
    Finding::good(shown)
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn shards_want_a_core_each() {
        for (cores, quota, shards, verdict) in [
            (4, None, 4, Verdict::Good),
            (4, Some(4_000), 4, Verdict::Good),
            (4, Some(1_500), 4, Verdict::Warn),
            (2, None, 4, Verdict::Warn),
            (64, Some(500), 1, Verdict::Warn),
        ] {
            assert_eq!(judge(cores, quota, shards).verdict, verdict, "{cores} {quota:?} {shards}");
        }
        assert!(judge(4, Some(1_500), 4).remedy.contains("--shards 1"));
    }
}
