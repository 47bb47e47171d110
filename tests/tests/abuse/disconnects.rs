//! Clients that leave at the worst moment.

use locksley_tests::client::request;
use locksley_tests::health::Health;
use locksley_tests::server::Launch;
use locksley_tests::wait::until;

#[test]
fn a_client_may_leave_in_the_middle_of_a_request() {
    let mut server = Launch::subject().shards(2).start();
    let health = Health::of(&server);
    let bytes = request(&["SET", "key", "a value that is never complete"]);
    for cut in 1..bytes.len() {
        let mut client = server.connect();
        client.send_raw(&bytes[..cut]).expect("the server reads");
    }
    assert_eq!(server.connect().command("EXISTS key").to_string(), ":0");
    health.assert_back(&mut server);
}

#[test]
fn a_client_may_leave_in_the_middle_of_a_long_argument() {
    let mut server = Launch::subject().shards(2).start();
    let health = Health::of(&server);
    for _ in 0..20 {
        let mut client = server.connect();
        client.send_raw(b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$10000000\r\n").expect("the server reads");
        client.send_raw(&vec![b'x'; 1_000_000]).expect("the server reads");
    }
    assert_eq!(server.connect().command("EXISTS key").to_string(), ":0");
    health.assert_back(&mut server);
}

#[test]
fn a_client_may_leave_before_it_reads_its_replies() {
    let mut server = Launch::subject().shards(2).start();
    let health = Health::of(&server);
    let value = vec![b'x'; 1_000_000];
    assert_eq!(server.connect().call(&[b"SET", b"key".as_slice(), &value]).to_string(), "+OK");
    for _ in 0..50 {
        let mut client = server.connect();
        client.send_raw(&request(&["GET", "key"]).repeat(20)).expect("the server reads");
        // Closing with unread bytes resets the connection under the server's writes.
        client.receive(locksley_tests::limits::PATIENCE).expect("the first bytes come");
    }
    health.assert_back(&mut server);
}

#[test]
fn a_client_that_stops_sending_still_gets_its_replies() {
    let mut server = Launch::subject().shards(2).start();
    let health = Health::of(&server);
    for count in [1, 10, 1_000] {
        let mut client = server.connect();
        let bytes: Vec<u8> = (0..count).flat_map(|index| request(&["ECHO".to_owned(), index.to_string()])).collect();
        client.send_raw(&bytes).expect("the server reads");
        client.finish_sending().expect("a socket has two directions");
        for index in 0..count {
            assert_eq!(client.read().expect("a reply comes").text(), Some(index.to_string()));
        }
        assert!(client.read_to_close().is_empty());
    }
    health.assert_back(&mut server);
}

#[test]
fn a_client_killed_in_its_own_pipeline_gets_no_further_replies() {
    let mut server = Launch::subject().shards(2).start();
    let health = Health::of(&server);
    let mut client = server.connect();
    let id = client.command("CLIENT ID").to_string();
    let kill = request(&["CLIENT", "KILL", "ID", &id[1..], "SKIPME", "no"]);
    client.send_raw(&[kill, request(&["SET", "after", "the end"])].concat()).expect("the server reads");
    assert_eq!(String::from_utf8_lossy(&client.read_to_close()), ":1\r\n");
    assert_eq!(server.connect().command("EXISTS after").to_string(), ":0");
    health.assert_back(&mut server);
}

#[test]
fn a_client_that_quits_in_its_pipeline_gets_no_further_replies() {
    let mut server = Launch::subject().shards(2).start();
    let health = Health::of(&server);
    let mut client = server.connect();
    let bytes = [request(&["PING"]), request(&["QUIT"]), request(&["SET", "after", "the end"])].concat();
    client.send_raw(&bytes).expect("the server reads");
    assert_eq!(String::from_utf8_lossy(&client.read_to_close()), "+PONG\r\n+OK\r\n");
    assert_eq!(server.connect().command("EXISTS after").to_string(), ":0");
    health.assert_back(&mut server);
}

#[test]
fn many_clients_can_be_killed_at_work() {
    let mut server = Launch::subject().shards(2).start();
    let health = Health::of(&server);
    let value = vec![b'x'; 100_000];
    let mut killer = server.connect();
    assert_eq!(killer.call(&[b"SET", b"key".as_slice(), &value]).to_string(), "+OK");
    let mut crowd: Vec<_> = (0..100).map(|_| server.connect()).collect();
    for client in &mut crowd {
        client.send_raw(&request(&["GET", "key"]).repeat(100)).expect("the server reads");
    }
    until("every other client is killed", || {
        killer.command("CLIENT KILL TYPE normal SKIPME yes");
        killer.info_number("connected_clients") == 1
    });
    for client in &mut crowd {
        client.read_to_close();
    }
    drop(killer);
    health.assert_back(&mut server);
}
