//! MEMORY DOCTOR: what to think of the memory, in sentences.
//!
//! A line for each thing that is not as it should be, and what the miss-ratio curve says of more memory, or less. Nothing
//! is said of what is too little to judge.

use locksley_engine::MissCurve;

use super::curve::GOOD_HIT_RATE;
use super::process::human;
use super::report::{Numbers, Report};

/// Memory below which there is nothing to judge.
const WORTH_A_LOOK_BYTES: u64 = 5 * 1024 * 1024;

/// Reads below which the curve is not worth a sentence.
const WORTH_A_LOOK_READS: u64 = 10_000;

/// Twice the memory is worth a sentence if it brings so much of the hit rate.
const GAIN_MIN: f64 = 0.01;

/// Half of the memory would do if it costs no more of the hit rate than this.
const LOSS_MAX: f64 = 0.005;

/// What there is to say of all `shards`, which are `total` together, in a process that has `resident` bytes.
pub(super) fn advice(shards: &[Report], total: &Report, maxmemory: u64, resident: u64) -> String {
    let used = total.numbers.memory_used;
    if used < WORTH_A_LOOK_BYTES {
        return format!("The store holds {} only: too little to judge.\n", human(used));
    }
    let mut lines = of_use(&total.numbers, maxmemory, resident);
    lines.extend(of_shards(shards));
    if maxmemory > 0 {
        lines.extend(of_curve(&total.curve));
    }
    if lines.is_empty() {
        return "Nothing to complain about: the memory is well used.\n".to_owned();
    }
    lines.iter().flat_map(|line| ["* ", line, "\n"]).collect()
}

fn of_use(total: &Numbers, maxmemory: u64, resident: u64) -> Vec<String> {
    let used = total.memory_used;
    let mut lines = Vec::new();
    if maxmemory > 0 && used > maxmemory / 100 * 95 {
        lines.push(format!(
            "{} of maxmemory {} are in use: entries are being evicted or refused soon.",
            human(used),
            human(maxmemory)
        ));
    }
    if total.memory_peak > used + used / 2 {
        lines.push(format!(
            "The peak was {}, half as much again as the {} in use now.",
            human(total.memory_peak),
            human(used)
        ));
    }
    if resident > used + used / 5 + WORTH_A_LOOK_BYTES {
        lines.push(format!(
            "The process holds {} for {} in use; freed pages are given back over time.",
            human(resident),
            human(used)
        ));
    }
    if total.client_bytes > used / 10 {
        lines.push(format!(
            "Clients' requests and replies take {}; some client does not read.",
            human(total.client_bytes)
        ));
    }
    lines
}

fn of_shards(shards: &[Report]) -> Option<String> {
    let (least, most) = shards
        .iter()
        .map(|shard| shard.numbers.memory_used)
        .fold((u64::MAX, 0), |(least, most), used| (least.min(used), most.max(used)));
    (most > least.saturating_mul(2) && most > WORTH_A_LOOK_BYTES).then(|| {
        let (most, least) = (human(most), human(least));
        format!("The fullest shard holds {most}, the emptiest {least}: keys share too few hash tags.")
    })
}

/// What another limit would bring.
fn of_curve(curve: &MissCurve) -> Vec<String> {
    if curve.read_count < WORTH_A_LOOK_READS {
        return Vec::new();
    }
    let at = |size: f64| curve.hit_rate(size).expect("there were reads");
    let (half, now, twice) = (at(0.5), at(1.0), at(2.0));
    let percent = |rate: f64| format!("{:.1} %", rate * 100.0);
    let mut lines = Vec::new();
    if twice - now >= GAIN_MIN {
        lines.push(format!(
            "The hit rate is {}; with twice the memory, {}, it would be {}.",
            percent(now),
            human(curve.memory_bytes.saturating_mul(2)),
            percent(twice)
        ));
    } else if now - half <= LOSS_MAX {
        lines.push(format!(
            "The hit rate is {}; half of the memory, {}, would do: it would be {}.",
            percent(now),
            human(curve.memory_bytes / 2),
            percent(half)
        ));
    }
    if now < GOOD_HIT_RATE {
        let good = percent(GOOD_HIT_RATE);
        lines.push(match curve.memory_for(GOOD_HIT_RATE) {
            Some(bytes) => format!("A hit rate of {good} takes about {}.", human(bytes)),
            None => format!(
                "A hit rate of {good} takes more than four times the memory, or no memory gives it: some keys are asked for \
                 that were never written, or whose time is over."
            ),
        });
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(miss_counts: [u64; 9]) -> String {
        let curve =
            MissCurve { memory_bytes: 64 << 20, window_ms: 1, read_count: 100_000, miss_counts, sample_share: 1 };
        of_curve(&curve).join("\n")
    }

    #[test]
    fn the_curve_says_what_another_limit_would_bring() {
        let steep = said([60_000, 50_000, 40_000, 30_000, 20_000, 10_000, 4_000, 3_000, 2_000]);
        assert_eq!(
            steep,
            "The hit rate is 80.0 %; with twice the memory, 128.00M, it would be 96.0 %.\n\
             A hit rate of 95.0 % takes about 122.67M."
        );
        let flat = said([4_200, 4_150, 4_100, 4_050, 4_000, 4_000, 4_000, 4_000, 4_000]);
        assert_eq!(flat, "The hit rate is 96.0 %; half of the memory, 32.00M, would do: it would be 95.9 %.");
        let hopeless = said([30_000; 9]);
        assert!(hopeless.contains("or no memory gives it"), "{hopeless}");
        assert_eq!(said([5_000, 5_000, 5_000, 5_000, 3_000, 2_900, 2_800, 2_700, 2_600]), "", "nothing to say");
    }

    #[test]
    fn a_few_reads_say_nothing() {
        let curve = MissCurve { memory_bytes: 64 << 20, read_count: 100, ..MissCurve::default() };
        assert!(of_curve(&curve).is_empty());
    }
}
