//! What a handler may touch: the thread it runs on, and who calls.

use locksley_engine::{Db, Key, Millis, Shard, Touch};
use locksley_wire::resp::Protocol;

use super::dialect::Dialect;
use crate::client::{Client, ClientId, ClientSlot, Door};
use crate::thread::{ShardId, Thread};

/// The facts of a caller that travel with a request to whichever shard runs it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    /// The thread of the client's connection.
    pub home: ShardId,
    /// Where that thread keeps the client.
    pub slot: ClientSlot,
    /// The client's number.
    pub id: ClientId,
    /// The client's selected database.
    pub db: Db,
    /// The protocol of its replies.
    pub dialect: Dialect,
    /// The version of RESP, where it is that.
    pub protocol: Protocol,
    /// Whether its reads count as uses.
    pub touch: Touch,
    /// By which listener it came: behind a shard's own port, the shard is all there is.
    pub door: Door,
}

/// What a handler may touch.
pub(crate) struct Context<'t> {
    /// The thread the handler runs on.
    pub thread: &'t mut Thread,
    /// Who calls.
    pub caller: Caller,
}

impl Context<'_> {
    /// The shard of this thread.
    #[inline]
    pub(crate) fn shard(&mut self) -> &mut Shard {
        &mut self.thread.shard
    }

    /// The time of this turn.
    #[inline]
    pub(crate) fn now(&self) -> Millis {
        self.thread.now
    }

    /// Names an entry in the caller's database.
    #[inline]
    pub(crate) fn key<'k>(&self, bytes: &'k [u8]) -> Key<'k> {
        self.thread.shard.key(self.caller.db, bytes)
    }

    /// The calling client.
    ///
    /// # Panics
    /// When the handler does not run on the client's own thread: only [`Run::Home`](super::row::Run::Home) may ask.
    pub(crate) fn client(&mut self) -> &mut Client {
        assert_eq!(self.caller.home, self.thread.id, "only a handler at home sees its client");
        self.thread.clients.get_mut(self.caller.slot).expect("a calling client is connected")
    }
}
