//! The shards as the nodes of a Redis Cluster, seen with the raw client.

use std::net::{Ipv4Addr, SocketAddr};

use locksley_tests::client::Client;

use crate::{shard_ports, start_cluster};

fn connect(port: u16) -> Client {
    Client::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).expect("a shard takes connections")
}

#[test]
fn a_shard_port_serves_its_slots_and_points_to_the_others() {
    let Some(server) = start_cluster() else { return };
    let ports = shard_ports(&server);
    let mut shared = server.connect();
    let mut shards: Vec<Client> = ports.iter().map(|port| connect(*port)).collect();
    let (mut own_count, mut moved_count) = (0, 0);
    for number in 0..100 {
        let key = format!("key:{number}");
        let slot = shared.call(&["CLUSTER", "KEYSLOT", &key]).integer();
        let owner = ports[(slot * ports.len() as i64 / 16_384) as usize];
        for (port, client) in ports.iter().zip(&mut shards) {
            let reply = client.call(&["SET", &key, "value"]).to_string();
            if *port == owner {
                assert_eq!(reply, "+OK", "{key} at {port}");
                own_count += 1;
            } else {
                assert_eq!(reply, format!("-MOVED {slot} 127.0.0.1:{owner}"), "{key} at {port}");
                moved_count += 1;
            }
        }
        assert_eq!(shared.call(&["GET", &key]).to_string(), "\"value\"", "the shared port takes every key");
    }
    assert_eq!((own_count, moved_count), (100, 100));
}

#[test]
fn keys_of_several_slots_do_not_go_together_on_a_shard_port() {
    let Some(server) = start_cluster() else { return };
    let mut client = connect(shard_ports(&server)[0]);
    let reply = client.command("MSET a 1 b 2").to_string();
    assert_eq!(reply, "-CROSSSLOT Keys in request don't hash to the same slot");
    assert_eq!(server.connect().command("MSET a 1 b 2").to_string(), "+OK");
    let tagged = client.command("MSET {tag}a 1 {tag}b 2").to_string();
    assert!(tagged == "+OK" || tagged.starts_with("-MOVED 8338 "), "{tagged}");
}

#[test]
fn slots_shards_and_nodes_tell_the_same() {
    let Some(server) = start_cluster() else { return };
    let ports = shard_ports(&server);
    let mut client = server.connect();
    let nodes = client.command("CLUSTER NODES").text().expect("a text");
    assert_eq!(nodes.lines().count(), ports.len(), "{nodes}");
    let mut covered = 0;
    for range in client.command("CLUSTER SLOTS").elements() {
        let [first, last, node, ..] = range.elements() else { panic!("a range is first, last, node: {range}") };
        let port = node.elements()[1].integer();
        let id = node.elements()[2].text().expect("a node has an id");
        assert_eq!(id.len(), 40, "{id}");
        let line = nodes.lines().find(|line| line.starts_with(&id)).expect("CLUSTER NODES knows the node");
        assert!(line.contains(&format!("127.0.0.1:{port}@")), "{line}");
        assert!(line.ends_with(&format!(" connected {first}-{last}").replace(':', "")), "{line}");
        covered += last.integer() - first.integer() + 1;
    }
    assert_eq!(covered, 16_384);
    for port in &ports {
        let mut shard = connect(*port);
        let id = shard.command("CLUSTER MYID").text().expect("a text");
        let own = shard.command("CLUSTER NODES").text().expect("a text");
        let line = own.lines().find(|line| line.contains("myself")).expect("a node knows itself");
        assert!(line.starts_with(&id) && line.contains(&format!(":{port}@")), "{line}");
    }
}
