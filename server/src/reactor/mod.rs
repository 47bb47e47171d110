//! What stands between a data thread and the kernel: the ring and its buffers, sockets, connections, and the
//! mesh that joins the threads.
//!
//! This room moves bytes and knows no protocol. Unsafe code is in `ring.rs`, `buffers.rs` and `spsc.rs` only.

pub(crate) mod buffers;
pub(crate) mod connection;
pub(crate) mod held;
pub(crate) mod holes;
pub(crate) mod limits;
pub(crate) mod listener;
pub(crate) mod mesh;
pub(crate) mod ring;
pub(crate) mod spsc;
