//! The command line.

use clap::{Parser, ValueEnum};

use crate::{distribution::Distribution, values::ValueSize};

/// Put a cache server under load and measure it.
///
/// Closed loop unless --rate is given: each connection sends --pipeline requests, waits for all their replies
/// and goes on. With --rate requests fall due at even intervals whatever the server does, and latency counts
/// from the time a request was due, so that a stall of the server is felt by every request it delays.
#[derive(Debug, Parser)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[command(name = "locksley-bench", version)]
pub(crate) struct Options {
    /// Host of the server.
    #[arg(long, default_value = "127.0.0.1")]
    pub(crate) host: String,

    /// Port of the server [default: 6379, for memcached 11211, for http 8379].
    #[arg(long)]
    pub(crate) port: Option<u16>,

    /// What to speak.
    #[arg(long, value_enum, default_value_t = ProtocolName::Resp2)]
    pub(crate) protocol: ProtocolName,

    /// User to authenticate as [default for memcached: default].
    #[arg(long, requires = "password")]
    pub(crate) user: Option<String>,

    /// Password to authenticate with: by AUTH, by memcached's token authentication, as Bearer token.
    #[arg(long)]
    pub(crate) password: Option<String>,

    /// How RESP reads: by GET, or by GETL, which makes a reader that misses the one who fetches the value.
    #[arg(long, value_enum, default_value_t = ReadCommand::Get)]
    pub(crate) read_command: ReadCommand,

    /// With http, read this path in place of keys, as of a file that any HTTP server has; makes --ratio 0:1.
    #[arg(long)]
    pub(crate) http_path: Option<String>,

    /// Connections, over all threads (and over all nodes with --cluster).
    #[arg(long, default_value_t = 50)]
    pub(crate) connections: usize,

    /// Client threads.
    #[arg(long, default_value_t = 1)]
    pub(crate) threads: usize,

    /// Requests that a connection sends before it waits for replies; with --rate, most that it has outstanding.
    #[arg(long, default_value_t = 1)]
    pub(crate) pipeline: usize,

    /// How many different keys there are.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) keys: u64,

    /// Bytes of a key [default: 16].
    #[arg(long)]
    pub(crate) key_size: Option<usize>,

    /// Bytes of a value: N, uniform:FROM:TO or lognormal:MEDIAN:SIGMA[:MAX] [default: 32].
    #[arg(long)]
    pub(crate) value_size: Option<ValueSize>,

    /// Which keys are asked for: uniform, sequential or zipf:EXPONENT [default: uniform].
    #[arg(long)]
    pub(crate) distribution: Option<Distribution>,

    /// Writes to reads, as in 1:10 [default: 1:10].
    #[arg(long)]
    pub(crate) ratio: Option<Ratio>,

    /// A ready set of sizes, ratio and distribution, each of which can still be given.
    #[arg(long, value_enum)]
    pub(crate) preset: Option<Preset>,

    /// Seconds that written values live: N, or FROM:TO for a spread.
    #[arg(long)]
    pub(crate) ttl: Option<TtlRange>,

    /// Ask the server for its cluster's nodes and send each key to the node that owns it.
    #[arg(long)]
    pub(crate) cluster: bool,

    /// Open loop: requests a second, over all connections.
    #[arg(long)]
    pub(crate) rate: Option<f64>,

    /// Seconds to measure.
    #[arg(long, default_value_t = 10.0)]
    pub(crate) duration: f64,

    /// Stop after so many requests in place of --duration; 0 with --fill loads the keys and ends.
    #[arg(long)]
    pub(crate) requests: Option<u64>,

    /// Measure until standard input ends, or for --duration if that is shorter: for whoever watches the server.
    #[arg(long, conflicts_with = "requests")]
    pub(crate) until_eof: bool,

    /// Seconds of load before measuring [default: 1, or 0 with --requests].
    #[arg(long)]
    pub(crate) warmup: Option<f64>,

    /// Write every key once before the load.
    #[arg(long)]
    pub(crate) fill: bool,

    /// Verify every value that is read; a wrong one makes the exit status 1.
    #[arg(long)]
    pub(crate) check: bool,

    /// Process id of the server, on this machine, to tell its processor time an operation.
    #[arg(long)]
    pub(crate) server_pid: Option<u32>,

    /// Seed of keys, values and order.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,

    /// Print the result as JSON on standard output.
    #[arg(long)]
    pub(crate) json: bool,

    /// Print no line a second.
    #[arg(long)]
    pub(crate) quiet: bool,
}

/// The protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProtocolName {
    /// RESP2, of Locksley and Redis.
    Resp2,
    /// RESP3.
    Resp3,
    /// The text commands of memcached: get and set.
    #[value(alias = "memcached")]
    MemcachedText,
    /// The meta commands of memcached: mg and ms.
    MemcachedMeta,
    /// REST: GET and PUT of /cache/KEY, raw bytes.
    Http,
}

impl ProtocolName {
    /// Its name in a sentence.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Resp2 | Self::Resp3 => "RESP",
            Self::MemcachedText | Self::MemcachedMeta => "memcached's protocol",
            Self::Http => "HTTP",
        }
    }

    /// The port where servers listen for it unless told otherwise.
    pub(crate) fn default_port(self) -> u16 {
        match self {
            Self::Resp2 | Self::Resp3 => 6_379,
            Self::MemcachedText | Self::MemcachedMeta => 11_211,
            Self::Http => 8_379,
        }
    }
}

/// How RESP reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReadCommand {
    /// `GET key`.
    Get,
    /// `GETL key 1000`; whoever is told to fetch the value lets it be.
    Getl,
}

/// Ready sets of options.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Preset {
    /// 100 B keys, 1,024 B values, 10 reads to a write, zipf:0.99.
    Seeds,
}

/// Writes to reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ratio {
    /// Writes among `writes + reads` requests.
    pub(crate) writes: u32,
    /// Reads among them.
    pub(crate) reads: u32,
}

impl std::str::FromStr for Ratio {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once(':').and_then(|(writes, reads)| Some((writes.parse().ok()?, reads.parse().ok()?)));
        match parts {
            Some((writes @ 0..=1_000_000, reads @ 0..=1_000_000)) if writes + reads > 0 => Ok(Self { writes, reads }),
            _ => Err(format!("'{text}' is not WRITES:READS, as in 1:10")),
        }
    }
}

/// How long values live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TtlRange {
    /// The shortest, in seconds.
    pub(crate) seconds_min: u32,
    /// The longest.
    pub(crate) seconds_max: u32,
}

impl std::str::FromStr for TtlRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (from, to) = text.split_once(':').unwrap_or((text, text));
        match (from.parse(), to.parse()) {
            (Ok(seconds_min @ 1..), Ok(seconds_max)) if seconds_min <= seconds_max => {
                Ok(Self { seconds_min, seconds_max })
            }
            _ => Err(format!("'{text}' is neither SECONDS nor FROM:TO")),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Options::command().debug_assert();
    }

    #[test]
    fn ratios_and_lifetimes_are_read() {
        assert_eq!("1:10".parse(), Ok(Ratio { writes: 1, reads: 10 }));
        assert!(["0:0", "1", "a:b", "1:-1"].iter().all(|text| text.parse::<Ratio>().is_err()));
        assert_eq!("60".parse(), Ok(TtlRange { seconds_min: 60, seconds_max: 60 }));
        assert_eq!("60:90".parse(), Ok(TtlRange { seconds_min: 60, seconds_max: 90 }));
        assert!(["0", "9:1", "x"].iter().all(|text| text.parse::<TtlRange>().is_err()));
    }
}
