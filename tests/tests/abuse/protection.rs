//! Who may talk to the server: protected mode and passwords.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use locksley_tests::client::Client;
use locksley_tests::server::{Launch, Server};

/// An address of this machine that is not a loopback one, if it has any: the one it would reach others from.
/// Nothing is sent for it.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}

fn from_outside(server: &Server) -> Option<Client> {
    let address = own_address();
    if address.is_none() {
        println!("skipped: the machine has no address but loopback");
    }
    Some(Client::connect(SocketAddr::new(address?, server.port())).expect("the server listens on every address"))
}

#[test]
fn protected_mode_refuses_clients_from_outside() {
    let mut server = Launch::subject().shards(2).flags(["--bind", "0.0.0.0"]).start();
    let Some(mut client) = from_outside(&server) else { return };
    let text = String::from_utf8_lossy(&client.read_to_close()).into_owned();
    assert!(text.starts_with("-DENIED ") && text.contains("protected mode"), "{text}");
    assert!(text.ends_with("\r\n") && text.matches("\r\n").count() == 1, "{text}");
    server.assert_serves();
}

#[test]
fn a_password_lifts_protected_mode() {
    let server = Launch::subject().shards(2).flags(["--bind", "0.0.0.0", "--requirepass", "secret"]).start();
    let Some(mut client) = from_outside(&server) else { return };
    assert_eq!(client.command("PING").to_string(), "-NOAUTH Authentication required.");
    assert_eq!(client.command("AUTH secret").to_string(), "+OK");
    assert_eq!(client.command("PING").to_string(), "+PONG");
}

#[test]
fn protected_mode_can_be_switched_off() {
    let server = Launch::subject().shards(2).flags(["--bind", "0.0.0.0", "--protected-mode", "no"]).start();
    let Some(mut client) = from_outside(&server) else { return };
    assert_eq!(client.command("PING").to_string(), "+PONG");
    assert_eq!(server.connect().command("CONFIG SET protected-mode yes").to_string(), "+OK");
    let mut later = from_outside(&server).expect("the machine still has its address");
    assert!(String::from_utf8_lossy(&later.read_to_close()).starts_with("-DENIED "));
}

#[test]
fn only_loopback_is_listened_on_by_default() {
    let server = Launch::subject().shards(2).start();
    let Some(address) = own_address() else {
        println!("skipped: the machine has no address but loopback");
        return;
    };
    if server.kind() == locksley_tests::binary::Kind::Redis {
        println!("skipped: redis-server without a file listens everywhere");
        return;
    }
    assert!(Client::connect(SocketAddr::new(address, server.port())).is_err());
}
