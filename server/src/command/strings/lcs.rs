//! LCS: the longest common subsequence of two values.
//!
//! The table of lengths is filled row by row and only its last row is kept. What the way back needs of the others is
//! one bit a cell, whether the cell above is greater than the one to the left: a 32nd of a table of lengths. Ties go
//! left, as in Redis, so that the same one of several longest subsequences is found.
//!
//! Work and memory grow with the product of the lengths, so the product has a limit.

use locksley_engine::Entry;
use locksley_wire::resp::Reply;

use crate::command::effect::Effects;
use crate::command::failure::Failure;
use crate::command::number::integer;
use crate::command::row::{
    Args, Command, DecideInput, Flags, Group, Keys, Outcome, PlanInput, PlanRead, PlannedKey, Run,
};
use crate::command::string_value::{Text, string_value};
use crate::limits::LCS_CELL_COUNT_MAX;

/// LEN and IDX were both asked for.
const LEN_AND_IDX: Failure = Failure::fixed("ERR If you want both the length and indexes, please just use IDX.");

/// The product of the lengths passes its limit.
const TOO_LONG: Failure =
    Failure::fixed("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");

pub(super) static LCS: Command = Command {
    name: "lcs",
    arity: -3,
    flags: Flags::READONLY,
    keys: Keys::FIRST_TWO,
    categories: &["string"],
    group: Group::String,
    since: "7.0.0",
    summary: "Returns the longest common subsequence of two strings",
    complexity: "O(N*M), N and M the lengths of the strings",
    syntax: "key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]",
    run: Run::Atomic { plan, decide },
};

/// In which form the answer is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// The subsequence.
    Text,
    /// LEN: its length.
    Length,
    /// IDX: its length, and where its parts are in both strings.
    Matches,
}

struct Options {
    form: Form,
    /// MINMATCHLEN: shorter matches are left out.
    length_min: u64,
    /// WITHMATCHLEN: each match comes with its length.
    shows_length: bool,
}

/// A run of bytes that is in both strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Match {
    first: usize,
    second: usize,
    length: usize,
}

fn plan(input: &PlanInput<'_>, planned: &mut Vec<PlannedKey>) -> Outcome {
    Options::parse(input.args)?;
    planned.push(PlannedKey { argument: 1, db: input.db, read: PlanRead::Value });
    planned.push(PlannedKey { argument: 2, db: input.db, read: PlanRead::Value });
    Ok(())
}

fn decide<'a>(input: &DecideInput<'a, '_>, _: &mut Effects<'a>, reply: &mut Reply<'_>) -> Outcome {
    let options = Options::parse(input.args)?;
    let (first, second) = (text(input.reads[0])?, text(input.reads[1])?);
    let (first, second) = (&*first, &*second);
    if (first.len() as u64 + 1) * (second.len() as u64 + 1) > LCS_CELL_COUNT_MAX {
        return Err(TOO_LONG);
    }
    let mut lengths = Lengths::new(first, second, options.form != Form::Length);
    lengths.fill(first, second);
    match options.form {
        Form::Length => reply.integer(i64::from(lengths.last())),
        Form::Text => {
            let mut common = Vec::with_capacity(lengths.last() as usize);
            lengths.walk_back(first, second, |found| common.push(first[found.first]));
            common.reverse();
            reply.bulk(&common);
        }
        Form::Matches => write_matches(&lengths.matches(first, second), lengths.last(), &options, reply),
    }
    Ok(())
}

fn text(read: Option<Entry<'_>>) -> Result<Text<'_>, Failure> {
    read.map_or(Ok(Text::Bytes(b"")), |entry| Ok(string_value(&entry)?.text()))
}

fn write_matches(matches: &[Match], total: u32, options: &Options, reply: &mut Reply<'_>) {
    let is_shown = |found: &&Match| found.length as u64 >= options.length_min;
    reply.map(2);
    reply.bulk(b"matches");
    reply.array(matches.iter().filter(is_shown).count());
    for found in matches.iter().filter(is_shown) {
        reply.array(if options.shows_length { 3 } else { 2 });
        for start in [found.first, found.second] {
            reply.array(2);
            reply.integer(start as i64);
            reply.integer((start + found.length - 1) as i64);
        }
        if options.shows_length {
            reply.integer(found.length as i64);
        }
    }
    reply.bulk(b"len");
    reply.integer(i64::from(total));
}

impl Options {
    fn parse(args: Args<'_>) -> Result<Options, Failure> {
        let mut options = Options { form: Form::Text, length_min: 0, shows_length: false };
        let (mut wants_length, mut wants_matches) = (false, false);
        let mut words = args[3..].iter();
        while let Some(word) = words.next() {
            let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
            if is(b"LEN") {
                wants_length = true;
            } else if is(b"IDX") {
                wants_matches = true;
            } else if is(b"WITHMATCHLEN") {
                options.shows_length = true;
            } else if is(b"MINMATCHLEN") {
                let length = integer(words.next().ok_or(Failure::SYNTAX)?)?;
                options.length_min = length.max(0) as u64;
            } else {
                return Err(Failure::SYNTAX);
            }
        }
        options.form = match (wants_length, wants_matches) {
            (true, true) => return Err(LEN_AND_IDX),
            (true, false) => Form::Length,
            (false, true) => Form::Matches,
            (false, false) => Form::Text,
        };
        Ok(options)
    }
}

/// The table of the lengths of common subsequences of all pairs of prefixes.
struct Lengths {
    /// The row that was filled last, with a zero in front.
    row: Vec<u32>,
    /// For each cell whether to go up from it, row after row; empty when nobody will go back.
    ups: Vec<u64>,
    width: usize,
}

impl Lengths {
    fn new(first: &[u8], second: &[u8], keeps_ways: bool) -> Lengths {
        let word_count = if keeps_ways { (first.len() * second.len()).div_ceil(64) } else { 0 };
        Lengths { row: vec![0; second.len() + 1], ups: vec![0; word_count], width: second.len() }
    }

    fn fill(&mut self, first: &[u8], second: &[u8]) {
        for (row_index, a) in first.iter().enumerate() {
            let (mut diagonal, mut left) = (0, 0);
            for (column, b) in second.iter().enumerate() {
                let above = self.row[column + 1];
                if !self.ups.is_empty() && above > left {
                    let cell = row_index * self.width + column;
                    self.ups[cell / 64] |= 1 << (cell % 64);
                }
                left = if a == b { diagonal + 1 } else { above.max(left) };
                diagonal = above;
                self.row[column + 1] = left;
            }
        }
    }

    /// The length for the whole strings.
    fn last(&self) -> u32 {
        *self.row.last().expect("a row has a zero in front")
    }

    /// Shows each byte of the subsequence, the last first, as a match of length 1.
    fn walk_back(&self, first: &[u8], second: &[u8], mut each: impl FnMut(Match)) {
        let (mut row, mut column) = (first.len(), second.len());
        while row > 0 && column > 0 {
            if first[row - 1] == second[column - 1] {
                (row, column) = (row - 1, column - 1);
                each(Match { first: row, second: column, length: 1 });
                continue;
            }
            let cell = (row - 1) * self.width + column - 1;
            if self.ups[cell / 64] >> (cell % 64) & 1 == 1 {
                row -= 1;
            } else {
                column -= 1;
            }
        }
    }

    /// The runs of the subsequence, the last first.
    fn matches(&self, first: &[u8], second: &[u8]) -> Vec<Match> {
        let mut matches: Vec<Match> = Vec::new();
        self.walk_back(first, second, |found| match matches.last_mut() {
            Some(run) if run.first == found.first + 1 && run.second == found.second + 1 => {
                *run = Match { length: run.length + 1, ..found };
            }
            _ => matches.push(found),
        });
        matches
    }
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn the_subsequence_its_length_and_its_places_are_found() {
        check(&[
            ("MSET a ohmytext b mynewtext", "+OK"),
            ("LCS a b", "$6 mytext"),
            ("LCS a b LEN", ":6"),
            ("LCS a b IDX", "*4 $7 matches *2 *2 *2 :4 :7 *2 :5 :8 *2 *2 :2 :3 *2 :0 :1 $3 len :6"),
            ("LCS a b IDX MINMATCHLEN 4", "*4 $7 matches *1 *2 *2 :4 :7 *2 :5 :8 $3 len :6"),
            ("LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN", "*4 $7 matches *1 *3 *2 :4 :7 *2 :5 :8 :4 $3 len :6"),
            ("LCS a b MINMATCHLEN -1 WITHMATCHLEN", "$6 mytext"),
            ("@resp 3", ""),
            ("LCS a b idx minmatchlen 9", "%2 $7 matches *0 $3 len :6"),
        ]);
    }

    #[test]
    fn an_absent_key_is_an_empty_string() {
        check(&[
            ("SET a 12345", "+OK"),
            ("SET b 245", "+OK"),
            ("LCS a b", "$3 245"),
            ("LCS a none", "$0 "),
            ("LCS none a LEN", ":0"),
            ("LCS none none IDX", "*4 $7 matches *0 $3 len :0"),
        ]);
    }

    #[test]
    fn bad_requests_are_refused() {
        check(&[
            ("LCS a b LEN IDX", "-ERR If you want both the length and indexes, please just use IDX."),
            ("LCS a b WHAT", "-ERR syntax error"),
            ("LCS a b MINMATCHLEN", "-ERR syntax error"),
            ("LCS a b MINMATCHLEN x", "-ERR value is not an integer or out of range"),
            ("SETRANGE a 29999 a", ":30000"),
            ("SETRANGE b 29999 a", ":30000"),
            ("LCS a b", "-ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"),
        ]);
    }
}
