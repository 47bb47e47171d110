//! `GET /console/events`: a response that does not end, of which every half second another event is written.
//!
//! The handler writes the head; the loop then runs the row [`State`](super::Verb::State) for the client again and again
//! (`turn/streams.rs`), whose reply is an event. The body ends with its connection, so that it needs neither a length nor
//! chunks.
//!
//! Source: the WHATWG HTML standard, 9.2 "Server-sent events".

use locksley_wire::http::Manner;
use locksley_wire::resp::Reply;

use super::reply::{begin as begin_response, error};
use crate::command::context::Context;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};
use crate::limits::EVENT_STREAM_COUNT_MAX;
use crate::thread::Order;

pub(super) static EVENTS: Command = Command {
    name: "events",
    arity: 1,
    flags: Flags::LOADING.union(Flags::STALE),
    keys: Keys::None,
    categories: &["dangerous"],
    group: Group::Rest,
    since: "Locksley 0.1.0",
    summary: "Returns what the console shows twice a second",
    complexity: "O(N) an event, N the number of clients",
    syntax: "",
    run: Run::Home(begin),
};

/// Fields of a response that is a stream of events; the last one is for proxies that would collect them.
const FIELDS: &[u8] = b"Content-Type: text/event-stream\r\nCache-Control: no-store\r\n\
    X-Content-Type-Options: nosniff\r\nX-Accel-Buffering: no\r\n";

const TOO_MANY: &str = "too many streams of events are open";

fn begin(context: &mut Context<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let manner = Manner { closes: true, ..context.caller.dialect.http() };
    let (slot, thread) = (context.caller.slot, &mut *context.thread);
    if !manner.is_head && thread.event_stream_count >= EVENT_STREAM_COUNT_MAX {
        let manner = context.caller.dialect.http();
        error(reply.buffer(), manner, &thread.config, 503, TOO_MANY);
        return Ok(());
    }
    begin_response(reply.buffer(), manner, &thread.config, 200).lines(FIELDS).end();
    thread.orders.push(if manner.is_head { Order::CloseAfterReplies(slot) } else { Order::Stream(slot) });
    Ok(())
}
