//! What the whole-system suites are made of: server processes, a raw client, and cases as data.
//!
//! The suites in `tests/tests/` drive real processes from outside, through sockets, files and signals. Nothing
//! here uses the server's own crates, so a mistake in the protocol code cannot hide behind itself:
//!
//! - [`binary`] finds the programs under test, [`server`] runs them in a directory of their own,
//! - [`client`] sends bytes and reads [`reply`] trees, in RESP2 and RESP3,
//! - [`pattern`] says what a reply has to look like, [`cases`] reads the files of `tests/conformance/`,
//!   [`runner`] plays them against a server and [`record`] fills in what Debian's `redis-server` answers,
//! - [`options`] are the words of the programs that play cases by hand,
//! - [`connection`] is a socket read by lines, [`memcached`] speaks and judges that protocol with Debian's
//!   `memcached` as the model, [`http`] speaks HTTP/1.1,
//! - [`directory`] is where a server runs, [`mount`] a file system that fills up or loses its power,
//! - [`ledger`] knows what a server acknowledged, [`workload`] are clients that change everything at random,
//! - [`health`] compares a server before and after it was ill-treated,
//! - [`process`] and [`wait`] look at a process from outside and wait for conditions,
//! - [`python`] runs programs of this repository in the environment of `tests/.venv`,
//! - [`seed`] is the randomness of the random suites, replayable by its seed.

pub mod binary;
pub mod cases;
pub mod client;
pub mod connection;
pub mod directory;
pub mod health;
pub mod http;
pub mod ledger;
pub mod limits;
pub mod memcached;
pub mod mount;
pub mod options;
pub mod pattern;
pub mod process;
pub mod python;
pub mod record;
pub mod reply;
pub mod runner;
pub mod seed;
pub mod server;
pub mod text;
pub mod wait;
pub mod workload;
