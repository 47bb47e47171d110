//! CLIENT PAUSE: requests wait, nothing is lost, order is kept.

use locksley_tests::health::Health;
use locksley_tests::limits::SILENCE;
use locksley_tests::server::Launch;

#[test]
fn a_write_pause_holds_writes_back_and_lets_reads_through() {
    let mut server = Launch::subject().shards(2).start();
    let health = Health::of(&server);
    let mut keeper = server.connect();
    let mut writer = server.connect();
    let mut reader = server.connect();
    assert_eq!(keeper.command("CLIENT PAUSE 100000 WRITE").to_string(), "+OK");
    writer.send(&["SET", "key", "value"]).expect("the server reads");
    assert!(writer.read_within(SILENCE).is_err(), "a write goes through during the pause");
    assert_eq!(reader.command("GET key").to_string(), "nil");
    assert_eq!(reader.command("PING").to_string(), "+PONG");
    assert_eq!(keeper.command("CLIENT UNPAUSE").to_string(), "+OK");
    assert_eq!(writer.read().expect("the write goes on").to_string(), "+OK");
    assert_eq!(reader.command("GET key").to_string(), "\"value\"");
    drop((keeper, writer, reader));
    health.assert_back(&mut server);
}

#[test]
fn a_full_pause_holds_reads_back_too() {
    let mut server = Launch::subject().shards(2).start();
    let health = Health::of(&server);
    let mut keeper = server.connect();
    let mut others: Vec<_> = (0..10).map(|_| server.connect()).collect();
    // Even UNPAUSE would have to wait: such a pause ends only by itself.
    assert_eq!(keeper.command("CLIENT PAUSE 3000 ALL").to_string(), "+OK");
    for client in &mut others {
        client.send(&["SET", "key", "value"]).expect("the server reads");
        client.send(&["GET", "key"]).expect("the server reads");
    }
    assert!(others[0].read_within(SILENCE).is_err(), "a request goes through during the pause");
    for client in &mut others {
        assert_eq!(client.read().expect("it goes on").to_string(), "+OK");
        assert_eq!(client.read().expect("it goes on").to_string(), "\"value\"");
    }
    drop((keeper, others));
    health.assert_back(&mut server);
}

#[test]
fn a_pause_ends_by_itself() {
    let mut server = Launch::subject().shards(2).start();
    let health = Health::of(&server);
    let mut keeper = server.connect();
    let mut writer = server.connect();
    assert_eq!(keeper.command("CLIENT PAUSE 50").to_string(), "+OK");
    assert_eq!(writer.command("SET key value").to_string(), "+OK");
    drop((keeper, writer));
    health.assert_back(&mut server);
}

#[test]
fn a_paused_client_may_leave() {
    let mut server = Launch::subject().shards(2).start();
    let health = Health::of(&server);
    let mut keeper = server.connect();
    assert_eq!(keeper.command("CLIENT PAUSE 100000 WRITE").to_string(), "+OK");
    for _ in 0..50 {
        let mut writer = server.connect();
        writer.send(&["SET", "key", "value"]).expect("the server reads");
    }
    assert_eq!(keeper.command("CLIENT UNPAUSE").to_string(), "+OK");
    drop(keeper);
    health.assert_back(&mut server);
}
