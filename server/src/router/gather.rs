//! Replies that are made of the answers of several shards: split by key, or asked of every shard.
//!
//! A survey is not waited for beyond its patience: it is given up, its reply is made without the parts that are missing,
//! and its place stays taken until these have come too, so that each answer finds what it was for. While a shard owes a
//! part of such a survey it is **silent**: nobody asks it for another, so that what waits for it stays bounded.
//!
//! ```text
//! free ──insert──▶ open ──last answer──▶ free
//!                   └──give_up──▶ given up ──last answer──▶ free
//! ```

use std::collections::VecDeque;

use locksley_engine::Millis;

use super::parcel::{HoleId, OwnedRequest, Token};
use super::route::owner;
use crate::command::context::Caller;
use crate::command::row::{Args, Command, Join, Keys, ReplyPart};
use crate::command::table::Entry;
use crate::limits::SURVEY_PATIENCE_MS;

/// One shard's part.
#[derive(Debug, Default)]
pub(crate) struct Part {
    /// Its answer, once it is there.
    pub bytes: Vec<u8>,
    /// Whether it is there.
    pub is_there: bool,
    /// Which of the request's keys it was asked for.
    pub key_positions: Vec<u32>,
}

impl Part {
    /// A part that is awaited, for these of the request's keys.
    pub(crate) fn awaited(key_positions: Vec<u32>) -> Part {
        Part { bytes: Vec::new(), is_there: false, key_positions }
    }
}

/// A reply in the making.
pub(crate) struct Gather {
    /// Who calls.
    pub caller: Caller,
    /// Where the reply goes.
    pub hole: HoleId,
    /// The command.
    pub entry: Entry,
    /// Makes the reply.
    pub join: Join,
    /// The request.
    pub request: OwnedRequest,
    /// What the shards answered; of a survey one for each shard, in their order.
    pub parts: Vec<Part>,
    /// How many answers are missing.
    pub missing_count: usize,
}

impl Gather {
    /// The parts as a join sees them.
    pub(crate) fn reply_parts(&self) -> Vec<ReplyPart<'_>> {
        let parts = self.parts.iter();
        let seen =
            parts.map(|Part { bytes, key_positions, .. }| ReplyPart { bytes, key_positions, is_remembered: false });
        seen.collect()
    }
}

/// What is at a place.
enum Place {
    Free,
    Open(Box<Gather>),
    /// A survey that was answered without so many parts.
    GivenUp(usize),
}

/// A survey that was begun.
struct Survey {
    at: Millis,
    place: u32,
    /// Tells it from others at its place.
    serial: u64,
}

/// The replies in the making of one thread.
#[derive(Default)]
pub(crate) struct Gathers {
    places: Vec<(u64, Place)>,
    free: Vec<u32>,
    serial_next: u64,
    /// Surveys in the order in which they were begun; of those behind the first, some may be over.
    surveys: VecDeque<Survey>,
    /// By shard, the parts that it owes of surveys that were given up.
    owed_late: Vec<usize>,
}

impl Gathers {
    /// Keeps `gather`; returns its place.
    pub(crate) fn insert(&mut self, gather: Gather) -> u32 {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push((0, Place::Free));
            self.places.len() as u32 - 1
        });
        self.serial_next += 1;
        self.places[place as usize] = (self.serial_next, Place::Open(Box::new(gather)));
        place
    }

    /// Keeps `gather`, which is a survey that begins at `now`; returns its place.
    pub(crate) fn insert_survey(&mut self, gather: Gather, now: Millis) -> u32 {
        let place = self.insert(gather);
        self.surveys.push_back(Survey { at: now, place, serial: self.serial_next });
        place
    }

    /// Notes the answer of one shard; returns the gathering when it was the last. An answer that comes too late is dropped.
    ///
    /// # Panics
    /// When nobody waits for it.
    pub(crate) fn answer(&mut self, place: u32, part: u32, bytes: &[u8]) -> Option<Box<Gather>> {
        let (_, there) = &mut self.places[place as usize];
        let is_last = match there {
            Place::Free => panic!("an answer is waited for"),
            Place::Open(gather) => {
                let part = &mut gather.parts[part as usize];
                assert!(!part.is_there, "a shard answers once");
                part.is_there = true;
                part.bytes.extend_from_slice(bytes);
                gather.missing_count -= 1;
                gather.missing_count == 0
            }
            Place::GivenUp(missing_count) => {
                self.owed_late[part as usize] -= 1;
                *missing_count -= 1;
                *missing_count == 0
            }
        };
        if !is_last {
            return None;
        }
        self.free.push(place);
        match std::mem::replace(there, Place::Free) {
            Place::Open(gather) => Some(gather),
            _ => None,
        }
    }

    /// Whether `shard` owes parts of surveys that were given up.
    pub(crate) fn is_silent(&self, shard: u16) -> bool {
        self.owed_late.get(usize::from(shard)).is_some_and(|count| *count > 0)
    }

    /// Whether no survey is under way.
    #[inline]
    pub(crate) fn has_no_surveys(&self) -> bool {
        self.surveys.is_empty()
    }

    /// When the patience with the first survey under way is over.
    pub(crate) fn next_due(&self) -> Option<Millis> {
        self.surveys.front().map(|survey| Millis(survey.at.0 + SURVEY_PATIENCE_MS))
    }

    /// Gives up the first survey with which the patience is over at `now`; to be called until there is none.
    pub(crate) fn give_up(&mut self, now: Millis) -> Option<Box<Gather>> {
        loop {
            let survey = self.surveys.front_mut()?;
            let (serial, place) = &mut self.places[survey.place as usize];
            if *serial != survey.serial || !matches!(place, Place::Open(_)) {
                self.surveys.pop_front();
                continue;
            }
            // Where the clock was set back, the patience begins anew.
            survey.at = survey.at.min(now);
            if now.0 - survey.at.0 < SURVEY_PATIENCE_MS {
                return None;
            }
            self.surveys.pop_front();
            let Place::Open(gather) = std::mem::replace(place, Place::GivenUp(0)) else { unreachable!("just seen") };
            *place = Place::GivenUp(gather.missing_count);
            self.owed_late.resize(self.owed_late.len().max(gather.parts.len()), 0);
            for (shard, part) in gather.parts.iter().enumerate() {
                self.owed_late[shard] += usize::from(!part.is_there);
            }
            return Some(gather);
        }
    }
}

/// A part of a request that one shard runs.
pub(crate) struct SubRequest<'a> {
    /// On which shard.
    pub shard: u16,
    /// The command's name, this shard's keys and their values.
    pub args: Vec<&'a [u8]>,
    /// Which of the request's keys these are.
    pub key_positions: Vec<u32>,
}

/// Splits a request by the owners of its keys, in the order of the shards.
pub(crate) fn split<'a>(row: &Command, args: Args<'a>, shard_count: u16) -> Vec<SubRequest<'a>> {
    let Keys::Range { first, step, .. } = row.keys else { unreachable!("only requests with keys are split") };
    let head = &args[..first];
    let mut subs: Vec<Option<SubRequest<'a>>> = (0..shard_count).map(|_| None).collect();
    for (index, position) in row.keys.positions(args.len()).enumerate() {
        let shard = owner(args[position], shard_count);
        let sub = subs[usize::from(shard)].get_or_insert_with(|| SubRequest {
            shard,
            args: head.to_vec(),
            key_positions: Vec::new(),
        });
        sub.args.extend_from_slice(&args[position..(position + step).min(args.len())]);
        sub.key_positions.push(index as u32);
    }
    subs.into_iter().flatten().collect()
}

/// The token of a part.
pub(crate) fn token(gather: u32, part: usize) -> Token {
    Token::Part { gather, part: part as u32 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::table::table;

    #[test]
    fn every_key_goes_to_its_owner_once() {
        let keys: Vec<Vec<u8>> = (0..50).map(|number| format!("key:{number}").into_bytes()).collect();
        let mut args: Vec<&[u8]> = vec![b"DEL"];
        args.extend(keys.iter().map(Vec::as_slice));
        let row = table().find_name(b"del").expect("DEL exists").row;
        let mut seen = vec![0; keys.len()];
        for sub in split(row, &args, 3) {
            assert_eq!(sub.args.len(), sub.key_positions.len() + 1);
            for (arg, position) in sub.args[1..].iter().zip(&sub.key_positions) {
                assert_eq!(*arg, keys[*position as usize]);
                assert_eq!(owner(arg, 3), sub.shard);
                seen[*position as usize] += 1;
            }
        }
        assert!(seen.iter().all(|count| *count == 1));
    }
}
