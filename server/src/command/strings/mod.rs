//! Commands on strings.

mod append;
mod delifeq;
mod delifver;
mod get;
mod getdel;
mod getex;
mod getrange;
mod getset;
mod getv;
mod incr;
mod incrbyfloat;
mod lcs;
mod mget;
mod mset;
mod set;
mod setex;
mod setnx;
mod setrange;
mod strlen;
mod versions;

use super::row::Command;

/// The group's rows.
pub(super) static COMMANDS: &[&Command] = &[
    &append::APPEND,
    &delifeq::DELIFEQ,
    &delifver::DELIFVER,
    &get::GET,
    &getdel::GETDEL,
    &getex::GETEX,
    &getrange::GETRANGE,
    &getrange::SUBSTR,
    &getset::GETSET,
    &getv::GETV,
    &incr::DECR,
    &incr::DECRBY,
    &incr::INCR,
    &incr::INCRBY,
    &incrbyfloat::INCRBYFLOAT,
    &lcs::LCS,
    &mget::MGET,
    &mset::MSET,
    &mset::MSETNX,
    &set::SET,
    &setex::PSETEX,
    &setex::SETEX,
    &setnx::SETNX,
    &setrange::SETRANGE,
    &strlen::STRLEN,
];
