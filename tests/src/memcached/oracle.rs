//! Debian's `memcached` as a process of its own, the model of the memcached door.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};

use rustix::process::geteuid;

use super::MemcachedClient;
use crate::binary::installed;
use crate::server::free_port;
use crate::wait::until_some;

/// A running `memcached`; killed when the value is dropped.
#[derive(Debug)]
pub struct Memcached {
    child: Child,
    port: u16,
}

impl Memcached {
    /// Starts one with these further words on its command line, and waits until it takes connections.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub fn start<S: AsRef<str>>(flags: &[S]) -> Self {
        /// Ports that are tried: a free one may be taken before memcached binds it.
        const TRIES: usize = 5;
        (0..TRIES).find_map(|_| Self::try_start(flags)).unwrap_or_else(|| panic!("memcached does not start"))
    }

    fn try_start<S: AsRef<str>>(flags: &[S]) -> Option<Self> {
        let port = free_port();
        let mut command = Command::new(installed("memcached"));
        command.args(["-l", "127.0.0.1", "-p", &port.to_string(), "-U", "0", "-t", "2"]);
        if geteuid().is_root() {
            command.args(["-u", "root"]);
        }
        command.args(flags.iter().map(AsRef::as_ref));
        let child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().expect("memcached runs");
        let mut memcached = Self { child, port };
        until_some("memcached takes connections", || {
            if memcached.child.try_wait().expect("the child can be waited for").is_some() {
                return Some(false);
            }
            MemcachedClient::connect(memcached.address()).is_ok().then_some(true)
        })
        .then_some(memcached)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }
}

impl Drop for Memcached {
    fn drop(&mut self) {
        // Killing a process that has just ended fails, and there is nothing else to do about it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
