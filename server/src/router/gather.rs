//! Replies that are made of the answers of several shards: split by key, or asked of every shard.

use super::parcel::{HoleId, OwnedRequest, Token};
use super::route::owner;
use crate::command::context::Caller;
use crate::command::row::{Args, Command, Join, Keys, ReplyPart};
use crate::command::table::Entry;

/// One shard's part.
#[derive(Debug, Default)]
pub(crate) struct Part {
    /// Its answer, once it is there.
    pub bytes: Vec<u8>,
    /// Which of the request's keys it was asked for.
    pub key_positions: Vec<u32>,
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
    /// What the shards answered.
    pub parts: Vec<Part>,
    /// How many answers are missing.
    pub missing_count: usize,
}

impl Gather {
    /// The parts as a join sees them.
    pub(crate) fn reply_parts(&self) -> Vec<ReplyPart<'_>> {
        let parts = self.parts.iter();
        let seen = parts.map(|Part { bytes, key_positions }| ReplyPart { bytes, key_positions, is_remembered: false });
        seen.collect()
    }
}

/// The replies in the making of one thread.
#[derive(Default)]
pub(crate) struct Gathers {
    places: Vec<Option<Box<Gather>>>,
    free: Vec<u32>,
}

impl Gathers {
    /// Keeps `gather`; returns its place.
    pub(crate) fn insert(&mut self, gather: Gather) -> u32 {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            self.places.len() as u32 - 1
        });
        self.places[place as usize] = Some(Box::new(gather));
        place
    }

    /// Notes the answer of one shard; returns the gathering when it was the last.
    ///
    /// # Panics
    /// When nobody waits for it.
    pub(crate) fn answer(&mut self, place: u32, part: u32, bytes: &[u8]) -> Option<Box<Gather>> {
        let slot = &mut self.places[place as usize];
        let gather = slot.as_mut().expect("an answer is waited for");
        gather.parts[part as usize].bytes.extend_from_slice(bytes);
        gather.missing_count -= 1;
        if gather.missing_count > 0 {
            return None;
        }
        self.free.push(place);
        slot.take()
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
