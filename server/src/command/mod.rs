//! The commands: one row and one handler each, grouped in folders as the manual groups them.
//!
//! A handler sees the thread it runs on and who calls ([`Context`](context::Context)), the arguments, and a
//! reply to write. It knows neither sockets nor which thread the client is connected to; the router brings
//! it to the shard that owns its keys.

pub(crate) mod batch;
pub(crate) mod bits;
pub(crate) mod cache;
pub(crate) mod cluster;
pub(crate) mod connection;
pub(crate) mod context;
pub(crate) mod dialect;
#[cfg(test)]
mod docs;
pub(crate) mod effect;
pub(crate) mod execute;
pub(crate) mod expire_options;
pub(crate) mod failure;
pub(crate) mod help;
pub(crate) mod hints;
pub(crate) mod join;
pub(crate) mod keys;
pub(crate) mod lease;
pub(crate) mod memcached;
pub(crate) mod number;
pub(crate) mod park;
pub(crate) mod readable;
pub(crate) mod rest;
pub(crate) mod row;
pub(crate) mod server;
pub(crate) mod string_length;
pub(crate) mod string_value;
pub(crate) mod strings;
pub(crate) mod syntax;
pub(crate) mod table;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod wait;
