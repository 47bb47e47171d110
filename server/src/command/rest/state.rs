//! `GET /console/state` and the events of `/console/events`: what the console shows, as JSON.

use locksley_wire::resp::Reply;

use super::reply::{JSON_VALUE, begin};
use crate::command::context::Context;
use crate::command::row::{Args, Command, Flags, Group, JoinInput, Keys, Memory, Outcome, Run};
use crate::command::server::state;

pub(super) static STATE: Command = Command {
    name: "state",
    arity: 2,
    flags: Flags::LOADING.union(Flags::STALE).union(Flags::SKIP_SLOWLOG),
    keys: Keys::None,
    categories: &["dangerous"],
    group: Group::Rest,
    since: "Locksley 0.1.0",
    summary: "Returns all that the console shows",
    complexity: "O(N), N the number of clients",
    syntax: "",
    run: Run::Survey { part, join, memory: Memory::State },
};

/// Bytes that a state usually has.
const LIKELY_BYTES: usize = 12_000;

/// What is made of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StateForm {
    /// A whole response.
    Response,
    /// One event of a stream: `data: `, the state, an empty line, and nothing around it.
    Event,
}

impl StateForm {
    /// As it travels: the row's only argument.
    pub(crate) fn encode(self) -> &'static [u8] {
        match self {
            StateForm::Response => b"r",
            StateForm::Event => b"e",
        }
    }

    fn decode(bytes: &[u8]) -> StateForm {
        if bytes == StateForm::Event.encode() { StateForm::Event } else { StateForm::Response }
    }
}

fn part(context: &mut Context<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    state::part(context, reply.buffer())
}

fn join(input: &JoinInput<'_>, reply: &mut Reply<'_>) -> Outcome {
    let out = reply.buffer();
    match StateForm::decode(input.args[1]) {
        StateForm::Event => {
            out.extend_from_slice(b"data: ");
            state::write_body(input, out)?;
            out.extend_from_slice(b"\n\n");
        }
        StateForm::Response => {
            let mut body = Vec::with_capacity(LIKELY_BYTES);
            state::write_body(input, &mut body)?;
            begin(out, input.dialect.http(), input.config, 200).lines(JSON_VALUE).body(&body);
        }
    }
    Ok(())
}
