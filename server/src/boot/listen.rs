//! The listening sockets of each data thread, from `bind`, the ports of the protocols and the shards' own ports.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use crate::client::Door;
use crate::config::Config;
use crate::config::bind::{Place, places};
use crate::reactor::listener::{Listener, ListenerOptions, claim};

/// Opens the listeners of thread `shard`: its share of the common ports, and its own port where shards are announced.
///
/// # Errors
/// One sentence that names the address.
pub(super) fn open(config: &Config, shard: u16) -> Result<Vec<Listener>, String> {
    let mut listeners = Vec::new();
    let common =
        [(config.port, Door::Shared), (config.memcached_port, Door::Memcached), (config.http_port, Door::Http)];
    for (port, door) in common.into_iter().filter(|(port, _)| *port != 0) {
        open_port(config, port, door, shard == 0, &mut listeners)?;
    }
    if config.cluster_announce_shards {
        let port = config.port_of_shard(shard).ok_or("shard-port leaves no room for the ports of all shards")?;
        open_port(config, port, Door::Shard, true, &mut listeners)?;
    }
    Ok(listeners)
}

fn open_port(
    config: &Config,
    port: u16,
    door: Door,
    is_claimed: bool,
    listeners: &mut Vec<Listener>,
) -> Result<(), String> {
    let options = ListenerOptions { door, backlog: config.tcp_backlog, keepalive_seconds: config.tcp_keepalive };
    let count_before = listeners.len();
    for Place { address, is_optional } in places(config, port)? {
        let claimed = if is_claimed { claim_patiently(address) } else { Ok(()) };
        match claimed.and_then(|()| Listener::open(address, options)) {
            Ok(listener) => listeners.push(listener),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                let flag = flag(door);
                return Err(format!("port {port} is in use at {}: choose another with {flag}", address.ip()));
            }
            Err(_) if is_optional => {}
            Err(error) => return Err(format!("cannot listen at {address}: {error}")),
        }
    }
    if listeners.len() == count_before {
        return Err(format!("none of the addresses of bind can be listened at (port {port})"));
    }
    Ok(())
}

/// The setting that names the port of `door`.
fn flag(door: Door) -> &'static str {
    match door {
        Door::Shared => "--port",
        Door::Shard => "--shard-port",
        Door::Memcached => "--memcached-port",
        Door::Http => "--http-port",
    }
}

/// Claims an address; one that a server held which died just now is waited for, because the kernel takes a ring down
/// some moments after its process.
fn claim_patiently(address: SocketAddr) -> std::io::Result<()> {
    const TRIES: usize = 20;
    const PAUSE: Duration = Duration::from_millis(50);
    for _ in 1..TRIES {
        match claim(address) {
            Err(error) if error.kind() == ErrorKind::AddrInUse => std::thread::sleep(PAUSE),
            claimed => return claimed,
        }
    }
    claim(address)
}
