//! Listening sockets: made at start-up, accepted from by the ring of one thread each.
//!
//! Options that accepted sockets inherit on Linux (no delay, keep-alive) are set here once instead of on every
//! connection.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::time::Duration;

use rustix::net::sockopt;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getpeername, getsockname, listen, socket_with};

use crate::client::Door;

/// How listeners are made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ListenerOptions {
    /// Which clients come in by it.
    pub door: Door,
    /// Length of the queue of connections that nobody accepted yet.
    pub backlog: u32,
    /// Time after which a silent peer is probed, in seconds; 0 means never.
    pub keepalive_seconds: u32,
}

/// One listening socket.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: OwnedFd,
    /// Which clients come in by it.
    pub door: Door,
}

impl Listener {
    /// A socket that listens at `address` beside those of other threads.
    ///
    /// # Errors
    /// When the address is taken or not ours.
    pub(crate) fn open(address: SocketAddr, options: ListenerOptions) -> io::Result<Listener> {
        let socket = tcp_socket(address)?;
        sockopt::set_socket_reuseport(&socket, true)?;
        sockopt::set_tcp_nodelay(&socket, true)?;
        if options.keepalive_seconds > 0 {
            let idle = u64::from(options.keepalive_seconds);
            sockopt::set_socket_keepalive(&socket, true)?;
            sockopt::set_tcp_keepidle(&socket, Duration::from_secs(idle))?;
            sockopt::set_tcp_keepintvl(&socket, Duration::from_secs((idle / 3).max(1)))?;
            sockopt::set_tcp_keepcnt(&socket, 3)?;
        }
        bind(&socket, &address)?;
        listen(&socket, i32::try_from(options.backlog).unwrap_or(i32::MAX))?;
        Ok(Listener { socket, door: options.door })
    }

    /// Another descriptor of the same socket.
    ///
    /// # Errors
    /// When there are no more.
    pub(crate) fn duplicate(&self) -> io::Result<OwnedFd> {
        self.socket.try_clone()
    }

    /// Its descriptor, open as long as the listener lives.
    pub(crate) fn descriptor(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// Makes sure that nobody listens at `address`: listeners share a port among threads, so that a second server would
/// not be refused but take half of the first one's connections.
///
/// # Errors
/// When the address is taken or not ours.
pub(crate) fn claim(address: SocketAddr) -> io::Result<()> {
    let socket = tcp_socket(address)?;
    bind(&socket, &address)?;
    Ok(())
}

/// The addresses of both ends of a connection: the peer's, ours.
///
/// # Errors
/// When the peer is gone already.
pub(crate) fn ends(socket: impl AsFd) -> io::Result<(SocketAddr, SocketAddr)> {
    let peer = getpeername(&socket)?.ok_or(io::ErrorKind::NotConnected)?;
    let local = getsockname(&socket)?;
    Ok((SocketAddr::try_from(peer)?, SocketAddr::try_from(local)?))
}

fn tcp_socket(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: ListenerOptions = ListenerOptions { door: Door::Shared, backlog: 8, keepalive_seconds: 300 };

    fn any_port() -> SocketAddr {
        "127.0.0.1:0".parse().expect("an address")
    }

    #[test]
    fn two_threads_listen_at_one_address() {
        let first = Listener::open(any_port(), OPTIONS).expect("a free port");
        let address = SocketAddr::try_from(getsockname(&first.socket).expect("a name")).expect("an address");
        assert!(Listener::open(address, OPTIONS).is_ok());
    }

    #[test]
    fn an_address_that_is_listened_at_cannot_be_claimed() {
        let listener = Listener::open(any_port(), OPTIONS).expect("a free port");
        let address = SocketAddr::try_from(getsockname(&listener.socket).expect("a name")).expect("an address");
        assert_eq!(claim(address).expect_err("taken").kind(), io::ErrorKind::AddrInUse);
        drop(listener);
        assert!(claim(address).is_ok());
    }
}
