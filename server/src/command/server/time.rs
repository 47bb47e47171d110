//! TIME: the server's clock.

use std::time::{SystemTime, UNIX_EPOCH};

use locksley_wire::resp::Reply;

use crate::command::context::Context;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};

pub(super) static TIME: Command = Command {
    name: "time",
    arity: 1,
    flags: Flags::LOADING.union(Flags::STALE).union(Flags::FAST),
    keys: Keys::None,
    categories: &[],
    group: Group::Server,
    since: "2.6.0",
    summary: "Returns the server's time: seconds since 1970, and microseconds of the running second",
    complexity: "O(1)",
    syntax: "",
    run: Run::Home(time),
};

fn time(_: &mut Context<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    reply.array(2);
    reply.bulk_integer(now.as_secs() as i64);
    reply.bulk_integer(i64::from(now.subsec_micros()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::Rig;

    #[test]
    fn the_time_is_two_numbers() {
        let reply = Rig::new(1).reply("TIME");
        let words: Vec<&str> = reply.split(' ').collect();
        assert_eq!((words[0], words.len()), ("*2", 5), "{reply}");
        assert!(words[2].parse::<u64>().is_ok() && words[4].parse::<u32>().is_ok_and(|micros| micros < 1_000_000));
    }
}
