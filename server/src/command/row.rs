//! One command as data: the row from which dispatch, arity errors, routing, COMMAND replies, docs and
//! metrics all come.
//!
//! Adding a command is one file with one `pub static` row, and one line in the list of
//! [`table`](super::table).

use bitflags::bitflags;
use locksley_engine::{Db, Entry};
use locksley_wire::resp::Reply;

use super::context::Context;
use super::dialect::Dialect;
use super::effect::Effects;
use super::failure::Failure;
use super::park::ParkHandler;
use super::wait::WaitHandler;
use crate::config::Config;

/// The arguments of one request, the command's own name first.
pub(crate) type Args<'a> = &'a [&'a [u8]];

/// What a handler returns: its reply is written, or there is an error to be written in its place.
pub(crate) type Outcome = Result<(), Failure>;

/// The code of a command: reads `Args`, works on the [`Context`], writes one reply.
pub(crate) type Handler = fn(&mut Context<'_>, Args<'_>, &mut Reply<'_>) -> Outcome;

/// What a part of [`Run::Spread`] begins with that is a failure's text, code first, and not what its handler writes.
pub(crate) const FAILED_PART: u8 = b'-';

/// Makes one reply of the replies of several shards.
pub(crate) type Join = fn(&JoinInput<'_>, &mut Reply<'_>) -> Outcome;

/// What a [`Join`] sees.
pub(crate) struct JoinInput<'a> {
    /// The request as the client sent it.
    pub args: Args<'a>,
    /// One part for each shard that took part.
    pub parts: &'a [ReplyPart<'a>],
    /// The shards that did not answer in time, of a [`Run::Survey`]; in ascending order.
    pub silent: &'a [u16],
    /// A random number, for joins that choose.
    pub random: u64,
    /// The protocol of the reply.
    pub dialect: Dialect,
    /// The settings in force.
    pub config: &'a Config,
}

/// The answer of one shard to its part of a request.
pub(crate) struct ReplyPart<'a> {
    /// What the shard's handler wrote: a reply in the client's protocol, or bytes of the command's own making.
    pub bytes: &'a [u8],
    /// Positions (in the whole request's list of keys) of the keys the shard was asked for; empty for
    /// [`Run::Every`] and [`Run::Survey`].
    pub key_positions: &'a [u32],
    /// It was written for an earlier request, of whichever client of whichever thread, and stands for a silent shard.
    pub is_remembered: bool,
}

bitflags! {
    /// What COMMAND INFO says of a command, in the order of its replies.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Flags: u32 {
        /// Changes entries.
        const WRITE = 1;
        /// Reads entries and changes none.
        const READONLY = 1 << 1;
        /// Refused when memory is short.
        const DENYOOM = 1 << 2;
        /// Administers the server.
        const ADMIN = 1 << 3;
        /// Publishes or subscribes.
        const PUBSUB = 1 << 4;
        /// Not allowed in scripts.
        const NOSCRIPT = 1 << 5;
        /// May block its client.
        const BLOCKING = 1 << 6;
        /// Allowed while data is being loaded.
        const LOADING = 1 << 7;
        /// Allowed on a replica with stale data.
        const STALE = 1 << 8;
        /// Not shown to monitors.
        const SKIP_MONITOR = 1 << 9;
        /// Not kept in the slow log.
        const SKIP_SLOWLOG = 1 << 10;
        /// Constant or logarithmic time.
        const FAST = 1 << 11;
        /// Allowed before authentication.
        const NO_AUTH = 1 << 12;
        /// Its keys cannot all be told from first, last and step.
        const MOVABLE_KEYS = 1 << 13;
        /// Not allowed in a transaction.
        const NO_MULTI = 1 << 14;
    }
}

/// Where a command's keys are among its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keys {
    /// It has none.
    None,
    /// From argument `first` to argument `last` (negative: from the end), each `step`-th.
    Range {
        /// Position of the first key; the command's name is 0.
        first: usize,
        /// Position of the last key; -1 is the last argument.
        last: isize,
        /// Distance of two keys.
        step: usize,
    },
}

impl Keys {
    /// Exactly one key, the first argument.
    pub(crate) const FIRST: Keys = Keys::Range { first: 1, last: 1, step: 1 };
    /// All arguments are keys.
    pub(crate) const ALL: Keys = Keys::Range { first: 1, last: -1, step: 1 };
    /// The first two arguments are keys.
    pub(crate) const FIRST_TWO: Keys = Keys::Range { first: 1, last: 2, step: 1 };
    /// Every second argument is a key: key value key value.
    pub(crate) const PAIRS: Keys = Keys::Range { first: 1, last: -1, step: 2 };

    /// The positions of the keys in a request of `argument_count` arguments, its name included.
    pub(crate) fn positions(self, argument_count: usize) -> impl Iterator<Item = usize> + Clone {
        let (first, end, step) = match self {
            Keys::None => (0, 0, 1),
            Keys::Range { first, last, step } => {
                let last = if last < 0 { argument_count.saturating_add_signed(last) } else { last as usize };
                (first, (last + 1).min(argument_count), step)
            }
        };
        (first..end).step_by(step)
    }
}

/// Where a command runs.
#[derive(Clone, Copy)]
pub(crate) enum Run {
    /// On the thread of the client's connection; touches no entry.
    Home(Handler),
    /// On the shard that owns its one key.
    Owner(Handler),
    /// On the shard that owns its one key; its reply may have to wait until the key changes.
    Park {
        /// Replies, or says until when it waits.
        run: ParkHandler,
        /// Whether a request with these arguments may have to wait: its client's later requests wait with it.
        may_wait: fn(Args<'_>) -> bool,
    },
    /// On the shard that `choose` names.
    Chosen {
        /// Names the shard from the arguments and the number of shards.
        choose: fn(Args<'_>, u16) -> Result<u16, Failure>,
        /// Runs there.
        run: Handler,
    },
    /// On each shard that owns some of its keys, with those keys only (the other arguments must all be keys
    /// or values of keys); `join` makes one reply. Where one shard owns all keys, `run` alone replies.
    Split {
        /// Runs on each owner.
        run: Handler,
        /// Makes one reply of theirs.
        join: Join,
    },
    /// On each shard that owns some of its keys, with those keys only, as [`Run::Split`]; `join` makes one reply, even
    /// where one shard owns all keys.
    Spread {
        /// Runs on each owner and writes bytes that only `join` reads; a failure in their place begins with
        /// [`FAILED_PART`].
        part: Handler,
        /// Makes the reply.
        join: Join,
    },
    /// On every shard; `join` makes one reply, even where there is one shard only.
    Every {
        /// Runs on each shard and writes bytes that only `join` reads.
        part: Handler,
        /// Makes the reply.
        join: Join,
    },
    /// On every shard as [`Run::Every`], for rows that only look, in which the server shows how it is: a shard that does
    /// not answer within [`SURVEY_PATIENCE_MS`](crate::limits::SURVEY_PATIENCE_MS) is not waited for. Its part is the last
    /// one that it wrote of this [`Memory`], if any, and else there is none; either way it is [`JoinInput::silent`].
    Survey {
        /// Runs on each shard and writes bytes that only `join` reads.
        part: Handler,
        /// Makes the reply, of which the client's own thread has written a part at least.
        join: Join,
        /// What is remembered of a shard for the time when it is silent.
        memory: Memory,
    },
    /// On keys of any shards as one atomic step.
    Atomic {
        /// Checks the arguments and says which keys are to be held, and read.
        plan: fn(&PlanInput<'_>, &mut Vec<PlannedKey>) -> Outcome,
        /// From what was read, decides the changes and the reply; touches nothing itself.
        decide: for<'a> fn(&DecideInput<'a, '_>, &mut Effects<'a>, &mut Reply<'_>) -> Outcome,
    },
    /// On the thread of the client's connection, once all earlier replies of the client are there; its reply may have
    /// to wait. Touches no entry.
    Wait(WaitHandler),
    /// By its second argument: one of these.
    Container(&'static [Command]),
}

/// What is remembered of each shard, for surveys while it is silent: rows with the same memory write the same parts,
/// whatever their arguments are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Memory {
    /// Nothing.
    None,
    /// Its last report, so that no counter ever goes backwards.
    Report,
    /// Its last part of the state that the console shows.
    State,
}

/// What the plan of an atomic command sees.
pub(crate) struct PlanInput<'a> {
    /// The request.
    pub args: Args<'a>,
    /// The client's database.
    pub db: Db,
    /// Number of databases.
    pub database_count: u8,
}

/// A key that an atomic command holds from its plan to its effects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PlannedKey {
    /// Which argument is the key.
    pub argument: usize,
    /// In which database.
    pub db: Db,
    /// Whether its entry is shown to `decide`.
    pub read: PlanRead,
}

/// What an atomic command wants to see of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlanRead {
    /// Nothing: it will be written whatever it holds.
    Nothing,
    /// Only whether it exists: `decide` sees an entry whose value may be empty.
    Presence,
    /// The whole entry, counted as a hit or miss.
    Value,
}

/// What the decision of an atomic command sees.
pub(crate) struct DecideInput<'a, 'r> {
    /// The request.
    pub args: Args<'a>,
    /// The client's database.
    pub db: Db,
    /// The entries of the planned keys, in the plan's order; `None` where there is none (or it was not asked for).
    pub reads: &'r [Option<Entry<'r>>],
}

/// The part of the manual a command belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    /// Bitmaps (in strings).
    Bitmap,
    /// What application caches need.
    Cache,
    /// The cluster face.
    Cluster,
    /// Connections.
    Connection,
    /// Keys of any type.
    Generic,
    /// Commands of the memcached door.
    Memcached,
    /// Operations of the HTTP door.
    Rest,
    /// The server itself.
    Server,
    /// Strings.
    String,
}

impl Group {
    /// The name in COMMAND DOCS.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Group::Bitmap => "bitmap",
            Group::Cache => "cache",
            Group::Cluster => "cluster",
            Group::Connection => "connection",
            Group::Generic => "generic",
            Group::Memcached => "memcached",
            Group::Rest => "rest",
            Group::Server => "server",
            Group::String => "string",
        }
    }
}

/// One command.
pub(crate) struct Command {
    /// Its name in lower case; of a subcommand only the last word, or nothing for the one that a container's name
    /// alone stands for.
    pub name: &'static str,
    /// Number of arguments, the name (and a container's name) included; negative: at least that many.
    pub arity: i16,
    /// What COMMAND INFO says of it.
    pub flags: Flags,
    /// Where its keys are.
    pub keys: Keys,
    /// ACL categories besides those that follow from flags (`read`, `write`, `admin`, `dangerous`, `fast`, `slow`, ...), without `@`.
    pub categories: &'static [&'static str],
    /// Its part of the manual.
    pub group: Group,
    /// The version of Redis (or Valkey, or Locksley, named so) that brought it.
    pub since: &'static str,
    /// What it does, in one sentence without a full stop.
    pub summary: &'static str,
    /// What it costs.
    pub complexity: &'static str,
    /// Its arguments as a person would write them: `key value [NX | XX] [EX seconds]`.
    pub syntax: &'static str,
    /// Where and what it runs.
    pub run: Run,
}

impl Command {
    /// Whether it runs while data is being loaded: what shows how the server is does, whatever COMMAND INFO says of its
    /// kin in Redis.
    pub(crate) fn runs_while_loading(&self) -> bool {
        self.flags.contains(Flags::LOADING) || matches!(self.run, Run::Survey { .. })
    }

    /// Whether a request of `argument_count` arguments, the name included, can be meant.
    #[inline]
    pub(crate) fn takes(&self, argument_count: usize) -> bool {
        let arity = self.arity as isize;
        if arity >= 0 { argument_count as isize == arity } else { argument_count as isize >= -arity }
    }
}
