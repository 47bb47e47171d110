//! LOLWUT: an archer's target, with arrows where chance puts them, and the version below.

use std::fmt::Write;

use locksley_wire::number::parse_i64;
use locksley_wire::resp::Reply;

use crate::command::context::Context;
use crate::command::failure::Failure;
use crate::command::row::{Args, Command, Flags, Group, Keys, Outcome, Run};
use crate::thread::Random;
use crate::version::{LOCKSLEY_VERSION, REDIS_VERSION};

pub(super) static LOLWUT: Command = Command {
    name: "lolwut",
    arity: -1,
    flags: Flags::READONLY.union(Flags::FAST),
    keys: Keys::None,
    categories: &[],
    group: Group::Server,
    since: "5.0.0",
    summary: "Shoots arrows at a target",
    complexity: "O(1)",
    syntax: "[VERSION version] [arrows]",
    run: Run::Home(lolwut),
};

/// Half the height of the target in lines; a character is half as wide as it is high.
const RADIUS: i32 = 9;

/// Arrows shot unless told otherwise, and at most.
const ARROW_COUNT: (i64, i64) = (5, 100);

fn lolwut(context: &mut Context<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let words = match &args[1..] {
        [word, version, rest @ ..] if word.eq_ignore_ascii_case(b"version") => {
            parse_i64(version).ok_or(Failure::NOT_INTEGER)?;
            rest
        }
        words => words,
    };
    let (default, most) = ARROW_COUNT;
    let count = words.first().map_or(Some(default), |word| parse_i64(word)).ok_or(Failure::NOT_INTEGER)?;
    let mut text = target(count.clamp(0, most), &mut context.thread.random);
    writeln!(text, "\nRedis ver. {REDIS_VERSION} (Locksley {LOCKSLEY_VERSION})").expect("a string takes all");
    reply.verbatim("txt", text.as_bytes());
    Ok(())
}

fn target(arrow_count: i64, random: &mut Random) -> String {
    let mut lines: Vec<Vec<u8>> =
        (-RADIUS..=RADIUS).map(|y| (-2 * RADIUS..=2 * RADIUS).map(|x| ring(x, y)).collect()).collect();
    for _ in 0..arrow_count {
        // The mean of three throws falls near the middle more often than at the rim.
        let mut throw = |span: usize| (0..3).map(|_| random.next() as usize % span).sum::<usize>() / 3;
        let (y, x) = (throw(lines.len()), throw(lines[0].len()));
        lines[y][x] = b'X';
        for (index, shaft) in lines[y][x + 1..].iter_mut().take(4).enumerate() {
            *shaft = if index == 3 { b'>' } else { b'-' };
        }
    }
    let mut text = String::new();
    for line in lines {
        text += String::from_utf8(line).expect("the target is drawn in ASCII").trim_end();
        text.push('\n');
    }
    text
}

/// What the target looks like so far from its middle.
fn ring(x: i32, y: i32) -> u8 {
    let distance = f64::from(x * x / 4 + y * y).sqrt();
    match distance as i32 {
        0 => b'@',
        RADIUS.. => b' ',
        distance if distance % 3 == 2 => b'o',
        _ => b'.',
    }
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Rig, check};

    #[test]
    fn the_version_is_below_the_picture() {
        let text = Rig::new(1).reply("LOLWUT VERSION 5 3");
        assert!(text.contains("Redis ver. 7.2."), "{text}");
        check(&[("LOLWUT VERSION x", "-ERR value is not an integer or out of range")]);
    }
}
