//! `GET /metrics`: what the server counts, for Prometheus.

use locksley_wire::resp::Reply;

use super::reply::begin;
use crate::command::row::{Command, Flags, Group, JoinInput, Keys, Memory, Outcome, Run};
use crate::command::server::source::Source;
use crate::command::server::{metrics, report};

pub(super) static METRICS: Command = Command {
    name: "metrics",
    arity: 1,
    flags: Flags::LOADING.union(Flags::STALE),
    keys: Keys::None,
    categories: &["dangerous"],
    group: Group::Rest,
    since: "Locksley 0.1.0",
    summary: "Returns what the server counts, in the text format of Prometheus",
    complexity: "O(1)",
    syntax: "",
    run: Run::Survey { part: report::part, join, memory: Memory::Report },
};

/// Fields of the response: what it says is over when it is read.
const FIELDS: &[u8] = b"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n";

/// Bytes of a page of a server of which a few commands are used.
const LIKELY_BYTES: usize = 50_000;

fn join(input: &JoinInput<'_>, reply: &mut Reply<'_>) -> Outcome {
    let source = Source::read(input)?;
    let response = begin(reply.buffer(), input.dialect.http(), input.config, 200);
    response
        .field("Content-Type", metrics::CONTENT_TYPE.as_bytes())
        .lines(FIELDS)
        .body_with(LIKELY_BYTES, |out| metrics::write_page(&source, input.config.metrics_redis_names, out));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::rest::testing::{Rig, check};

    #[test]
    fn only_the_path_itself_has_a_page() {
        let none = r#"404 {"error":"there is nothing at this path: see /openapi.json"}"#;
        check(&[
            ("GET /metrics/", none),
            ("GET /metrics/shard", none),
            ("GET /metric", none),
            ("GET /metrics?x", r#"400 {"error":"this operation has no parameter x"}"#),
            ("GET /metrics?db=0", r#"400 {"error":"this operation has no parameter db"}"#),
            ("POST /metrics", r#"405 {"error":"this path does not have that method"}"#),
            ("PUT /metrics |x", r#"405 {"error":"this path does not have that method"}"#),
            ("HEAD /metrics", "200"),
        ]);
        let refused = Rig::new(1).response("POST /metrics");
        assert!(refused.contains("\r\nAllow: GET, HEAD\r\n"), "{refused}");
    }

    #[test]
    fn the_password_is_needed_as_for_entries() {
        let mut rig = Rig::new(2);
        rig.inner.configure(|config| config.requirepass = "secret".to_owned());
        let refused = rig.response("GET /metrics");
        assert!(refused.starts_with("HTTP/1.1 401 ") && refused.contains("\r\nWWW-Authenticate: Bearer "), "{refused}");
        assert!(!refused.contains("locksley_up"));
        assert!(rig.response("GET /metrics ~Authorization: Bearer secret").starts_with("HTTP/1.1 200 "));
        assert!(rig.response("POST /metrics").starts_with("HTTP/1.1 405 "));
    }

    #[test]
    fn it_answers_while_data_is_loaded() {
        let mut rig = Rig::new(2);
        rig.inner.threads.iter_mut().for_each(|thread| thread.is_loading = true);
        let response = rig.response("GET /metrics");
        assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
        let head = response.split("\r\n\r\n").next().expect("a head");
        for field in
            ["Content-Type: text/plain; version=0.0.4; charset=utf-8", "Cache-Control: no-store", "Content-Length: "]
        {
            assert!(head.contains(field), "{field} in {head}");
        }
        assert!(response.contains("\nlocksley_up 1\n"));
    }
}
