//! Commands about the connection itself.

mod auth;
mod client;
mod echo;
mod hello;
pub(crate) mod password;
mod ping;
mod quit;
mod reset;
mod select;

use super::row::{Command, Flags};

/// What most commands of the group are: quick, and allowed whenever a client may connect.
const ALWAYS: Flags = Flags::NOSCRIPT.union(Flags::LOADING).union(Flags::STALE).union(Flags::FAST);

/// The group's rows.
pub(super) static COMMANDS: &[&Command] = &[
    &auth::AUTH,
    &client::CLIENT,
    &echo::ECHO,
    &hello::HELLO,
    &ping::PING,
    &quit::QUIT,
    &reset::RESET,
    &select::SELECT,
];
