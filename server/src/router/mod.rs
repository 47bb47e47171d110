//! From a request to the shards that own its keys, and from their answers to one reply.
//!
//! This room holds what is under way between shards: parcels on their way, replies being gathered, keys that are
//! locked. It touches neither sockets nor the shard; the turn loop does.

pub(crate) mod atomic;
pub(crate) mod gather;
pub(crate) mod locks;
pub(crate) mod parcel;
pub(crate) mod post;
pub(crate) mod route;
