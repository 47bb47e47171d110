//! The memcached protocol from outside: Debian's `memcached` as the model, a raw client, and cases as data.

pub mod cases;
pub mod client;
pub mod line;
pub mod oracle;
pub mod player;

pub use client::MemcachedClient;
pub use oracle::Memcached;
