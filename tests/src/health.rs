//! What a server has to be like after it was ill-treated: it serves, the clients are gone, the memory is back.
//!
//! Memory is compared with slack, because no server gives back every byte at once: buffers are kept for the next
//! client, and the process's allocator keeps pages of its own.

use crate::limits::{RESIDENT_SLACK_BYTES, USED_SLACK_BYTES};
use crate::process::resident_bytes;
use crate::server::Server;
use crate::wait::{until, until_or};

/// What a server used before it was ill-treated.
#[derive(Clone, Copy, Debug)]
pub struct Health {
    used_bytes: i64,
    resident_bytes: u64,
}

impl Health {
    /// Looks at a server that is well.
    pub fn of(server: &Server) -> Self {
        let used_bytes = server.connect().info_number("used_memory");
        Self { used_bytes, resident_bytes: resident_bytes(server.pid()) }
    }

    /// Asserts that the server is as well as then, once everything has been cleaned up.
    ///
    /// # Panics
    ///
    /// If it is not.
    pub fn assert_back(self, server: &mut Server) {
        server.assert_serves();
        server.wait_for_clients_to_go();
        let mut client = server.connect();
        // Connections that waited in the kernel may come, one last time, to be gone at once.
        until("there is room for a client", || {
            let reply = client.send(&["FLUSHALL"]).ok().and_then(|()| client.read().ok());
            let is_in = reply.is_some_and(|reply| reply.to_string() == "+OK");
            if !is_in {
                client = server.connect();
            }
            is_in
        });
        let used_limit = self.used_bytes + USED_SLACK_BYTES;
        let mut used = 0;
        until_or(
            || {
                used = client.info_number("used_memory");
                used <= used_limit
            },
            || format!("used_memory is back under {used_limit} (it was {})", self.used_bytes),
        );
        let resident_limit = self.resident_bytes + RESIDENT_SLACK_BYTES;
        until_or(
            || resident_bytes(server.pid()) <= resident_limit,
            || {
                let now = resident_bytes(server.pid());
                format!("resident memory is back under {resident_limit} (it was {}, it is {now})", self.resident_bytes)
            },
        );
        server.assert_serves();
    }
}
