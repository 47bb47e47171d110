//! Debian's `prometheus-redis-exporter` against the server.

use std::process::Command;

use locksley_tests::binary::installed;
use locksley_tests::server::{Launch, Server};

use crate::daemon::Daemon;
use crate::text::Page;
use crate::{PASSWORD, is_redis, launch, use_server};

fn start_exporter(server: &Server, flags: &[&str]) -> Daemon {
    let target = format!("redis://{}", server.address());
    Daemon::start("prometheus-redis-exporter", "/health", |address, _| {
        let mut arguments = vec![format!("-redis.addr={target}"), format!("-web.listen-address={address}")];
        arguments.extend(flags.iter().map(|flag| (*flag).to_owned()));
        arguments
    })
}

fn scrape(exporter: &Daemon) -> Page {
    Page::read(&exporter.fetch("/metrics", &[]).unwrap_or_else(|| panic!("no page: {}", exporter.printed())))
}

/// What the exporter says of itself and of its own work.
fn is_its_own(name: &str) -> bool {
    !name.starts_with("redis_")
        || ["redis_exporter_", "redis_target_", "redis_last_key_groups_"].iter().any(|own| name.starts_with(own))
        // It takes the lengths of strings, which are several numbers, for one.
        || name.contains("_distrib_")
        // These are of LATENCY LATEST, which it asks beside INFO, and only where the monitor is on.
        || name.starts_with("redis_latency_spike_")
}

/// Series of the exporter with the fields of INFO that they come from, which stay as they are between two looks.
const SAME: &[(&str, &str)] = &[
    ("redis_keyspace_hits_total", "keyspace_hits"),
    ("redis_keyspace_misses_total", "keyspace_misses"),
    ("redis_evicted_keys_total", "evicted_keys"),
    ("redis_expired_keys_total", "expired_keys"),
    ("redis_memory_used_dataset_bytes", "used_memory_dataset"),
    ("redis_memory_max_bytes", "maxmemory"),
    ("redis_config_maxmemory", "maxmemory"),
    ("redis_config_maxclients", "maxclients"),
    ("redis_total_error_replies", "total_error_replies"),
    ("redis_rejected_connections_total", "rejected_connections"),
    ("redis_rdb_changes_since_last_save", "rdb_changes_since_last_save"),
    ("redis_rdb_last_save_timestamp_seconds", "rdb_last_save_time"),
    ("redis_aof_enabled", "aof_enabled"),
    ("redis_process_id", "process_id"),
];

/// A setting that there is not: every thread does both.
const IO_THREADS: &str = "redis_config_io_threads";

fn server() -> Server {
    launch(2).durable("everysec").flags(["--metrics-redis-names", "yes", "--maxmemory", "256mb"]).start()
}

#[test]
fn its_series_say_what_info_says() {
    if is_redis() {
        return;
    }
    let server = server();
    use_server(&server);
    // The exporter reads entries too, so that INFO is asked before.
    let mut client = server.connect();
    let expected = SAME.iter().map(|(sample, field)| (*sample, client.info_number(field) as f64)).collect::<Vec<_>>();
    let single = ["-check-single-keys=db0=key:1", "-count-keys=db0=key:*", "-export-client-list"];
    let page = scrape(&start_exporter(&server, &single));
    let close = |sample: &str, expected: f64| {
        let found = page.value(sample);
        assert!((found - expected).abs() < 1e-6, "{sample} is {found}, not {expected}");
    };
    close("redis_up", 1.0);
    close("redis_exporter_last_scrape_error{err=\"\"}", 0.0);
    for (sample, expected) in expected {
        close(sample, expected);
    }
    close("redis_db_keys{db=\"db0\"}", client.command("DBSIZE").integer() as f64);
    close("redis_db_keys_expiring{db=\"db0\"}", 4.0);
    close("redis_db_keys{db=\"db5\"}", 1.0);
    close("redis_commands_total{cmd=\"set\"}", 4.0);
    close("redis_commands_failed_calls_total{cmd=\"incr\"}", 1.0);
    close("redis_commands_rejected_calls_total{cmd=\"get\"}", 1.0);
    close("redis_errors_total{err=\"ERR\"}", 2.0);
    close("redis_key_size{db=\"db0\",key=\"key:1\"}", 5.0);
    close("redis_keys_count{db=\"db0\",key=\"key:*\"}", 4.0);
    for sample in [
        "redis_memory_used_bytes",
        "redis_memory_used_peak_bytes",
        "redis_memory_used_rss_bytes",
        "redis_uptime_in_seconds",
        "redis_connected_clients",
        "redis_commands_processed_total",
        "redis_net_input_bytes_total",
        "redis_cpu_user_seconds_total",
        "redis_slowlog_length",
        "redis_slowlog_last_id",
        "redis_last_slow_execution_duration_seconds",
        "redis_commands_duration_seconds_total{cmd=\"set\"}",
        "redis_latency_percentiles_usec{cmd=\"set\",quantile=\"99\"}",
        "redis_latency_percentiles_usec_count{cmd=\"set\"}",
        "redis_db_avg_ttl_seconds{db=\"db0\"}",
        "redis_start_time_seconds",
    ] {
        assert!(page.value(sample) >= 0.0, "{sample}");
    }
    assert!(page.value("redis_slowlog_length") > 10.0, "every command was slow");
    let instance = page.samples.keys().find(|sample| sample.starts_with("redis_instance_info{")).expect("an instance");
    for label in ["redis_mode=\"standalone\"", "role=\"master\"", "maxmemory_policy=\"allkeys-s3fifo\""] {
        assert!(instance.contains(label), "{label} in {instance}");
    }
    assert!(page.names().contains("redis_connected_clients_details"), "clients are listed: {:?}", page.names());
}

#[test]
fn it_finds_what_it_finds_of_the_model() {
    if is_redis() {
        return;
    }
    let (server, model) = (server(), Launch::redis().durable("everysec").flags(["--maxmemory", "256mb"]).start());
    let pages = [&server, &model].map(|server| {
        let mut client = server.connect();
        for line in ["SET key 1 EX 1000", "GET key", "GET none", "INCR key", "GET"] {
            client.command(line);
        }
        scrape(&start_exporter(server, &["-include-system-metrics"]))
    });
    for (name, kind) in pages[1].kinds.iter().filter(|(name, _)| *name != IO_THREADS) {
        assert_eq!(pages[0].kinds.get(name), Some(kind), "{name}");
    }
}

#[test]
fn the_page_has_its_series_with_their_values() {
    if is_redis() {
        return;
    }
    let server = server();
    use_server(&server);
    let mut http = server.connect_http();
    let exporter = start_exporter(&server, &["-include-system-metrics"]);
    let theirs = scrape(&exporter);
    let page = Page::read(&http.get("/metrics").text());
    // What moves while one looks, and what the exporter asks the other settings for.
    let moves = |sample: &str| {
        [
            "cpu",
            "commands",
            "latency",
            "connect",
            "client",
            "net_",
            "uptime",
            "slow",
            "total_reads",
            "total_writes",
            "_rss",
            "memory",
            "mem_",
            "allocator_",
            "aof_",
            "start_time",
            "io_threads",
            "dataset",
        ]
        .iter()
        .any(|part| sample.contains(part))
    };
    for (name, kind) in theirs.kinds.iter().filter(|(name, _)| !is_its_own(name) && *name != IO_THREADS) {
        assert_eq!(page.kinds.get(name), Some(kind), "{name}");
    }
    for (sample, expected) in theirs.samples.iter().filter(|(sample, _)| !is_its_own(sample) && !moves(sample)) {
        let found = page.value(sample);
        let leeway = if sample.contains("ttl") { 10.0 } else { 1e-6 };
        assert!((found - expected).abs() <= leeway, "{sample} is {found}, not {expected}");
    }
}

#[test]
fn it_knows_the_password_or_reports_down() {
    if is_redis() {
        return;
    }
    let server = launch(1).flags(["--requirepass", PASSWORD]).start();
    let page = scrape(&start_exporter(&server, &[&format!("-redis.password={PASSWORD}")]));
    assert!((page.value("redis_up") - 1.0).abs() < 1e-6);
    let page = scrape(&start_exporter(&server, &[]));
    assert!(page.value("redis_up").abs() < 1e-6, "who does not say the password learns nothing");
    assert!(!page.kinds.contains_key("redis_memory_used_bytes"));
}

#[test]
fn it_sees_spikes_of_latency() {
    if is_redis() {
        return;
    }
    let server = launch(2).flags(["--enable-debug-command", "yes", "--latency-monitor-threshold", "5"]).start();
    assert_eq!(server.connect().command("DEBUG SLEEP 0.02").to_string(), "+OK");
    let page = scrape(&start_exporter(&server, &[]));
    let spike = page.value("redis_latency_spike_duration_seconds{event_name=\"command\"}");
    assert!((0.02..10.0).contains(&spike), "{spike}");
}

#[test]
fn the_exporter_is_the_one_that_the_page_follows() {
    let output = Command::new(installed("prometheus-redis-exporter")).arg("-version").output().expect("it runs");
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(text.contains("Redis Metrics Exporter 1."), "{text}");
}
