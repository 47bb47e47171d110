//! Bytes to requests: one file for each protocol that clients speak.

pub(crate) mod batch;
pub(crate) mod http;
pub(crate) mod memcached;
pub(crate) mod refusal;
pub(crate) mod resp;
