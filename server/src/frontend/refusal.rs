//! Why a request is refused before its command runs, in Redis's words.

use crate::client::Door;
use crate::command::failure::Failure;
use crate::command::row::{Args, Command};
use crate::command::table::Entry;

/// Bytes of a name or of arguments that an error quotes at most.
const QUOTED_BYTES_MAX: usize = 128;

/// The client has not said its password.
pub(crate) const NO_AUTH: Failure = Failure::fixed("NOAUTH Authentication required.");

/// What a client of `door` hears that is one too many.
pub(crate) fn too_many_clients(door: Door) -> &'static [u8] {
    match door {
        Door::Shared | Door::Shard => b"-ERR max number of clients reached\r\n",
        Door::Memcached => b"ERROR Too many open connections\r\n",
        Door::Http => {
            b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: 43\r\nRetry-After: 1\r\nConnection: close\r\n\r\n\
            {\"error\":\"the limit of clients is reached\"}"
        }
    }
}

/// What a client of `door` from elsewhere hears when there is no password.
pub(crate) fn protected(door: Door) -> &'static [u8] {
    match door {
        Door::Shared | Door::Shard => PROTECTED,
        Door::Memcached => {
            b"SERVER_ERROR protected mode: without a password only clients of this machine are served\r\n"
        }
        Door::Http => {
            b"HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: 70\r\nConnection: close\r\n\r\n\
            {\"error\":\"without a password only clients of this machine are served\"}"
        }
    }
}

/// What an HTTP client hears whose request takes too long to arrive.
pub(crate) const REQUEST_TIMEOUT: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nContent-Type: application/json\r\nContent-Length: 47\r\nConnection: close\r\n\r\n\
      {\"error\":\"the request took too long to arrive\"}";

const PROTECTED: &[u8] = b"-DENIED Redis is running in protected mode because protected mode is enabled and \
no password is set for the default user. In this mode connections are only accepted from the loopback interface. If \
you want to connect from external computers to Redis you may adopt one of the following solutions: 1) Just disable \
protected mode sending the command 'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis \
from the same host the server is running, however MAKE SURE Redis is not publicly accessible from internet if you do \
so. Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable the protected mode by \
editing the Redis configuration file, and setting the protected mode option to 'no', and then restarting the server. \
3) If you started the server manually just for testing, restart it with the '--protected-mode no' option. 4) Setup a \
an authentication password for the default user. NOTE: You only need to do one of the above things in order for the \
server to start accepting connections from the outside.\r\n";

/// There is no such command; the text is bytes, because it quotes the client's.
#[cold]
pub(crate) fn unknown_command(args: Args<'_>) -> Vec<u8> {
    let mut quoted = Vec::new();
    for argument in &args[1..] {
        if quoted.len() >= QUOTED_BYTES_MAX {
            break;
        }
        let text = quote(argument, QUOTED_BYTES_MAX - quoted.len());
        quoted.extend_from_slice(&[b"'", text, b"' "].concat());
    }
    let name = quote(args[0], QUOTED_BYTES_MAX);
    [b"ERR unknown command '", name, b"', with args beginning with: ", &quoted].concat()
}

/// The container has no such subcommand.
#[cold]
pub(crate) fn unknown_subcommand(container: &Command, args: Args<'_>) -> Vec<u8> {
    match args.get(1) {
        Some(name) => {
            let name = quote(name, QUOTED_BYTES_MAX);
            let container = container.name.to_uppercase();
            [b"ERR unknown subcommand '", name, b"'. Try ", container.as_bytes(), b" HELP."].concat()
        }
        None => wrong_count(container.name).text().as_bytes().to_vec(),
    }
}

/// The command takes another number of arguments.
#[cold]
pub(crate) fn wrong_argument_count(entry: Entry) -> Failure {
    wrong_count(&entry.full_name())
}

fn wrong_count(name: &str) -> Failure {
    Failure::new(format_args!("ERR wrong number of arguments for '{name}' command"))
}

/// Whether the first word is how HTTP opens: a browser that was made to send commands in a request's body.
#[cold]
pub(crate) fn is_http(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:")
}

/// The bytes up to a zero byte, as the C of Redis prints them.
fn quote(bytes: &[u8], bytes_max: usize) -> &[u8] {
    let bytes = &bytes[..bytes.len().min(bytes_max)];
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    &bytes[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_clients_are_told_in_json_of_the_right_length() {
        for response in [too_many_clients(Door::Http), protected(Door::Http), REQUEST_TIMEOUT] {
            let text = str::from_utf8(response).expect("a response of text");
            let (head, body) = text.split_once("\r\n\r\n").expect("a response has a head");
            assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())), "{text}");
            assert!(body.starts_with("{\"error\":\"") && body.ends_with("\"}"), "{text}");
        }
    }

    #[test]
    fn an_unknown_command_is_quoted_with_its_arguments() {
        let cases: [(&[&[u8]], &str); 3] = [
            (&[b"foo"], "ERR unknown command 'foo', with args beginning with: "),
            (&[b"foo", b"a", b"b"], "ERR unknown command 'foo', with args beginning with: 'a' 'b' "),
            (&[b"fo\0o"], "ERR unknown command 'fo', with args beginning with: "),
        ];
        for (args, expected) in cases {
            assert_eq!(unknown_command(args), expected.as_bytes());
        }
    }

    #[test]
    fn no_more_than_the_first_arguments_are_quoted() {
        let long = [b'x'; 200];
        let text = unknown_command(&[b"foo", &long, b"more"]);
        assert!(text.ends_with(format!("'{}' ", "x".repeat(QUOTED_BYTES_MAX)).as_bytes()));
    }
}
