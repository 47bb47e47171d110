//! What application caches need, against server processes: leases, notes of absence, deletion by prefix, locks, limits.
//!
//! | file | what it shows |
//! |---|---|
//! | `replies` | the case files `cache-*.cases` again, with replies held until they are durable, and at the port of a shard |
//! | `leases` | who waits for a value: served in order, whoever goes, whatever comes behind in the pipeline |
//! | `locks` | a fair queue, tokens that only grow |
//! | `prefixes` | nobody reads what was written before a DELPREFIX, at no door and no port |
//! | `ttl` | the settings about times to live, at every door |
//! | `doors` | notes of absence and values in their grace, as memcached and HTTP show them |
//! | `restarts` | what lasts through SHUTDOWN, kill -9 and another number of shards, and what does not |
//! | `bounds` | a full disk, a full memory, ten thousand waiters, spoiled requests |
//!
//! Every test runs with one shard and with two, and with replies held until they are durable, and comes in by the port that
//! takes every key as well as by those of the shards.

mod bounds;
mod doors;
mod leases;
mod locks;
mod prefixes;
mod replies;
mod restarts;
mod ttl;

use std::net::{Ipv4Addr, SocketAddr};

use locksley_tests::binary::{Kind, subject};
use locksley_tests::client::Client;
use locksley_tests::client::NoReply;
use locksley_tests::limits::SILENCE;
use locksley_tests::reply::Reply;
use locksley_tests::server::{Launch, Server};
use locksley_tests::wait::until;

/// Shards and policy of the servers that most tests run with; no policy is no log.
const SERVERS: [(u32, Option<&str>); 3] = [(1, None), (2, None), (2, Some("always"))];

/// So long that no test sees its end, in milliseconds.
const LONG: &str = "3600000";

/// Connections by the port that takes every key: enough that each shard's thread gets one, or nearly so.
const MAIN_WAYS: usize = 4;

/// A server with all doors, and a port for each shard.
fn launch(shards: u32, policy: Option<&str>) -> Launch {
    let launch = Launch::subject().memcached().http().shards(shards).flags(["--cluster-announce-shards", "yes"]);
    match policy {
        None => launch,
        Some(policy) => launch.durable(policy).flags(["--wal-segment-size", "1mb"]),
    }
}

/// Runs `check` against each kind of server.
fn with_servers(check: impl Fn(&Server)) {
    if is_redis() {
        return;
    }
    for (shards, policy) in SERVERS {
        println!("{shards} shards, {policy:?}");
        let mut server = launch(shards, policy).start();
        check(&server);
        server.assert_lives();
    }
}

/// The port of the shard that owns `key`.
fn shard_port_of(server: &Server, key: &str) -> u16 {
    let mut client = server.connect();
    let slot = client.call(&["CLUSTER", "KEYSLOT", key]).integer();
    let ranges = client.command("CLUSTER SLOTS");
    ranges
        .elements()
        .iter()
        .map(Reply::elements)
        .find(|range| (range[0].integer()..=range[1].integer()).contains(&slot))
        .map(|range| range[2].elements()[1].integer() as u16)
        .expect("every slot has an owner")
}

/// Connects to a port of the server.
fn connect_to(port: u16) -> Client {
    Client::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).expect("the server takes connections")
}

/// Connections that reach `key` from the threads of all shards: by the port that takes every key, of whose connections the
/// kernel gives one to any thread, and by the port of the owner.
fn ways_to(server: &Server, key: &str) -> Vec<Client> {
    let owner = shard_port_of(server, key);
    (0..MAIN_WAYS).map(|_| server.connect()).chain([connect_to(owner), connect_to(owner)]).collect()
}

/// Waits until so many requests wait in the server.
fn until_waiting(server: &Server, count: usize) {
    let mut client = server.connect();
    until(&format!("{count} requests wait"), || client.info_number("waiters") == count as i64);
}

/// Takes a lease; gives its token.
fn win(client: &mut Client, key: &str) -> i64 {
    token_of(&client.call(&["GETL", key, LONG]))
}

/// The token of a reply that says `win`.
fn token_of(reply: &Reply) -> i64 {
    match reply {
        Reply::Array(nodes) if nodes.len() == 3 && nodes[0].text().as_deref() == Some("win") => nodes[1].integer(),
        other => panic!("a lease was expected, not {other}"),
    }
}

/// Sends a request whose reply is read later.
fn send(client: &mut Client, line: &str) {
    client.send(&line.split(' ').collect::<Vec<_>>()).expect("the server reads");
}

/// The next reply, in the notation of the case files.
fn read(client: &mut Client) -> String {
    client.read().unwrap_or_else(|error| panic!("a reply was expected: {error}")).to_string()
}

/// Asserts that nothing was sent to a client.
fn assert_silent(client: &mut Client) {
    match client.read_within(SILENCE) {
        Err(NoReply::Silent) => {}
        other => panic!("nothing was expected, not {other:?}"),
    }
}

/// Whether the program under test is `redis-server`, which has none of this; says so.
fn is_redis() -> bool {
    let is_redis = subject().0 == Kind::Redis;
    if is_redis {
        println!("skipped: redis-server has no leases");
    }
    is_redis
}
