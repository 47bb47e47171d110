//! Locksley server.
fn main() {}
