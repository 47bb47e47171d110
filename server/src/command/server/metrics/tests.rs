//! What holds for every row, and for pages made of them.

use std::collections::BTreeSet;

use super::{GROUPS, Kind, Metric, Unit, redis};
use crate::command::rest::testing::Rig;

fn rows() -> impl Iterator<Item = &'static Metric> {
    GROUPS.iter().copied().flatten()
}

/// A page after some traffic, on three shards.
fn page(has_redis_names: bool) -> String {
    let mut rig = Rig::new(3);
    rig.inner.configure(|config| config.metrics_redis_names = has_redis_names);
    for line in [
        "SET a 1",
        "SET b 22 PX 100000",
        "GET a",
        "GET none",
        "INCRBY a x",
        "GET",
        "@db 3",
        "SET c 333",
        "@db 0",
        "LOCK l 1000",
    ] {
        rig.reply(&format!("RESP {line}"));
    }
    rig.reply("PUT /cache/d |4444");
    let response = rig.response("GET /metrics");
    let (head, body) = response.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    body.to_owned()
}

/// The metric that a sample belongs to.
fn family(sample: &str) -> &str {
    let name = sample.split(['{', ' ']).next().expect("a name");
    ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name)
}

/// The value of a sample, by its name and labels.
fn value(page: &str, sample: &str) -> f64 {
    let line = page.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{sample} in\n{page}")).parse().expect("a number")
}

#[test]
fn names_say_what_is_counted_in_which_unit() {
    let mut names = BTreeSet::new();
    for Metric { name, kind, unit, labels, help, .. } in rows() {
        assert!(names.insert(name), "{name} is there once");
        let words = name.strip_prefix("locksley_").expect("names begin alike");
        let is_plain = words.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') && !words.contains("__");
        assert!(is_plain && !words.starts_with('_') && !words.ends_with('_'), "{name}");
        assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
        let words = words.strip_suffix("_total").unwrap_or(words);
        let ends = [(Unit::Seconds, "_seconds"), (Unit::Bytes, "_bytes"), (Unit::Ratio, "_ratio")];
        for (other, end) in ends {
            assert_eq!(words.ends_with(end), *unit == other, "{name}");
        }
        for end in ["_count", "_sum", "_bucket"] {
            assert!(!words.ends_with(end), "{name} is no part of a histogram");
        }
        assert!(labels.iter().all(|label| !["le", "quantile"].contains(label)), "{name}");
        let first = help.chars().next().expect("there is a sentence");
        assert!(first.is_uppercase() && !help.ends_with('.') && !help.contains(['\n', '|', '\\']), "{name}: {help}");
        assert!(*kind != Kind::Summary, "{name}: percentiles of shards do not add up");
    }
}

#[test]
fn every_sample_belongs_to_a_row_and_follows_its_head() {
    for has_redis_names in [false, true] {
        let page = page(has_redis_names);
        let (mut heads, mut samples) = (BTreeSet::new(), BTreeSet::new());
        let mut current = "";
        for line in page.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                current = rest.split(' ').next().expect("a name");
                assert!(heads.insert(current), "{current} is there once");
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                assert_eq!(rest.split(' ').next(), Some(current), "{line}");
            } else {
                assert!(line.split(['{', ' ']).next() == Some(current) || family(line) == current, "{line}");
                assert!(samples.insert(line.rsplit_once(' ').expect("a value").0), "{line} is there once");
                let (_, value) = line.rsplit_once(' ').expect("a value");
                assert!(value.parse::<f64>().is_ok_and(f64::is_finite), "{line}");
            }
        }
        // Without a snapshot there is no last one, and little traffic makes no curve.
        let sometimes = |name: &str| name == "locksley_snapshot_last_duration_seconds" || name.contains("_curve_");
        for Metric { name, .. } in rows().filter(|metric| !sometimes(metric.name)) {
            assert!(heads.contains(name), "{name} has samples");
        }
        assert_eq!(heads.contains("redis_up"), has_redis_names);
    }
}

#[test]
fn rules_and_dashboard_ask_for_what_there_is() {
    let names: BTreeSet<&str> = rows().map(|metric| metric.name).collect();
    let histograms: BTreeSet<&str> =
        rows().filter(|metric| metric.kind == Kind::Histogram).map(|metric| metric.name).collect();
    for file in ["alerts.yml", "alerts.test.yml", "grafana.json"] {
        let path = format!("{}/../docs/{file}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let words = text.split(|character: char| !(character.is_ascii_alphanumeric() || character == '_'));
        let mut count = 0;
        for word in words.filter(|word| word.starts_with("locksley_")) {
            let is_known = if histograms.contains(family(word)) { word != family(word) } else { names.contains(word) };
            assert!(is_known, "{file} asks for {word}");
            count += 1;
        }
        assert!(count > 20, "{file} asks for something");
    }
}

#[test]
fn numbers_are_those_of_the_shards() {
    let page = page(false);
    let sum = |name: &str| {
        let samples = page.lines().filter(|line| line.starts_with(&format!("{name}{{")));
        samples.map(|line| line.rsplit(' ').next().expect("a value").parse::<f64>().expect("a number")).sum::<f64>()
    };
    let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-9, "{found} is {expected}");
    near(sum("locksley_hits_total"), 1.0);
    near(sum("locksley_misses_total"), 1.0);
    near(sum("locksley_keys"), 5.0);
    near(sum("locksley_connections"), 1.0);
    for (sample, expected) in [
        ("locksley_shards", 3.0),
        ("locksley_database_keys{db=\"0\"}", 4.0),
        ("locksley_database_keys{db=\"3\"}", 1.0),
        ("locksley_command_duration_seconds_count{command=\"set\"}", 3.0),
        ("locksley_command_duration_seconds_count{command=\"get\"}", 2.0),
        ("locksley_command_duration_seconds_count{command=\"rest|put\"}", 1.0),
        ("locksley_commands_failed_total{command=\"incrby\"}", 1.0),
        ("locksley_errors_total{code=\"ERR\"}", 1.0),
        ("locksley_lock_grants_total", 1.0),
        ("locksley_load_progress_ratio", 1.0),
        ("locksley_shard_silent{shard=\"2\"}", 0.0),
    ] {
        near(value(&page, sample), expected);
    }
}

#[test]
fn series_of_redis_exporter_show_fields_of_info() {
    let page = page(true);
    for (sample, expected) in [
        ("redis_up", 1.0),
        ("redis_connected_clients", 1.0),
        ("redis_keyspace_hits_total", 1.0),
        ("redis_rdb_last_bgsave_status", 1.0),
        ("redis_commands_total{cmd=\"set\"}", 3.0),
        ("redis_db_keys{db=\"db0\"}", 4.0),
        ("redis_db_keys{db=\"db15\"}", 0.0),
        ("redis_db_avg_ttl_seconds{db=\"db0\"}", 50.5),
        ("redis_latency_percentiles_usec_count{cmd=\"set\"}", 3.0),
        ("redis_errors_total{err=\"ERR\"}", 1.0),
    ] {
        assert!((value(&page, sample) - expected).abs() < 1e-9, "{sample} in\n{page}");
    }
    assert!(page.contains("redis_instance_info{maxmemory_policy=\"allkeys-s3fifo\",os=\"Linux "), "{page}");
    // Those of the log are left out where INFO leaves them out.
    let sometimes = ["aof_base_size", "aof_current_size", "aof_buffer_length", "aof_delayed_fsync"];
    let sometimes = [&sometimes[..], &["aof_pending_bio_fsync", "aof_pending_rewrite"]].concat();
    for (name, field) in [redis::GAUGES, redis::COUNTERS].concat() {
        let is_there = page.contains(&format!("\n{name} "));
        assert!(is_there || sometimes.contains(&field), "{name} shows {field}");
    }
}
