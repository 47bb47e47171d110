//! Ill-treatment that a server has to survive, and be well after.
//!
//! Each test starts a server of its own, treats it badly, and then asserts that it serves, that the clients are
//! gone and that the memory is back ([`Health`](locksley_tests::health::Health)).

mod crowds;
mod disconnects;
mod frames;
mod giants;
mod pauses;
mod pipelines;
mod protection;
mod silence;
mod stops;
