//! Which clients a command means: by type, by number, by the options of CLIENT KILL.

use locksley_engine::Millis;
use locksley_wire::number::parse_i64;

use crate::client::{Client, ClientId};
use crate::command::failure::Failure;

/// The type of a client; only the first one ever connects to this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientType {
    /// One that sends requests, monitors included.
    Normal,
    /// The server this one copies from.
    Master,
    /// A server that copies from this one.
    Replica,
    /// One that listens to channels.
    Pubsub,
}

impl ClientType {
    /// The type called `name`.
    pub(super) fn from_name(name: &[u8]) -> Result<ClientType, Failure> {
        let is = |word: &str| name.eq_ignore_ascii_case(word.as_bytes());
        match () {
            () if is("normal") => Ok(ClientType::Normal),
            () if is("master") => Ok(ClientType::Master),
            () if is("replica") || is("slave") => Ok(ClientType::Replica),
            () if is("pubsub") => Ok(ClientType::Pubsub),
            () => Err(Failure::new(format_args!("ERR Unknown client type '{}'", String::from_utf8_lossy(name)))),
        }
    }
}

/// What a client has to be to be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Selection<'a> {
    /// Its number.
    pub id: Option<ClientId>,
    /// Its type.
    pub client_type: Option<ClientType>,
    /// Where it came from, `127.0.0.1:50000`.
    pub address: Option<&'a [u8]>,
    /// Where it came to.
    pub local_address: Option<&'a [u8]>,
    /// For how long it has been connected, in seconds.
    pub age_seconds_min: Option<u64>,
    /// Whether the caller is never chosen.
    pub skips_caller: bool,
}

const BAD_ID: Failure = Failure::fixed("ERR client-id should be greater than 0");
const BAD_AGE: Failure = Failure::fixed("ERR maxage is not an integer or out of range");
const AGE_NOT_POSITIVE: Failure = Failure::fixed("ERR maxage should be greater than 0");

impl<'a> Selection<'a> {
    /// The one client that came from `address`, the caller included.
    pub(super) fn of_address(address: &'a [u8]) -> Selection<'a> {
        Selection {
            id: None,
            client_type: None,
            address: Some(address),
            local_address: None,
            age_seconds_min: None,
            skips_caller: false,
        }
    }

    /// Reads pairs of option and value.
    pub(super) fn parse(options: &[&'a [u8]]) -> Result<Selection<'a>, Failure> {
        let mut selection = Selection { address: None, skips_caller: true, ..Selection::of_address(b"") };
        for pair in options.chunks(2) {
            let [option, value] = *pair else { return Err(Failure::SYNTAX) };
            selection.read(option, value)?;
        }
        Ok(selection)
    }

    fn read(&mut self, option: &[u8], value: &'a [u8]) -> Result<(), Failure> {
        let is = |word: &str| option.eq_ignore_ascii_case(word.as_bytes());
        if is("id") {
            let id = parse_i64(value).filter(|id| *id > 0).ok_or(BAD_ID)?;
            self.id = Some(ClientId(id as u64));
        } else if is("type") {
            self.client_type = Some(ClientType::from_name(value)?);
        } else if is("addr") {
            self.address = Some(value);
        } else if is("laddr") {
            self.local_address = Some(value);
        } else if is("user") {
            if value != b"default" {
                return Err(Failure::new(format_args!("ERR No such user '{}'", String::from_utf8_lossy(value))));
            }
        } else if is("maxage") {
            let age = parse_i64(value).ok_or(BAD_AGE)?;
            self.age_seconds_min = Some(u64::try_from(age).ok().filter(|age| *age > 0).ok_or(AGE_NOT_POSITIVE)?);
        } else if is("skipme") {
            self.skips_caller = value.eq_ignore_ascii_case(b"yes");
            if !self.skips_caller && !value.eq_ignore_ascii_case(b"no") {
                return Err(Failure::SYNTAX);
            }
        } else {
            return Err(Failure::SYNTAX);
        }
        Ok(())
    }

    /// Whether `client` is chosen at `now`, `caller` being who asks.
    pub(super) fn takes(&self, client: &Client, caller: ClientId, now: Millis) -> bool {
        let age_seconds = now.0.saturating_sub(client.connected_at.0) / 1_000;
        self.id.is_none_or(|id| id == client.id)
            && self.client_type.is_none_or(|client_type| client_type == ClientType::Normal)
            && self.address.is_none_or(|address| client.address.to_string().as_bytes() == address)
            && self.local_address.is_none_or(|address| client.local_address.to_string().as_bytes() == address)
            && self.age_seconds_min.is_none_or(|age| age_seconds >= age)
            && !(self.skips_caller && client.id == caller)
    }
}
