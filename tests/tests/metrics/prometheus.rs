//! Prometheus itself.

use std::fs;

use locksley_tests::binary::workspace;
use locksley_tests::wait::until_or;
use serde_json::Value;

use crate::daemon::Daemon;
use crate::{PASSWORD, is_redis, launch};

/// The answer of its API.
fn ask(prometheus: &Daemon, path: &str, parameters: &[(&str, &str)]) -> Value {
    let text = prometheus.fetch(path, parameters);
    let text = text.unwrap_or_else(|| panic!("no answer to {path} {parameters:?}: {}", prometheus.printed()));
    let json: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(json["status"], "success", "{json}");
    json["data"].clone()
}

/// The samples that an expression has now.
fn query(prometheus: &Daemon, expression: &str) -> Vec<Value> {
    let data = ask(prometheus, "/api/v1/query", &[("query", expression)]);
    data["result"].as_array().unwrap_or_else(|| panic!("{expression}: {data}")).clone()
}

/// The expressions of the dashboard, with its variables filled in.
fn dashboard() -> Vec<String> {
    let text = fs::read_to_string(workspace().join("docs/grafana.json")).expect("there is a dashboard");
    let json: Value = serde_json::from_str(&text).expect("a dashboard is JSON");
    let panels = json["panels"].as_array().expect("it has panels");
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let expressions = targets.map(|target| target["expr"].as_str().expect("a target has an expression"));
    expressions.map(|text| text.replace("$__rate_interval", "1m").replace("$instance", ".*")).collect()
}

#[test]
fn it_scrapes_and_knows_all_that_rules_and_dashboard_ask_for() {
    if is_redis() {
        return;
    }
    let server = launch(2).durable("everysec").flags(["--requirepass", PASSWORD, "--maxmemory", "256mb"]).start();
    let target = server.http_address();
    let rules = workspace().join("docs/alerts.yml");
    let prometheus = Daemon::start("prometheus", "/-/ready", |address, directory| {
        let config = format!(
            "global: {{scrape_interval: 250ms, scrape_timeout: 200ms, evaluation_interval: 500ms}}\n\
             rule_files: [\"{}\"]\n\
             scrape_configs:\n\
             - job_name: locksley\n  \
               authorization: {{credentials: \"{PASSWORD}\"}}\n  \
               static_configs: [{{targets: [\"{target}\"]}}]\n\
             - job_name: stranger\n  \
               static_configs: [{{targets: [\"{target}\"]}}]\n",
            rules.display()
        );
        let path = directory.join("prometheus.yml");
        fs::write(&path, config).expect("the directory can be written");
        vec![
            format!("--config.file={}", path.display()),
            format!("--storage.tsdb.path={}", directory.join("data").display()),
            format!("--web.listen-address={address}"),
            "--log.level=warn".to_owned(),
        ]
    });
    let is_up = |prometheus: &Daemon| {
        query(prometheus, "up{job=\"locksley\"} == 1").len() == 1 && query(prometheus, "locksley_up == 1").len() == 1
    };
    until_or(|| is_up(&prometheus), || ask(&prometheus, "/api/v1/targets", &[]).to_string());
    until_or(
        || query(&prometheus, "up{job=\"stranger\"} == 0").len() == 1,
        || "who does not say the password gets a page".to_owned(),
    );
    // Rates need two scrapes at least, with some use between them.
    let mut client = server.connect();
    assert_eq!(client.call(&["AUTH", PASSWORD]).to_string(), "+OK");
    assert_eq!(client.command("SET key value").to_string(), "+OK");
    assert_eq!(client.command("GET key").to_string(), "\"value\"");
    let rate = "sum(rate(locksley_hits_total[1m])) > 0";
    until_or(|| !query(&prometheus, rate).is_empty(), || format!("{rate} has no value: {}", prometheus.printed()));
    for expression in dashboard() {
        // Without a snapshot there is no last one, and little use makes no curve.
        let may_be_empty = ["locksley_snapshot_last_duration_seconds", "locksley_curve_", "locksley_errors_total"];
        let is_empty = || query(&prometheus, &expression).is_empty();
        if may_be_empty.iter().any(|name| expression.contains(name)) {
            is_empty();
        } else {
            until_or(|| !is_empty(), || format!("the dashboard finds nothing for {expression}"));
        }
    }
    let groups = ask(&prometheus, "/api/v1/rules", &[]);
    let rules = groups["groups"][0]["rules"].as_array().expect("the rules were loaded").clone();
    assert!(rules.len() > 10, "{groups}");
    let is_evaluated = || {
        let groups = ask(&prometheus, "/api/v1/rules", &[]);
        let rules = groups["groups"][0]["rules"].as_array().expect("the rules were loaded").clone();
        rules.iter().all(|rule| rule["health"] == "ok")
    };
    until_or(is_evaluated, || ask(&prometheus, "/api/v1/rules", &[]).to_string());
    assert!(query(&prometheus, "ALERTS{alertname=\"LocksleyDown\"}").is_empty());
}
