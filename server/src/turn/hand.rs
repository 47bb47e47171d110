//! The client whose requests are being run, and where its replies go meanwhile.

use locksley_engine::{Db, Touch};
use locksley_wire::resp::Protocol;

use crate::client::{Client, ClientId, ClientSlot, Door, ReplyMode};
use crate::command::context::Caller;
use crate::command::dialect::Dialect;
use crate::command::row::Flags;
use crate::command::table::Entry;
use crate::thread::{ShardId, Thread};

/// Where replies are written while a connection's requests run.
pub(crate) struct Sink {
    /// The replies, behind what was not sent before.
    pub buffer: Vec<u8>,
    /// Whether they wait behind a reply that another shard owes.
    pub is_behind: bool,
}

/// A caller with what decides at once how its requests are treated.
pub(crate) struct Hand {
    /// Who calls.
    pub caller: Caller,
    is_authenticated: bool,
    /// Whether it wants replies.
    pub wants_replies: bool,
    /// Authenticated, and wants replies: nothing more to ask.
    pub is_plain: bool,
}

impl Hand {
    /// The client of `thread` at `slot`, as its next request finds it.
    #[inline]
    pub(crate) fn of(thread: &mut Thread, slot: ClientSlot) -> Hand {
        let home = thread.id;
        match thread.clients.get_mut(slot) {
            Some(client) => Hand::of_client(client, home, slot),
            None => Hand::of_nobody(home, slot),
        }
    }

    /// Whether the client may run `entry` before it said its password.
    #[cold]
    pub(crate) fn may_run(&self, entry: Entry) -> bool {
        self.is_authenticated || entry.row.flags.contains(Flags::NO_AUTH)
    }

    fn of_client(client: &Client, home: ShardId, slot: ClientSlot) -> Hand {
        let touch = if client.no_touch { Touch::CountOnly } else { Touch::Count };
        let (id, db, protocol, door) = (client.id, client.db, client.protocol, client.door);
        let wants_replies = client.reply_mode == ReplyMode::On;
        Hand {
            caller: Caller { home, slot, id, db, dialect: Dialect::of(door), protocol, touch, door },
            is_authenticated: client.authenticated,
            wants_replies,
            is_plain: client.authenticated && wants_replies,
        }
    }

    /// What is left of a client that closed itself.
    #[cold]
    fn of_nobody(home: ShardId, slot: ClientSlot) -> Hand {
        let caller = Caller {
            home,
            slot,
            id: ClientId(0),
            db: Db(0),
            dialect: Dialect::Resp,
            protocol: Protocol::Resp2,
            touch: Touch::Leave,
            door: Door::Shared,
        };
        Hand { caller, is_authenticated: false, wants_replies: false, is_plain: false }
    }
}
