//! Requests of the memcached protocol: cuts what a connection sent into rows and arguments.
//!
//! Keys and data blocks stay where the kernel put them; numbers of a line travel as a few packed bytes
//! ([`command::memcached`](crate::command::memcached) says which). What needs no shard is answered here.
//!
//! With a password set, a client's first request has to be a `set` whose block is `user password`, as memcached's token
//! authentication asks for; nothing else is looked at before.

use locksley_wire::memcached::meta::{BadFlags, Flag, Flags};
use locksley_wire::memcached::request::{Keys, MetaVerb};
use locksley_wire::memcached::{
    Arithmetic, Limits, Malformed, Request as Line, RequestParser, Retrieval, Step, Storage,
};
use locksley_wire::memcached::{StoreMode, key};

use super::batch::{Batch, Call, Cut, Input, Manner, Piece, Request};
use crate::command::memcached::{StoreOptions, VERSION, Verb};
use crate::command::row::Args;
use crate::command::table::Table;

/// Whether a client may do more than say its password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// It has said its password, or there is none.
    Full,
    /// It has not.
    Password,
}

const UNAUTHENTICATED: &[u8] = b"CLIENT_ERROR unauthenticated\r\n";
const TOO_LARGE: &[u8] = b"SERVER_ERROR object too large for cache\r\n";

/// What a line comes to.
struct Meant<'b> {
    call: Call<'b>,
    args: Args<'b>,
    manner: Option<&'b Manner>,
}

impl<'b> Batch<'b> {
    /// Cuts memcached requests from `input` until it ends, or the batch is full.
    pub(crate) fn cut_memcached(
        &mut self,
        table: &'static Table,
        input: Input<'b>,
        parser: &mut RequestParser,
        limits: Limits,
        access: Access,
    ) -> Cut {
        self.cut_each(input, |batch, rest, start| match parser.parse(rest, &limits) {
            Step::Request { consumed, request } => {
                let Meant { call, args, manner } = match request {
                    Ok(line) if access == Access::Full => batch.mean(table, &line),
                    Ok(line) => batch.mean_password(table, &line),
                    Err(malformed) if access == Access::Password && !malformed.closes() => answer(UNAUTHENTICATED),
                    Err(malformed) => refused(malformed),
                };
                Piece::Request { request: Request { call, args, start, owner: None, manner }, consumed }
            }
            Step::Skipped { consumed } => Piece::Skipped { consumed },
            Step::Incomplete { wanted_bytes } => Piece::Incomplete { wanted_bytes },
        })
    }

    /// What a line of a client asks for that has said its password.
    #[inline]
    fn mean(&self, table: &'static Table, line: &Line<'b>) -> Meant<'b> {
        let (verb, args, is_silent): (Verb, Args<'b>, bool) = match *line {
            Line::Retrieve { retrieval, exptime, keys } => {
                let (verb, args) = self.retrieval(retrieval, exptime, keys);
                (verb, args, false)
            }
            Line::Store(ref storage) => (verb_of(storage.mode), self.storage(storage), storage.is_silent),
            Line::TooLarge { mode: StoreMode::Set, key, is_silent } => {
                (Verb::TooLarge, self.args([b"set", key]), is_silent)
            }
            Line::TooLarge { is_silent, .. } => return answer(if is_silent { b"" } else { TOO_LARGE }),
            Line::Delete { key, is_silent } => (Verb::Delete, self.args([b"delete", key]), is_silent),
            Line::Count { arithmetic, key, delta, is_silent } => {
                let (verb, name): (Verb, &[u8]) = match arithmetic {
                    Arithmetic::Increment => (Verb::Incr, b"incr"),
                    Arithmetic::Decrement => (Verb::Decr, b"decr"),
                };
                (verb, self.args([name, key, self.packed(delta.to_le_bytes())]), is_silent)
            }
            Line::Touch { key, exptime, is_silent } => {
                (Verb::Touch, self.args([b"touch", key, self.packed(exptime.to_le_bytes())]), is_silent)
            }
            Line::FlushAll { exptime, is_silent } => {
                (Verb::FlushAll, self.args([b"flush_all", self.packed(exptime.to_le_bytes())]), is_silent)
            }
            Line::Stats { words } => (Verb::Stats, self.args([b"stats", words]), false),
            Line::Meta { verb, key, flags, value } => return self.meta(table, verb, key, flags, value),
            Line::MetaTooLarge { key, flags } => return self.meta_too_large(table, key, flags),
            Line::Version => return answer(self.bump.alloc_str(&format!("VERSION {VERSION}\r\n")).as_bytes()),
            Line::Verbosity { is_silent } => return answer(if is_silent { b"" } else { b"OK\r\n" }),
            Line::MetaNoop => return answer(b"MN\r\n"),
            Line::Quit => return Meant { manner: Some(&Manner::LAST), ..answer(b"") },
        };
        Meant { call: Call::Found(table.memcached(verb)), args, manner: is_silent.then_some(&Manner::SILENT) }
    }

    /// What a line of a client asks for that has to say its password first.
    #[cold]
    fn mean_password(&self, table: &'static Table, line: &Line<'b>) -> Meant<'b> {
        let Line::Store(Storage { mode: StoreMode::Set, value, .. }) = line else { return answer(UNAUTHENTICATED) };
        let args = self.args([b"set", *value]);
        Meant { call: Call::Found(table.memcached(Verb::Authenticate)), args, manner: None }
    }

    #[inline]
    fn retrieval(&self, retrieval: Retrieval, exptime: i64, keys: Keys<'b>) -> (Verb, Args<'b>) {
        let name: &[u8] = match retrieval {
            Retrieval::Get => b"get",
            Retrieval::Gets => b"gets",
            Retrieval::Gat => b"gat",
            Retrieval::Gats => b"gats",
        };
        let touches = matches!(retrieval, Retrieval::Gat | Retrieval::Gats);
        match keys.only() {
            Some(key) if touches => (Verb::Gat, self.args([name, self.packed(exptime.to_le_bytes()), key])),
            Some(key) => (Verb::Get, self.args([name, key])),
            None => {
                let mut args = bumpalo::collections::Vec::new_in(self.bump);
                args.push(name);
                if touches {
                    args.push(self.packed(exptime.to_le_bytes()));
                }
                args.extend(keys.iter());
                (if touches { Verb::GatMany } else { Verb::GetMany }, args.into_bump_slice())
            }
        }
    }

    #[inline]
    fn storage(&self, storage: &Storage<'b>) -> Args<'b> {
        let Storage { mode, key, flags, exptime, cas, value, .. } = *storage;
        let options = StoreOptions { flags, exptime, cas };
        self.args([name_of(mode), key, self.packed(options.encode()), value])
    }

    fn meta(
        &self,
        table: &'static Table,
        verb: MetaVerb,
        sent_key: &'b [u8],
        flags: &'b [u8],
        value: &'b [u8],
    ) -> Meant<'b> {
        let (key, flags) = match self.meta_key(verb, sent_key, flags) {
            Ok(both) => both,
            Err(text) => return answer(text),
        };
        let changes = |flag: Flag<'_>| matches!(flag.letter, b'N' | b'T');
        let (verb, args) = match verb {
            MetaVerb::Get if Flags::checked(flags).iter().any(changes) => {
                (Verb::MetaGetChange, self.args([b"mg", key, flags]))
            }
            MetaVerb::Get => (Verb::MetaGet, self.args([b"mg", key, flags])),
            MetaVerb::Set => (Verb::MetaSet, self.args([b"ms", key, flags, value])),
            MetaVerb::Delete => (Verb::MetaDelete, self.args([b"md", key, flags])),
            MetaVerb::Arithmetic => (Verb::MetaArithmetic, self.args([b"ma", key, flags])),
            MetaVerb::Debug => (Verb::MetaDebug, self.args([b"me", key, flags])),
        };
        Meant { call: Call::Found(table.memcached(verb)), args, manner: None }
    }

    #[cold]
    fn meta_too_large(&self, table: &'static Table, sent_key: &'b [u8], flags: &'b [u8]) -> Meant<'b> {
        match self.meta_key(MetaVerb::Set, sent_key, flags) {
            Ok((key, _)) => {
                let args = self.args([b"ms", key]);
                Meant { call: Call::Found(table.memcached(Verb::TooLarge)), args, manner: None }
            }
            Err(text) => answer(text),
        }
    }

    /// Checks the flags of a meta command and decodes its key where they say that it is base64.
    fn meta_key(
        &self,
        verb: MetaVerb,
        sent_key: &'b [u8],
        flags: &'b [u8],
    ) -> Result<(&'b [u8], &'b [u8]), &'static [u8]> {
        let flags = match verb {
            MetaVerb::Debug => Flags::checked(flags),
            _ => Flags::parse(flags).map_err(|bad| bad.text(verb))?,
        };
        if !flags.has(b'b') {
            return Ok((sent_key, flags.words()));
        }
        let mut decoded = Vec::new();
        if !key::decode(sent_key, &mut decoded) {
            return Err(BadFlags::Key.text(verb));
        }
        Ok((self.bump.alloc_slice_copy(&decoded), flags.words()))
    }

    #[inline]
    fn args<const COUNT: usize>(&self, args: [&'b [u8]; COUNT]) -> Args<'b> {
        self.bump.alloc(args)
    }

    #[inline]
    fn packed<const BYTES: usize>(&self, bytes: [u8; BYTES]) -> &'b [u8] {
        self.bump.alloc(bytes)
    }
}

fn answer(bytes: &[u8]) -> Meant<'_> {
    Meant { call: Call::Answer(bytes), args: &[b""], manner: None }
}

#[cold]
fn refused<'b>(malformed: Malformed) -> Meant<'b> {
    Meant { manner: malformed.closes().then_some(&Manner::LAST), ..answer(malformed.text()) }
}

fn verb_of(mode: StoreMode) -> Verb {
    match mode {
        StoreMode::Set => Verb::Set,
        StoreMode::Add => Verb::Add,
        StoreMode::Replace => Verb::Replace,
        StoreMode::Append => Verb::Append,
        StoreMode::Prepend => Verb::Prepend,
        StoreMode::Cas => Verb::Cas,
    }
}

fn name_of(mode: StoreMode) -> &'static [u8] {
    match mode {
        StoreMode::Set => b"set",
        StoreMode::Add => b"add",
        StoreMode::Replace => b"replace",
        StoreMode::Append => b"append",
        StoreMode::Prepend => b"prepend",
        StoreMode::Cas => b"cas",
    }
}
