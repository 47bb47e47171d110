//! docs/metrics.md, made from the rows.

use std::fmt::Write;

use super::{GROUPS, Kind, Metric, Unit, redis};

const HEAD: &str = "# Metrics

`GET /metrics` on the HTTP port answers in the text format of Prometheus (0.0.4); where a password is set it is needed, as \
for entries. Made from the tables in `server/src/command/server/metrics/`; `LOCKSLEY_BLESS=1 cargo test -p locksley-server \
metrics_page` writes it anew.

Counters start at zero with the server and are set to zero by CONFIG RESETSTAT. What is labelled `shard` adds up: \
`sum without (shard) (...)`. Buckets of histograms go from 256 ns to 17 s by powers of two. A shard that is stalled is not \
waited for longer than 300 ms: its counters are then those of an earlier page, and `locksley_shard_silent` says so. A command \
that was never asked for has no samples.

Alert rules over these names are in [alerts.yml](alerts.yml), a dashboard in [grafana.json](grafana.json).

| metric | kind | unit | labels | what it says |
|---|---|---|---|---|
";

const REDIS: &str = "
## Names of redis_exporter

With `metrics-redis-names yes` the page also has the series that redis_exporter makes of INFO, so that dashboards made for it \
work without it. (That program works beside Locksley too.)

| metric | kind | labels | what it says |
|---|---|---|---|
";

fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Count => "",
        Unit::Seconds => "seconds",
        Unit::Bytes => "bytes",
        Unit::Ratio => "share of 1",
    }
}

fn labels(metric: &Metric) -> String {
    metric.labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ")
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    let mut line = |text: std::fmt::Arguments<'_>| writeln!(page, "{text}").expect("a string takes all text");
    for metric in GROUPS.iter().copied().flatten() {
        let (kind, unit, labels) = (metric.kind.name(), unit(metric.unit), labels(metric));
        line(format_args!("| `{}` | {kind} | {unit} | {labels} | {} |", metric.name, metric.help));
    }
    page.push_str(REDIS);
    let mut line = |text: std::fmt::Arguments<'_>| writeln!(page, "{text}").expect("a string takes all text");
    for metric in redis::METRICS {
        line(format_args!("| `{}` | {} | {} | {} |", metric.name, metric.kind.name(), labels(metric), metric.help));
    }
    line(format_args!("| `redis_instance_info` | gauge | (many) | Always 1, with what the server is as labels |"));
    for (rows, kind) in [(redis::GAUGES, Kind::Gauge), (redis::COUNTERS, Kind::Counter)] {
        for (name, field) in rows {
            line(format_args!("| `{name}` | {} | | The field `{field}` of INFO |", kind.name()));
        }
    }
    // Of two empty cells side by side the second is found the second time.
    page.replace("|  |", "| |").replace("|  |", "| |")
}

#[test]
fn the_metrics_page_says_what_the_rows_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md");
    if std::env::var_os("LOCKSLEY_BLESS").is_some() {
        std::fs::write(path, page()).expect("the page is writable");
    }
    let found = std::fs::read_to_string(path).expect("the page is there");
    assert_eq!(found, page(), "docs/metrics.md is out of date");
}
