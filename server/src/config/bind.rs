//! The addresses that `bind` names.

use std::net::{SocketAddr, ToSocketAddrs};

use super::Config;

/// An address to listen at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Where.
    pub address: SocketAddr,
    /// Whether the machine may not have it.
    pub is_optional: bool,
}

/// Where `config` wants to listen with `port`; names that lead nowhere are left out if they may.
///
/// # Errors
/// One sentence that names what leads nowhere.
pub(crate) fn places(config: &Config, port: u16) -> Result<Vec<Place>, String> {
    let mut places = Vec::new();
    for entry in &config.bind {
        let (host, is_optional) = entry.strip_prefix('-').map_or((entry.as_str(), false), |host| (host, true));
        let host = match host {
            "*" => "0.0.0.0",
            "::*" => "::",
            host => host,
        };
        match (host, port).to_socket_addrs() {
            Ok(addresses) => places.extend(addresses.map(|address| Place { address, is_optional })),
            Err(_) if is_optional => {}
            Err(error) => return Err(format!("cannot bind to {host}: {error}")),
        }
    }
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_become_addresses() {
        let bind = ["*", "-::1", "-no such host"].map(str::to_owned).to_vec();
        let places = places(&Config { bind, ..Config::default() }, 7).expect("what leads nowhere may be left out");
        let shown: Vec<_> = places.iter().map(|place| (place.address.to_string(), place.is_optional)).collect();
        assert_eq!(shown, [("0.0.0.0:7".to_owned(), false), ("[::1]:7".to_owned(), true)]);
    }

    #[test]
    fn a_name_that_leads_nowhere_is_named() {
        let sentence = places(&Config { bind: vec!["no such host".to_owned()], ..Config::default() }, 7).unwrap_err();
        assert!(sentence.starts_with("cannot bind to no such host: "), "{sentence}");
    }
}
