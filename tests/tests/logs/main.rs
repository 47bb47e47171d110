//! What the server says of itself: its log, what a crash leaves, and the doctor.
//!
//! | file | what it shows |
//! |---|---|
//! | `lines` | the banner, levels at run time, JSON, a flood that is limited and counted, nothing of users |
//! | `outlets` | a file that is moved away, a full disk, a standard output that nobody reads |
//! | `crashes` | a report with what is needed and nothing of users; where it goes when the directory takes none |
//! | `doctor` | a line for each thing, what is bad, the exit status |

mod crashes;
mod doctor;
mod lines;
mod outlets;

use std::fs;
use std::path::Path;

use locksley_tests::binary::{Kind, subject};
use locksley_tests::client::Client;
use locksley_tests::server::{Launch, Server};
use locksley_tests::wait::until;

/// A word that stands in keys, values, arguments and passwords, and nowhere else.
const PLANTED: &str = "planted-by-a-user";

/// Whether the subject is the model, which has none of this; then a test is over.
fn is_redis() -> bool {
    let is_redis = subject().0 == Kind::Redis;
    if is_redis {
        println!("skipped: redis-server logs as it likes");
    }
    is_redis
}

/// A server that logs to the file `name` in its own directory.
fn start_with_file(launch: Launch, name: &Path) -> Server {
    let path = name.to_str().expect("the name is text");
    let mut server = launch.flags(["--logfile", path]).spawn();
    until("the server answers", || {
        server.assert_lives();
        Client::connect(server.address()).is_ok_and(|mut client| client.command("PING").to_string() == "+PONG")
    });
    server
}

/// The text of a file, or nothing.
fn text_of(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// Sets a setting, which is refused never.
fn configure(client: &mut Client, name: &str, value: &str) {
    assert_eq!(client.call(&["CONFIG", "SET", name, value]).to_string(), "+OK", "{name} {value}");
}

/// Makes the server warn of an attack: it closes who speaks HTTP at the wrong door.
fn warn(server: &Server) {
    let mut stranger = server.connect();
    stranger.send(&["POST", "/"]).expect("the server reads");
    stranger.read_to_close();
}

/// What a warned server says.
const WARNING: &str = "Possible SECURITY ATTACK";
