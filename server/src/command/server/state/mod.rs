//! The state of the whole server as one object of JSON: what the console shows, from the same reports as INFO.
//!
//! ```text
//! part of a shard:  [length][report] [slow log] [hot keys] [clients] [what the client's own thread sees of the others, or nothing]
//! body:             {"at_ms":..,"server":{..},"total":{..},"shards":[..],...}
//! ```
//!
//! A member of the body is a struct of this room, serialized; its fields' names are the members' names. Counters are
//! cumulative: whoever wants a rate takes the difference of two states. Names of units are in the members' names.
//!
//! Invariants:
//! - the body is one line, so that it can be the data of one event;
//! - lists are bounded (`CONSOLE_*` of `limits.rs`), so a body is too, however many clients there are;
//! - bytes that clients chose are text here, escaped or in base64: never markup, never broken JSON.

mod clients;
mod durability;
mod figures;
mod hot;
mod slow;
#[cfg(test)]
mod tests;

use locksley_engine::Millis;
use serde::Serialize;

use super::pack::{Reader, write_bytes, write_number, write_numbers};
use super::report::Report;
use super::source::Source;
use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::join::check_parts;
use crate::command::row::{JoinInput, Outcome, ReplyPart};
use crate::thread::Thread;
use clients::{ClientFacts, Clients};
use durability::DurabilityFigures;
use figures::{
    CommandFigures, CurveFigures, DatabaseFigures, PrefixFigures, ServerFigures, ShardFigures, StagesFigures,
    TotalFigures,
};
use hot::HotFacts;
use slow::SlowFacts;

/// The first byte of a part: whatever an error reply does not begin with.
const MARK: u8 = b'S';

/// What a shard adds to the state.
struct Part<'a> {
    report: ReplyPart<'a>,
    slow: Vec<SlowFacts>,
    hot: Vec<HotFacts>,
    clients: Clients,
    /// How much of the snapshot under way the shard has written.
    snapshot_share: Option<f64>,
    /// The time, and for how long each thread has been at its turn, as the client's own thread sees it.
    turns: Option<(Millis, Vec<u64>)>,
}

impl<'a> Part<'a> {
    fn read(part: &ReplyPart<'a>) -> Part<'a> {
        assert_eq!(part.bytes.first(), Some(&MARK), "a part is a part of a state");
        let mut reader = Reader::new(&part.bytes[1..]);
        let report = ReplyPart { bytes: reader.bytes(), ..*part };
        let (slow, hot) = (slow::read(&mut reader), hot::read(&mut reader));
        let clients = Clients::read(&mut reader);
        let share = f64::from_bits(reader.number());
        let snapshot_share = (!share.is_nan()).then_some(share);
        let turns = (!reader.is_at_end()).then(|| {
            let at = Millis(reader.number());
            let count = reader.number();
            (at, (0..count).map(|_| reader.number()).collect())
        });
        assert!(reader.is_at_end(), "a part is read to its end");
        // What is remembered of a shard was the home of somebody else then.
        Part { report, slow, hot, clients, snapshot_share, turns: turns.filter(|_| !part.is_remembered) }
    }
}

/// Writes what this thread has to say.
pub(in crate::command) fn part(context: &mut Context<'_>, out: &mut Vec<u8>) -> Outcome {
    let mut report = Vec::new();
    Report::of(context).write(&mut report);
    let thread = &*context.thread;
    out.push(MARK);
    write_bytes(&report, out);
    slow::write(thread, out);
    hot::write(thread, out);
    Clients::of(thread).write(out);
    write_number(thread.shard.snapshot_share().unwrap_or(f64::NAN).to_bits(), out);
    if context.caller.home == thread.id {
        write_turns(thread, out);
    }
    Ok(())
}

fn write_turns(thread: &Thread, out: &mut Vec<u8>) {
    let shared = &thread.shared;
    write_numbers(&[thread.now.0, u64::from(shared.shard_count)], out);
    for index in 0..shared.shard_count {
        // Its own turn is the one in which it says so.
        write_number(if index == thread.id.0 { 0 } else { shared.pulses.turn_ms(index, thread.now) }, out);
    }
}

/// Appends the body.
///
/// # Errors
/// The error that a shard replied in place of its part.
pub(in crate::command) fn write_body(input: &JoinInput<'_>, out: &mut Vec<u8>) -> Result<(), Failure> {
    check_parts(input.parts)?;
    let mut parts: Vec<Part<'_>> = input.parts.iter().map(Part::read).collect();
    let (at, turns) = parts.iter_mut().find_map(|part| part.turns.take()).expect("the client's own thread reported");
    let slow = slow::newest(parts.iter_mut().flat_map(|part| std::mem::take(&mut part.slow)).collect(), input.config);
    let hot = hot::hottest(parts.iter_mut().flat_map(|part| std::mem::take(&mut part.hot)).collect());
    let snapshot_share = mean(parts.iter().filter_map(|part| part.snapshot_share));
    let clients = clients::merge(parts.iter_mut().map(|part| std::mem::take(&mut part.clients)));
    let reports: Vec<ReplyPart<'_>> = parts.into_iter().map(|part| part.report).collect();
    let source = Source::read(&JoinInput { parts: &reports, ..*input })?;

    let mut body = Body::begin(out);
    body.member("at_ms", &at.0);
    body.member("server", &ServerFigures::of(&source, input.config));
    body.member("total", &TotalFigures::of(&source.total));
    body.member("shards", &ShardFigures::list(&source, &turns));
    body.member("stages", &StagesFigures::of(&source.total));
    body.member("curve", &CurveFigures::of(&source.total));
    body.member("hot_keys", &hot);
    body.member("databases", &DatabaseFigures::list(&source.total));
    body.member("prefixes", &PrefixFigures::list(&source.total));
    body.member("commands", &CommandFigures::list(&source.total));
    body.member("errors", &figures::errors(&source.total));
    body.member("durability", &DurabilityFigures::of(&source.home().durability, snapshot_share, input.config));
    body.member("slow_log", &slow);
    body.member::<Vec<ClientFacts>>("clients", &clients);
    body.end();
    Ok(())
}

/// The mean of some numbers; `None` where there is none.
fn mean(numbers: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = numbers.fold((0.0, 0_u32), |(sum, count), number| (sum + number, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

/// An object that is being written, member by member.
struct Body<'o> {
    out: &'o mut Vec<u8>,
    separator: u8,
}

impl<'o> Body<'o> {
    fn begin(out: &'o mut Vec<u8>) -> Body<'o> {
        Body { out, separator: b'{' }
    }

    fn member<T: Serialize>(&mut self, name: &'static str, value: &T) {
        self.out.push(self.separator);
        self.separator = b',';
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        serde_json::to_writer(&mut *self.out, value).expect("memory takes every write, and every name is text");
    }

    fn end(self) {
        self.out.push(b'}');
    }
}
