//! Commands on keys of any type.

mod by_pattern;
mod copy;
mod dbsize;
mod del;
mod exists;
mod expire;
mod flush;
mod move_db;
mod object;
mod persist;
mod randomkey;
mod rename;
mod scan;
mod swapdb;
mod ttl;
mod type_of;

use super::row::Command;

/// The group's rows.
pub(super) static COMMANDS: &[&Command] = &[
    &by_pattern::KEYS,
    &copy::COPY,
    &dbsize::DBSIZE,
    &del::DEL,
    &del::UNLINK,
    &exists::EXISTS,
    &exists::TOUCH,
    &expire::EXPIRE,
    &expire::EXPIREAT,
    &expire::PEXPIRE,
    &expire::PEXPIREAT,
    &flush::FLUSHALL,
    &flush::FLUSHDB,
    &move_db::MOVE,
    &object::OBJECT,
    &persist::PERSIST,
    &randomkey::RANDOMKEY,
    &rename::RENAME,
    &rename::RENAMENX,
    &scan::SCAN,
    &swapdb::SWAPDB,
    &ttl::EXPIRETIME,
    &ttl::PEXPIRETIME,
    &ttl::PTTL,
    &ttl::TTL,
    &type_of::TYPE,
];
