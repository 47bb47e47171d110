//! Surveys: rows that show how the server is, and so must not wait for a shard that does not answer.
//!
//! Each shard is asked as for [`Run::Every`](crate::command::row::Run::Every). When the patience is over, the reply is made
//! of the parts that are there, and of what is remembered of the other shards; their answers are dropped when they
//! come. A shard that owes such an answer is not asked again before, and does not have to be waited for: the next survey
//! is answered at once.

use locksley_engine::Millis;
use locksley_wire::resp::Reply;

use super::desk::Desk;
use super::hand::{Hand, Sink};
use super::inbox::Origin;
use crate::command::context::Caller;
use crate::command::execute::{Joined, execute_part, join};
use crate::command::row::{Args, Join, Memory, ReplyPart, Run};
use crate::command::table::Entry;
use crate::router::gather::{self, Gather, Part};
use crate::router::parcel::OwnedRequest;

/// What a row says of its surveys.
#[derive(Clone, Copy)]
pub(super) struct Survey {
    /// Makes the reply.
    pub make: Join,
    /// What stands for silent shards.
    pub memory: Memory,
}

impl Desk {
    /// Asks every shard that is not silent for its part.
    pub(super) fn run_survey(
        &mut self,
        hand: &mut Hand,
        entry: Entry,
        survey: Survey,
        args: Args<'_>,
        sink: &mut Sink,
    ) {
        self.note_command(hand, entry);
        let here = self.thread.id.0;
        let mut own = Part::awaited(Vec::new());
        let protocol = hand.caller.protocol;
        execute_part(&mut self.thread, hand.caller, entry, args, &mut Reply::new(&mut own.bytes, protocol));
        own.is_there = true;
        let shards = 0..self.thread.shared.shard_count;
        let mut own = Some(own);
        let part = |shard| if shard == here { own.take() } else { None }.unwrap_or_else(|| Part::awaited(Vec::new()));
        let parts: Vec<Part> = shards.clone().map(part).collect();
        let asked: Vec<u16> = shards.filter(|shard| *shard != here && !self.gathers.is_silent(*shard)).collect();
        if asked.is_empty() {
            let mut reply = Reply::new(&mut sink.buffer, protocol);
            self.join_survey(hand.caller, entry, survey, args, &parts, &mut reply);
        } else {
            let hole = self.open_hole(hand, sink);
            self.owed_count += asked.len();
            let request = OwnedRequest::new(args.iter().copied());
            let (caller, missing_count) = (hand.caller, asked.len());
            let gather = Gather { caller, hole, entry, join: survey.make, request, parts, missing_count };
            let place = self.gathers.insert_survey(gather, self.thread.now);
            for shard in asked {
                self.send_run(shard, hand.caller, gather::token(place, usize::from(shard)), entry, args);
            }
        }
        self.obey();
    }

    /// Answers surveys with which the patience is over.
    #[inline]
    pub(super) fn look_at_surveys(&mut self) {
        if !self.gathers.has_no_surveys() {
            self.end_surveys();
        }
    }

    /// When the next survey is answered, whatever is missing.
    pub(super) fn next_survey_due(&self) -> Option<Millis> {
        self.gathers.next_due()
    }

    #[cold]
    fn end_surveys(&mut self) {
        while let Some(gather) = self.gathers.give_up(self.thread.now) {
            self.end_survey(&gather);
        }
    }

    /// Answers a survey with what is there.
    pub(super) fn end_survey(&mut self, gather: &Gather) {
        let Run::Survey { join: make, memory, .. } = gather.entry.row.run else { unreachable!("called for surveys") };
        let mut bytes = self.pool.take();
        let mut reply = Reply::new(&mut bytes, gather.caller.protocol);
        let (args, survey) = (gather.request.args(), Survey { make, memory });
        self.join_survey(gather.caller, gather.entry, survey, &args, &gather.parts, &mut reply);
        self.fill(gather.hole, &bytes, Origin::Here);
        self.pool.give(bytes);
    }

    /// Makes the reply of a survey, of which some parts may not be there.
    fn join_survey(
        &mut self,
        caller: Caller,
        entry: Entry,
        survey: Survey,
        args: Args<'_>,
        parts: &[Part],
        reply: &mut Reply<'_>,
    ) {
        let numbered = || (0..).zip(parts);
        let silent: Vec<u16> = numbered().filter(|(_, part)| !part.is_there).map(|(shard, _)| shard).collect();
        let remembered: Vec<Option<Vec<u8>>> =
            silent.iter().map(|shard| self.thread.shared.remembered.last(*shard, survey.memory)).collect();
        let mut old = remembered.iter();
        let seen = parts.iter().filter_map(|part| {
            let bytes = if part.is_there { Some(&part.bytes) } else { old.next().and_then(Option::as_ref) };
            bytes.map(|bytes| ReplyPart { bytes, key_positions: &[], is_remembered: !part.is_there })
        });
        let parts: Vec<ReplyPart<'_>> = seen.collect();
        self.thread.counters.load.cut_surveys += u64::from(!silent.is_empty());
        join(&mut self.thread, caller, entry, survey.make, args, &Joined { parts: &parts, silent: &silent }, reply);
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::{Seat, World};
    use crate::limits::SURVEY_PATIENCE_MS;

    /// Three shards of which each has written a report, and a client of the first and of the second.
    fn world() -> (World, [Seat; 2]) {
        let mut world = World::new(3);
        let seats = [world.connect(0), world.connect(1)];
        for line in ["SET a 1", "SET b 1", "SET c 1", "SET d 1", "INFO stats"] {
            ask(&mut world, seats[0], line);
        }
        (world, seats)
    }

    /// What a client is answered at once.
    fn ask(world: &mut World, seat: Seat, line: &str) -> Option<String> {
        world.send(seat, line);
        world.rest();
        world.answer(seat)
    }

    fn pass(world: &mut World, millis: u64) {
        world.now.0 += millis;
        world.rest();
    }

    fn figure(text: &str, name: &str) -> u64 {
        let (_, rest) = text.split_once(&format!("{name}:")).unwrap_or_else(|| panic!("{name} in {text}"));
        let digits = rest.split(|letter: char| !letter.is_ascii_digit()).next().expect("there is a first piece");
        digits.parse().expect("a figure")
    }

    #[test]
    fn a_survey_waits_for_its_patience_and_not_longer() {
        let (mut world, [first, _]) = world();
        let before = figure(&ask(&mut world, first, "INFO stats").expect("all answer"), "total_commands_processed");
        world.stalled = Some(2);
        assert_eq!(ask(&mut world, first, "INFO stats"), None);
        pass(&mut world, SURVEY_PATIENCE_MS - 1);
        assert_eq!(world.answer(first), None, "the patience is not over");
        pass(&mut world, 1);
        let text = world.answer(first).expect("it is over");
        assert!(figure(&text, "total_commands_processed") > before, "{text}");
        assert!(ask(&mut world, first, "INFO stats").is_some(), "who is silent is not waited for again");
        assert_eq!(world.desks[0].thread.counters.load.cut_surveys, 2);
    }

    #[test]
    fn what_a_silent_shard_said_to_another_thread_stands_for_it() {
        let (mut world, [first, second]) = world();
        world.stalled = Some(2);
        assert_eq!(ask(&mut world, second, "INFO keyspace"), None);
        pass(&mut world, SURVEY_PATIENCE_MS);
        let text = world.answer(second).expect("the patience is over");
        assert_eq!(figure(&text.replace("keys=", "keys:"), "keys"), 4, "the second thread had asked nobody before");
        world.stalled = None;
        world.rest();
        assert_eq!(
            figure(&ask(&mut world, first, "INFO keyspace").expect("all answer").replace("keys=", "keys:"), "keys"),
            4
        );
    }

    #[test]
    fn late_answers_do_no_harm() {
        let (mut world, [first, second]) = world();
        world.stalled = Some(2);
        for line in ["INFO stats", "SLOWLOG LEN", "CLIENT LIST", "LATENCY LATEST", "MEMORY STATS"] {
            assert_eq!(ask(&mut world, first, line), None);
            assert_eq!(ask(&mut world, second, line), None);
        }
        world.disconnect(second);
        pass(&mut world, SURVEY_PATIENCE_MS);
        let text = world.answer(first).expect("the patience is over");
        assert!(text.contains("# Stats") && text.contains("id=1 ") && text.contains("peak.allocated"), "{text}");
        let place = |text: &str, part| text.find(part).expect("it is there");
        assert!(place(&text, "# Stats") < place(&text, "id=1 ") && place(&text, "id=1 ") < place(&text, "peak."));
        assert_eq!(world.desks[0].owed_count, 5);
        let again = world.connect(1);
        world.stalled = None;
        world.rest();
        assert_eq!([0, 1, 2].map(|index: usize| world.desks[index].owed_count), [0; 3]);
        assert_eq!([world.answer(first), world.answer(again)], [None, None], "nobody is answered twice");
        assert!(!world.desks[0].gathers.is_silent(2));
        let text = ask(&mut world, again, "CLIENT LIST").expect("all answer");
        assert!(text.contains("id=1 ") && text.contains("id=3 ") && !text.contains("id=2 "), "{text}");
        assert_eq!(world.desks[1].thread.counters.load.cut_surveys, 5, "these went on without their client");
    }

    #[test]
    fn a_clock_that_is_set_back_makes_nobody_wait_longer_than_twice() {
        let (mut world, [first, _]) = world();
        world.stalled = Some(1);
        assert_eq!(ask(&mut world, first, "INFO stats"), None);
        world.now.0 -= 3_600_000;
        world.rest();
        assert_eq!(world.answer(first), None);
        pass(&mut world, SURVEY_PATIENCE_MS);
        assert!(world.answer(first).is_some());
    }

    #[test]
    fn congestion_holds_back_only_who_needs_others() {
        let (mut world, [first, _]) = world();
        world.stalled = Some(2);
        world.desks[0].is_congested = true;
        for line in ["PING", "INFO server", "CLIENT ID", "NOSUCHCOMMAND"] {
            world.send(first, line);
        }
        assert_eq!(world.held(first, "DBSIZE"), 1, "it asks every shard and waits for all");
        pass(&mut world, SURVEY_PATIENCE_MS);
        let text = world.answer(first).expect("the patience is over");
        assert!(text.starts_with("+PONG $") && text.contains(":1 -ERR unknown command"), "{text}");
    }
}
