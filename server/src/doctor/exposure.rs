//! Where clients come in: whether the ports are free, and whether strangers could come in too.

use std::io::ErrorKind;

use super::disk::holder;
use super::finding::Finding;
use crate::config::Config;
use crate::config::bind::places;
use crate::reactor::listener::claim;

pub(super) fn ports(config: &Config) -> Option<Finding> {
    let wanted = match wanted(config) {
        Ok(wanted) => wanted,
        Err(sentence) => return Some(Finding::bad(sentence, "choose another with --shard-port")),
    };
    let mut free = Vec::new();
    for (flag, port) in wanted {
        match blocked(config, port) {
            None => free.push(port.to_string()),
            Some(sentence) if holder(&config.dir).is_some() => {
                let remedy = "nothing, if that is the server that has the data directory";
                return Some(Finding::warn(sentence, remedy));
            }
            Some(sentence) => return Some(Finding::bad(sentence, format!("choose another with {flag}, or --bind"))),
        }
    }
    Some(Finding::good(format!("{} can be listened at", free.join(", "))))
}

/// The ports that `config` asks for, with the settings that name them.
fn wanted(config: &Config) -> Result<Vec<(&'static str, u16)>, String> {
    let doors =
        [("--port", config.port), ("--memcached-port", config.memcached_port), ("--http-port", config.http_port)];
    let mut wanted: Vec<_> = doors.into_iter().filter(|(_, port)| *port != 0).collect();
    if config.cluster_announce_shards {
        for shard in 0..config.shards {
            let port = config.port_of_shard(shard).ok_or("there are too few ports above that of the first shard")?;
            wanted.push(("--shard-port", port));
        }
    }
    Ok(wanted)
}

/// Why `port` cannot be listened at, if it cannot.
fn blocked(config: &Config, port: u16) -> Option<String> {
    let places = match places(config, port) {
        Ok(places) => places,
        Err(sentence) => return Some(sentence),
    };
    places.into_iter().find_map(|place| match claim(place.address) {
        Ok(()) => None,
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            Some(format!("port {port} is in use at {}", place.address.ip()))
        }
        Err(_) if place.is_optional => None,
        Err(error) => Some(format!("{} cannot be listened at: {error}", place.address)),
    })
}

pub(super) fn password(config: &Config) -> Option<Finding> {
    let places = places(config, 0).unwrap_or_default();
    let is_public = places.iter().any(|place| !place.address.ip().to_canonical().is_loopback());
    Some(judge_password(is_public, !config.requirepass.is_empty(), config.protected_mode))
}

fn judge_password(is_public: bool, has_password: bool, is_protected: bool) -> Finding {
    match (is_public, has_password, is_protected) {
        (_, true, _) => Finding::good("clients have to give one"),
        (false, false, _) => Finding::good("there is none, and only clients of this machine come in"),
        (true, false, true) => Finding::warn(
            "there is none, so that clients of other hosts are refused (protected-mode)",
            "set requirepass, or bind to 127.0.0.1 alone",
        ),
        (true, false, false) => Finding::warn(
            "there is none: whoever reaches the ports may read and delete everything",
            "set requirepass, or bind to 127.0.0.1 alone",
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn a_port_in_use_is_bad_and_names_its_setting() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("some port is free");
        let port = taken.local_addr().expect("it has an address").port();
        let bind = vec!["127.0.0.1".to_owned()];
        let config = Config { bind, port: 0, memcached_port: 0, http_port: port, ..Config::default() };
        let found = ports(&config).expect("something is said");
        assert_eq!(found.verdict, Verdict::Bad);
        assert!(found.sentence.contains(&port.to_string()) && found.remedy.contains("--http-port"), "{found:?}");
        drop(taken);
        assert_eq!(ports(&config).map(|found| found.verdict), Some(Verdict::Good));
    }

    #[test]
    fn shards_have_ports_of_their_own_where_they_are_announced() {
        let config = Config { cluster_announce_shards: true, shards: 2, port: 7_000, ..Config::default() };
        let wanted = wanted(&config).expect("there are enough ports");
        assert!(wanted.ends_with(&[("--shard-port", 7_001), ("--shard-port", 7_002)]), "{wanted:?}");
        assert!(super::wanted(&Config { port: 65_535, ..config }).is_err());
    }

    #[test]
    fn a_public_server_wants_a_password() {
        for (is_public, has_password, is_protected, verdict) in [
            (false, false, true, Verdict::Good),
            (true, true, false, Verdict::Good),
            (true, false, true, Verdict::Warn),
            (true, false, false, Verdict::Warn),
        ] {
            assert_eq!(judge_password(is_public, has_password, is_protected).verdict, verdict);
        }
    }
}
