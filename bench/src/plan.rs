//! A run as it will be: the options checked against each other, with presets and defaults filled in.

use std::time::Duration;

use crate::{
    distribution::Distribution,
    keys::{KeyShape, Order},
    options::{Options, Preset, ProtocolName, Ratio, ReadCommand, TtlRange},
    values::{ValueSize, Values},
};

/// Most connections of a run.
const CONNECTION_COUNT_MAX: usize = 30_000;

/// Most requests that a connection may have outstanding.
const PIPELINE_MAX: usize = 1_000_000;

/// Most bytes of requests that a connection sends at once while keys are loaded.
const FILL_BATCH_BYTES_MAX: usize = 256 * 1024;

/// Everything that is settled before the first connection.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The options that need no change.
    pub(crate) options: Options,
    /// The port in use.
    pub(crate) port: u16,
    /// The keys.
    pub(crate) shape: KeyShape,
    /// The order in which the load asks for them.
    pub(crate) order: Order,
    /// The values.
    pub(crate) values: Values,
    /// Their lengths.
    pub(crate) value_size: ValueSize,
    /// Bytes of a key.
    pub(crate) key_bytes: usize,
    /// The distribution by name.
    pub(crate) distribution: Distribution,
    /// Writes to reads.
    pub(crate) ratio: Ratio,
    /// Load before the measurement.
    pub(crate) warmup: Duration,
    /// The measurement, when it ends by time.
    pub(crate) duration: Duration,
}

impl Plan {
    /// The plan that `options` amount to.
    ///
    /// # Errors
    /// One sentence that names the option at fault.
    pub(crate) fn new(options: Options) -> Result<Self, String> {
        check_counts(&options)?;
        check_protocol(&options)?;
        let (key_bytes, value_size, ratio, distribution) = match options.preset {
            Some(Preset::Seeds) => {
                (100, ValueSize::Fixed(1024), Ratio { writes: 1, reads: 10 }, Distribution::Zipf(0.99))
            }
            None => (16, ValueSize::Fixed(32), Ratio { writes: 1, reads: 10 }, Distribution::Uniform),
        };
        // Nothing but reads goes to a fixed path.
        let ratio = if options.http_path.is_some() { Ratio { writes: 0, reads: 1 } } else { ratio };
        let key_bytes = options.key_size.unwrap_or(key_bytes);
        let value_size = options.value_size.unwrap_or(value_size);
        let distribution = options.distribution.unwrap_or(distribution);
        let shape = KeyShape::new(options.keys, key_bytes)?;
        let default_warmup = if options.requests.is_some() { 0.0 } else { 1.0 };
        Ok(Self {
            port: options.port.unwrap_or(options.protocol.default_port()),
            order: Order::of(distribution, options.keys),
            shape,
            values: Values::new(value_size, options.check)?,
            value_size,
            key_bytes,
            distribution,
            ratio: options.ratio.unwrap_or(ratio),
            warmup: seconds("--warmup", options.warmup.unwrap_or(default_warmup))?,
            duration: seconds("--duration", options.duration)?,
            options,
        })
    }

    /// How long written values live.
    pub(crate) fn ttl(&self) -> Option<TtlRange> {
        self.options.ttl
    }

    /// Requests that a connection sends at once while keys are loaded.
    pub(crate) fn fill_pipeline(&self) -> usize {
        let request_bytes = self.key_bytes + self.value_size.bytes_typical() + 64;
        (FILL_BATCH_BYTES_MAX / request_bytes).clamp(1, self.options.pipeline.max(64))
    }
}

fn check_counts(options: &Options) -> Result<(), String> {
    let Options { connections, threads, pipeline, rate, .. } = *options;
    if !(1..=CONNECTION_COUNT_MAX).contains(&connections) {
        return Err(format!("--connections {connections} is not between 1 and {CONNECTION_COUNT_MAX}"));
    }
    if !(1..=connections).contains(&threads) {
        return Err(format!("--threads {threads} is not between 1 and --connections ({connections})"));
    }
    if !(1..=PIPELINE_MAX).contains(&pipeline) {
        return Err(format!("--pipeline {pipeline} is not between 1 and {PIPELINE_MAX}"));
    }
    if rate.is_some_and(|rate| !(rate > 0.0 && rate <= 1e9)) {
        return Err("--rate is not a number of requests a second above 0".to_owned());
    }
    Ok(())
}

/// Refuses options that the protocol has no use for.
fn check_protocol(options: &Options) -> Result<(), String> {
    use ProtocolName::{Http, Resp2, Resp3};
    let is_http = options.protocol == Http;
    let is_resp = matches!(options.protocol, Resp2 | Resp3);
    if options.cluster && !is_resp {
        return Err("--cluster needs RESP (--protocol resp2 or resp3)".to_owned());
    }
    if options.read_command == ReadCommand::Getl && !is_resp {
        return Err("--read-command getl needs RESP (--protocol resp2 or resp3)".to_owned());
    }
    let credentials = [&options.user, &options.password];
    if !is_resp && credentials.into_iter().flatten().any(|text| text.bytes().any(|byte| byte.is_ascii_control())) {
        return Err("--user and --password have no control characters, except with RESP".to_owned());
    }
    if options.user.is_some() && is_http {
        return Err("--user: with http the password alone is sent, as Bearer token".to_owned());
    }
    let Some(path) = &options.http_path else { return Ok(()) };
    if !is_http {
        return Err("--http-path needs --protocol http".to_owned());
    }
    if !path.starts_with('/') || path.bytes().any(|byte| !byte.is_ascii_graphic()) {
        return Err(format!("--http-path '{path}' is not a path: it begins with a slash and has no blanks"));
    }
    if options.fill || options.check || options.ratio.is_some_and(|ratio| ratio.writes > 0) {
        return Err("--http-path is only read: it excludes --fill, --check and writes in --ratio".to_owned());
    }
    Ok(())
}

fn seconds(name: &str, value: f64) -> Result<Duration, String> {
    Duration::try_from_secs_f64(value).map_err(|_| format!("{name} {value} is not a number of seconds"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn plan(arguments: &[&str]) -> Result<Plan, String> {
        Plan::new(Options::parse_from([&["locksley-bench"], arguments].concat()))
    }

    #[test]
    fn a_preset_yields_to_what_is_given() {
        let seeds = plan(&["--preset", "seeds", "--value-size", "64"]).expect("sound");
        assert_eq!((seeds.key_bytes, seeds.value_size), (100, ValueSize::Fixed(64)));
        assert_eq!(seeds.distribution, Distribution::Zipf(0.99));
        assert_eq!(plan(&[]).expect("sound").port, 6379);
        for (name, port) in [("memcached", 11211), ("memcached-text", 11211), ("memcached-meta", 11211), ("http", 8379)]
        {
            assert_eq!(plan(&["--protocol", name]).expect("sound").port, port, "{name}");
        }
        let files = plan(&["--protocol", "http", "--http-path", "/1k.bin", "--preset", "seeds"]).expect("sound");
        assert_eq!(files.ratio, Ratio { writes: 0, reads: 1 });
    }

    #[test]
    fn what_does_not_fit_together_is_named() {
        #[rustfmt::skip]
        let cases: &[(&[&str], &str)] = &[
            (&["--connections", "0"], "--connections"),
            (&["--threads", "51"], "--threads"),
            (&["--pipeline", "0"], "--pipeline"),
            (&["--rate", "0"], "--rate"),
            (&["--keys", "0"], "--keys"),
            (&["--check", "--value-size", "4"], "--check"),
            (&["--protocol", "memcached", "--cluster"], "--cluster"),
            (&["--protocol", "http", "--cluster"], "--cluster"),
            (&["--protocol", "memcached", "--read-command", "getl"], "--read-command"),
            (&["--protocol", "http", "--user", "u", "--password", "p"], "--user"),
            (&["--http-path", "/f"], "--http-path"),
            (&["--protocol", "http", "--http-path", "f"], "--http-path"),
            (&["--protocol", "http", "--http-path", "/a b"], "--http-path"),
            (&["--protocol", "http", "--http-path", "/f", "--fill"], "--http-path"),
            (&["--protocol", "http", "--http-path", "/f", "--ratio", "1:1"], "--http-path"),
            (&["--duration=-1"], "--duration"),
        ];
        for (arguments, name) in cases {
            let error = plan(arguments).expect_err("refused");
            assert!(error.starts_with(name), "{arguments:?}: {error}");
        }
    }
}
