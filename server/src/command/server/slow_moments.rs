//! Slow moments for people: the graph of LATENCY GRAPH and the figures of LATENCY DOCTOR.

use std::fmt::Write;

use crate::observe::events::{History, Sample};

/// Lines of a graph.
const HEIGHT: u64 = 4;

/// Newest samples that a graph shows.
const WIDTH: usize = 80;

/// A column for each sample, as high as it was long, and under each from top to bottom how long before `now`, in seconds
/// since 1970, it was.
///
/// ```text
/// command - high 40 ms, low 20 ms (all time high 90 ms)
/// -----------------------------------------------------
///  #
///  #
/// ##
/// ##
/// __
/// 15
/// ms
/// ```
pub(super) fn graph(name: &str, history: &History, now: u64) -> String {
    let skipped = history.samples().len().saturating_sub(WIDTH);
    let samples: Vec<Sample> = history.samples().skip(skipped).collect();
    let millis = || samples.iter().map(|sample| sample.millis);
    let (high, low) = (millis().max().unwrap_or(0), millis().min().unwrap_or(0));
    let mut lines = vec![format!("{name} - high {high} ms, low {low} ms (all time high {} ms)", history.millis_max())];
    lines.push("-".repeat(WIDTH));
    for level in (1..=HEIGHT).rev() {
        lines.push(millis().map(|millis| if millis * HEIGHT >= level * high.max(1) { '#' } else { ' ' }).collect());
    }
    lines.push("_".repeat(samples.len()));
    let ages: Vec<Vec<char>> =
        samples.iter().map(|sample| age(now.saturating_sub(sample.second)).chars().collect()).collect();
    for row in 0..ages.iter().map(Vec::len).max().unwrap_or(0) {
        lines.push(ages.iter().map(|age| age.get(row).copied().unwrap_or(' ')).collect());
    }
    lines.iter().flat_map(|line| [line.trim_end(), "\n"]).collect()
}

/// A time in its greatest whole unit.
fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// How many there were, how long on average and how far from that on average, how far apart, and the longest.
pub(super) fn figures(name: &str, history: &History) -> String {
    let count = history.samples().len() as u64;
    let mean = history.samples().map(|sample| sample.millis).sum::<u64>() / count.max(1);
    let deviation = history.samples().map(|sample| sample.millis.abs_diff(mean)).sum::<u64>() / count.max(1);
    let first = history.samples().next().map_or(0, |sample| sample.second);
    let last = history.samples().last().map_or(0, |sample| sample.second);
    let moments = if count == 1 { "slow moment" } else { "slow moments" };
    let mut text = format!("{name}: {count} {moments}, {mean} ms on average");
    if count > 1 {
        let apart = (last - first) as f64 / (count - 1) as f64;
        write!(text, " (mean deviation {deviation} ms), one in {apart:.1} seconds").expect("a string takes all of it");
    }
    write!(text, ", {} ms at worst.", history.millis_max()).expect("a string takes all of it");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(samples: &[(u64, u64)]) -> History {
        let samples = samples.iter().map(|(second, millis)| Sample { second: *second, millis: *millis });
        History::merge(samples.collect(), 90)
    }

    #[test]
    fn a_column_is_as_high_as_its_moment_was_long() {
        let text = graph("command", &history(&[(10_000, 20), (13_000, 40), (13_585, 10), (13_595, 31)]), 13_600);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "command - high 40 ms, low 10 ms (all time high 90 ms)");
        assert_eq!(lines[1], "-".repeat(80));
        assert_eq!(lines[2..], [" #", " # #", "## #", "####", "____", "1115", "h05s", " ms"]);
        assert!(text.ends_with('\n'));
    }

    #[test]
    fn a_graph_shows_the_newest_moments() {
        let samples: Vec<(u64, u64)> = (0..100).map(|second| (second, 5)).collect();
        let text = graph("command", &history(&samples), 86_400 * 3);
        assert!(text.contains(&format!("\n{}\n{}\n{}\n", "_".repeat(80), "2".repeat(80), "d".repeat(80))), "{text}");
    }

    #[test]
    fn figures_are_about_the_samples() {
        let two =
            "command: 2 slow moments, 30 ms on average (mean deviation 10 ms), one in 4.0 seconds, 90 ms at worst.";
        assert_eq!(figures("command", &history(&[(6, 40), (10, 20)])), two);
        let one = "command: 1 slow moment, 40 ms on average, 90 ms at worst.";
        assert_eq!(figures("command", &history(&[(6, 40)])), one);
    }
}
