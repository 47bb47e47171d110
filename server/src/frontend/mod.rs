//! Bytes to requests: one file for each protocol that clients speak.

pub(crate) mod refusal;
pub(crate) mod resp;
