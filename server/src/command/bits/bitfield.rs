//! BITFIELD and its reading form: integers of any width in a value.
//!
//! The request is gone through twice: once to check it all and to see how long the string must be, once to carry it
//! out, so that nothing is kept between.

use locksley_engine::{Op, Touch};
use locksley_wire::resp::Reply;

use super::field::{Field, Overflow, Window};
use crate::command::context::Context;
use crate::command::execute::request_log_bytes;
use crate::command::failure::Failure;
use crate::command::number::integer;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};
use crate::command::string_value::string_value;

/// OVERFLOW is followed by something else than its kinds.
const BAD_OVERFLOW: Failure = Failure::fixed("ERR Invalid OVERFLOW type specified");
/// The reading form was asked to write.
const READ_ONLY: Failure = Failure::fixed("ERR BITFIELD_RO only supports the GET subcommand");

pub(super) static BITFIELD: Command = Command {
    name: "bitfield",
    arity: -2,
    flags: Flags::WRITE.union(Flags::DENYOOM),
    keys: Keys::FIRST,
    categories: &["bitmap"],
    group: Group::Bitmap,
    since: "3.2.0",
    summary: "Reads, writes and counts integers of any width at any bits of a string",
    complexity: "O(N), N the number of subcommands",
    syntax: "key [GET encoding offset | [OVERFLOW <WRAP | SAT | FAIL>] SET encoding offset value | [OVERFLOW <WRAP | SAT | FAIL>] INCRBY encoding offset increment] ...",
    run: Run::Owner(bitfield),
};

pub(super) static BITFIELD_RO: Command = Command {
    name: "bitfield_ro",
    arity: -2,
    flags: Flags::READONLY.union(Flags::FAST),
    keys: Keys::FIRST,
    categories: &["bitmap"],
    group: Group::Bitmap,
    since: "6.0.0",
    summary: "Reads integers of any width at any bits of a string",
    complexity: "O(N), N the number of subcommands",
    syntax: "key [GET encoding offset ...]",
    run: Run::Owner(bitfield_ro),
};

/// One subcommand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Step {
    field: Field,
    action: Action,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Get,
    Set(i64, Overflow),
    Add(i64, Overflow),
}

/// The subcommands of a request, parsed one by one.
struct Steps<'a> {
    words: &'a [&'a [u8]],
    overflow: Overflow,
    bytes_max: u64,
}

fn bitfield(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let (count, write_end) = survey(context, args)?;
    match write_end {
        None => read(context, args, count, reply),
        Some(end) => {
            let log_bytes = context.shard().log().map_or(0, |_| request_log_bytes(args));
            context.shard().begin_group(log_bytes)?;
            let outcome = write(context, args, count, end, reply);
            context.shard().commit();
            outcome
        }
    }
}

fn bitfield_ro(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    match survey(context, args)? {
        (count, None) => read(context, args, count, reply),
        (_, Some(_)) => Err(READ_ONLY),
    }
}

/// Checks the whole request: how many subcommands it has, and if some write, the end of the last byte they touch.
fn survey(context: &Context<'_>, args: Args<'_>) -> Result<(usize, Option<usize>), Failure> {
    let (mut count, mut write_end) = (0, None);
    for step in Steps::new(context, args) {
        let Step { field, action } = step?;
        count += 1;
        if action != Action::Get {
            write_end = write_end.max(Some(field.byte_offset() + field.byte_count()));
        }
    }
    Ok((count, write_end))
}

fn read(context: &mut Context<'_>, args: Args<'_>, count: usize, reply: &mut Reply<'_>) -> Outcome {
    let steps = Steps::new(context, args);
    let key = context.key(args[1]);
    let (now, touch) = (context.now(), context.caller.touch);
    let text = match context.shard().get(key, now, touch) {
        Some(entry) => Some(string_value(&entry)?.text()),
        None => None,
    };
    let text = text.as_deref().unwrap_or_default();
    reply.array(count);
    for step in steps {
        let field = step?.field;
        reply.integer(field.read(Window::of(text, field)));
    }
    Ok(())
}

fn write(context: &mut Context<'_>, args: Args<'_>, count: usize, end: usize, reply: &mut Reply<'_>) -> Outcome {
    let steps = Steps::new(context, args);
    let key = context.key(args[1]);
    let now = context.now();
    let length = match context.shard().get(key, now, Touch::Leave) {
        Some(entry) => string_value(&entry)?.len(),
        None => 0,
    };
    if length < end {
        context.shard().apply(Op::Splice { key, offset: end - 1, bytes: &[0] }, now)?;
    }
    reply.array(count);
    for step in steps {
        let Step { field, action } = step?;
        let window = match context.shard().get(key, now, Touch::Leave) {
            Some(entry) => Window::of(&string_value(&entry)?.text(), field),
            None => Window::of(b"", field),
        };
        let old = field.read(window);
        let (new, answer) = match action {
            Action::Get => (None, Some(old)),
            Action::Set(number, overflow) => {
                let new = field.kind().fit_given(number, overflow);
                (new, new.and(Some(old)))
            }
            Action::Add(increment, overflow) => {
                let new = field.kind().fit_sum(old, increment, overflow);
                (new, new)
            }
        };
        if let Some(new) = new.filter(|new| *new != old) {
            let window = field.write(window, new);
            let op = Op::Splice { key, offset: field.byte_offset(), bytes: window.bytes(field) };
            context.shard().apply(op, now)?;
        }
        match answer {
            Some(number) => reply.integer(number),
            None => reply.null(),
        }
    }
    Ok(())
}

impl<'a> Steps<'a> {
    fn new(context: &Context<'_>, args: Args<'a>) -> Steps<'a> {
        let bytes_max = context.thread.config.proto_max_bulk_len;
        Steps { words: &args[2..], overflow: Overflow::Wrap, bytes_max }
    }

    /// The subcommand at the front, after the OVERFLOWs before it; `None` at the end.
    fn step(&mut self) -> Result<Option<Step>, Failure> {
        while let [name, rest @ ..] = self.words {
            let is = |text: &[u8]| name.eq_ignore_ascii_case(text);
            let (step, rest) = match rest {
                [kind, rest @ ..] if is(b"OVERFLOW") => {
                    self.overflow = parse_overflow(kind)?;
                    self.words = rest;
                    continue;
                }
                [kind, offset, rest @ ..] if is(b"GET") => {
                    (Step { field: Field::parse(kind, offset, self.bytes_max)?, action: Action::Get }, rest)
                }
                [kind, offset, number, rest @ ..] if is(b"SET") || is(b"INCRBY") => {
                    let field = Field::parse(kind, offset, self.bytes_max)?;
                    let action = if is(b"SET") { Action::Set } else { Action::Add };
                    (Step { field, action: action(integer(number)?, self.overflow) }, rest)
                }
                _ => return Err(Failure::SYNTAX),
            };
            self.words = rest;
            return Ok(Some(step));
        }
        Ok(None)
    }
}

impl Iterator for Steps<'_> {
    type Item = Result<Step, Failure>;

    fn next(&mut self) -> Option<Result<Step, Failure>> {
        self.step().transpose()
    }
}

fn parse_overflow(word: &[u8]) -> Result<Overflow, Failure> {
    if word.eq_ignore_ascii_case(b"WRAP") {
        Ok(Overflow::Wrap)
    } else if word.eq_ignore_ascii_case(b"SAT") {
        Ok(Overflow::Saturate)
    } else if word.eq_ignore_ascii_case(b"FAIL") {
        Ok(Overflow::Fail)
    } else {
        Err(BAD_OVERFLOW)
    }
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn fields_are_read_written_and_counted() {
        check(&[
            ("BITFIELD k", "*0"),
            ("BITFIELD k GET u8 0", "*1 :0"),
            ("EXISTS k", ":0"),
            ("BITFIELD k SET u8 0 255 GET u8 0 INCRBY u8 #1 10 GET i8 0", "*4 :0 :255 :10 :-1"),
            ("GET k", "$2 \\xff\\n"),
            ("BITFIELD k INCRBY i5 100 1 GET u4 0", "*2 :1 :15"),
            ("STRLEN k", ":14"),
            (
                "BITFIELD k SET i64 #0 -1 GET i64 0 SET u63 1 9223372036854775807",
                "*3 :-69242844270821376 :-1 :9223372036854775807",
            ),
            ("SET n 1234 EX 10", "+OK"),
            ("BITFIELD n GET u8 #1", "*1 :50"),
            ("OBJECT ENCODING n", "$3 int"),
            ("BITFIELD n SET u8 8 57", "*1 :50"),
            ("GET n", "$4 1934"),
            ("TTL n", ":10"),
            ("BITFIELD_RO n GET u8 0 get u8 #1", "*2 :49 :57"),
            ("BITFIELD_RO n", "*0"),
            ("BITFIELD_RO none GET i64 1000", "*1 :0"),
        ]);
    }

    #[test]
    fn overflow_wraps_saturates_or_fails() {
        check(&[
            ("BITFIELD k INCRBY u2 100 1 OVERFLOW SAT INCRBY u2 102 1", "*2 :1 :1"),
            ("BITFIELD k INCRBY u2 100 1 OVERFLOW SAT INCRBY u2 102 1", "*2 :2 :2"),
            ("BITFIELD k INCRBY u2 100 1 OVERFLOW SAT INCRBY u2 102 1", "*2 :3 :3"),
            ("BITFIELD k INCRBY u2 100 1 OVERFLOW SAT INCRBY u2 102 1", "*2 :0 :3"),
            ("BITFIELD k OVERFLOW FAIL INCRBY u2 102 1", "*1 $-1"),
            ("BITFIELD k OVERFLOW fail SET u2 102 4 OVERFLOW wrap SET u2 102 5 GET u2 102", "*3 $-1 :3 :1"),
            ("BITFIELD k SET i8 0 200 GET i8 0", "*2 :0 :-56"),
            ("BITFIELD k OVERFLOW SAT SET i8 0 200 GET i8 0", "*2 :-56 :127"),
            ("BITFIELD fresh OVERFLOW FAIL SET u2 0 4", "*1 $-1"),
            ("STRLEN fresh", ":1"),
            ("@resp 3", ""),
            ("BITFIELD k OVERFLOW FAIL SET u2 102 4", "*1 _"),
        ]);
    }

    #[test]
    fn bad_requests_change_nothing() {
        const TYPE: &str =
            "-ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.";
        const OFFSET: &str = "-ERR bit offset is not an integer or out of range";
        const SYNTAX: &str = "-ERR syntax error";
        check(&[
            ("BITFIELD k SET u8 0 1 GET u64 0", TYPE),
            ("BITFIELD k SET u8 0 1 GET u8 -1", OFFSET),
            ("BITFIELD k GET u8 4294967296", OFFSET),
            ("BITFIELD k SET u8 0 1 GET u8", SYNTAX),
            ("BITFIELD k SET u8 0", SYNTAX),
            ("BITFIELD k SET u8 0 x", "-ERR value is not an integer or out of range"),
            ("BITFIELD k OVERFLOW", SYNTAX),
            ("BITFIELD k OVERFLOW never", "-ERR Invalid OVERFLOW type specified"),
            ("BITFIELD k WHAT u8 0", SYNTAX),
            ("BITFIELD_RO k SET u8 0 1", "-ERR BITFIELD_RO only supports the GET subcommand"),
            ("EXISTS k", ":0"),
        ]);
    }
}
