//! More connections than there is room for.

use locksley_tests::binary::Kind;
use locksley_tests::client::Client;
use locksley_tests::health::Health;
use locksley_tests::process::allow_all_descriptors;
use locksley_tests::server::Launch;
use locksley_tests::wait::until;

use crate::is_redis;

#[test]
fn two_thousand_idle_connections_are_held() {
    const CONNECTIONS: usize = 2_000;
    let allowed = allow_all_descriptors();
    assert!(allowed > 2 * CONNECTIONS as u64, "the machine allows {allowed} descriptors; raise its hard limit");
    let mut server = Launch::subject().shards(2).start();
    let health = Health::of(&server);
    let mut crowd: Vec<Client> = (0..CONNECTIONS).map(|_| server.connect()).collect();
    for client in &mut crowd {
        assert_eq!(client.command("PING").to_string(), "+PONG");
    }
    let mut witness = server.connect();
    until("all are counted", || witness.info_number("connected_clients") == CONNECTIONS as i64 + 1);
    for (index, client) in crowd.iter_mut().enumerate().step_by(7) {
        assert_eq!(client.command(&format!("SET key:{index} {index}")).to_string(), "+OK");
    }
    drop((crowd, witness));
    health.assert_back(&mut server);
}

#[test]
fn clients_beyond_maxclients_are_told_and_closed() {
    let mut server = Launch::subject().shards(2).flags(["--maxclients", "5"]).start();
    let health = Health::of(&server);
    server.wait_for_clients_to_go();
    let mut crowd: Vec<Client> = (0..5).map(|_| server.connect()).collect();
    for client in &mut crowd {
        assert_eq!(client.command("PING").to_string(), "+PONG");
    }
    for _ in 0..20 {
        let got = server.connect().read_to_close();
        assert_eq!(String::from_utf8_lossy(&got), "-ERR max number of clients reached\r\n");
    }
    let rejected = crowd[0].info_number("rejected_connections");
    assert_eq!(rejected, 20);
    drop(crowd);
    until("a place is free again", || {
        let mut client = server.connect();
        client.send(&["PING"]).is_ok() && client.read().is_ok_and(|reply| reply.to_string() == "+PONG")
    });
    health.assert_back(&mut server);
}

#[test]
fn each_door_tells_clients_beyond_maxclients_in_its_own_words() {
    if is_redis() {
        return;
    }
    let mut server = Launch::subject().memcached().http().shards(2).flags(["--maxclients", "3"]).start();
    let health = Health::of(&server);
    server.wait_for_clients_to_go();
    let mut memcached = server.connect_memcached();
    assert_eq!(memcached.command("mn"), "MN");
    let mut http = server.connect_http();
    assert_eq!(http.get("/healthz").status, 200);
    let mut resp = server.connect();
    assert_eq!(resp.command("PING").to_string(), "+PONG");
    for _ in 0..10 {
        assert_eq!(server.connect_memcached().line(), "ERROR Too many open connections");
        let mut refused = server.connect_http();
        let response = refused.response_to("GET");
        assert_eq!((response.status, response.field("connection")), (503, Some("close")), "{response:?}");
        assert!(response.field("retry-after").is_some(), "{response:?}");
    }
    drop((memcached, http, resp));
    until("a place is free again", || {
        let mut client = server.connect();
        client.send(&["PING"]).is_ok() && client.read().is_ok_and(|reply| reply.to_string() == "+PONG")
    });
    health.assert_back(&mut server);
}

#[test]
fn running_out_of_descriptors_ends_nothing() {
    let mut server = Launch::subject().shards(2).descriptors(100).start();
    let health = Health::of(&server);
    let mut first = server.connect();
    assert_eq!(first.command("SET key value").to_string(), "+OK");
    // Connections that the server cannot take wait in the kernel or are refused; neither may hurt the others.
    let crowd: Vec<Client> = (0..300).filter_map(|_| Client::connect(server.address()).ok()).collect();
    for _ in 0..100 {
        assert_eq!(first.command("GET key").to_string(), "\"value\"");
    }
    drop(crowd);
    until("there is room again", || {
        let Ok(mut client) = Client::connect(server.address()) else { return false };
        client.send(&["PING"]).is_ok() && client.read().is_ok_and(|reply| reply.to_string() == "+PONG")
    });
    drop(first);
    health.assert_back(&mut server);
}

#[test]
fn connections_that_come_and_go_leave_nothing() {
    let mut server = Launch::subject().shards(2).start();
    let health = Health::of(&server);
    for round in 0..3_000 {
        let mut client = server.connect();
        if round % 3 == 0 {
            assert_eq!(client.command("PING").to_string(), "+PONG");
        }
    }
    health.assert_back(&mut server);
    if server.kind() == Kind::Locksley {
        let mut client = server.connect();
        until("every connection was counted", || client.info_number("total_connections_received") >= 3_000);
    }
}
