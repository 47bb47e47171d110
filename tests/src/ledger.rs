//! What a server was told and what of it it acknowledged, and what it may therefore hold after a crash.
//!
//! A ledger belongs to one connection and to keys that no other connection writes. For each key it has the states the
//! key went through, in order, each with the time of its acknowledgement:
//!
//! ```text
//!   key a:   absent ── "1" ── "12" ── absent ── "7" ── "71"
//!            known    12:00   12:00   12:01     12:02   not acknowledged
//!                                     └──────── allowed ───────┘   what is safe: acknowledged up to 12:01
//!                                               └── allowed ───┘   what is safe: all that was acknowledged
//! ```
//!
//! After a crash a key may be in the last state that is safe or in any later one. Keys are judged one by one, because an
//! unacknowledged command over several shards may have happened in part. After [`Ledger::verify`] the ledger starts
//! again from what was found.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::client::{Client, request};
use crate::reply::Reply;
use crate::text::quote;

/// Keys that one pipeline asks for.
const ASKED_COUNT: usize = 100;
/// How far the time by which a server counts may lie from the time: it is taken once for many requests.
const CLOCK_SLACK_MS: u64 = 1_000;

/// When a key expires, in Unix milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// Not at all.
    Never,
    /// Then, exactly.
    At(u64),
    /// So many milliseconds after the server carried the command out.
    In(u64),
    /// Not before the first and not after the second: the server counted from a moment that is not known.
    Between(u64, u64),
}

/// A key that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Its value.
    pub value: Arc<[u8]>,
    /// Its expiry.
    pub expiry: Expiry,
}

impl State {
    /// A key that does not expire.
    pub fn lasting(value: &[u8]) -> Self {
        Self { value: value.into(), expiry: Expiry::Never }
    }
}

/// A key in its database.
pub type Name = (u32, String);

/// What one request changes: keys and what they are afterwards.
pub type Effects = Vec<(Name, Option<State>)>;

/// A state that a key went through.
#[derive(Clone, Debug)]
struct Step {
    state: Option<State>,
    sent_at: u64,
    acknowledged_at: Option<u64>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Ledger {
    keys: BTreeMap<Name, Vec<Step>>,
    /// For each request that has no reply yet, the steps it made.
    in_flight: VecDeque<Vec<(Name, usize)>>,
}

impl Ledger {
    /// What a key is once everything sent has happened.
    pub fn now(&self, name: &Name) -> Option<&State> {
        self.keys.get(name)?.last()?.state.as_ref()
    }

    /// The keys of a database that are there once everything sent has happened.
    pub fn names(&self, db: u32) -> Vec<Name> {
        let range = self.keys.range((db, String::new())..(db + 1, String::new()));
        range
            .filter(|(_, steps)| steps.last().is_some_and(|step| step.state.is_some()))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// Notes a request that is being sent.
    pub fn send(&mut self, effects: Effects) {
        let sent_at = now_ms();
        let mut made = Vec::with_capacity(effects.len());
        for (name, mut state) in effects {
            if let Some(State { expiry: expiry @ Expiry::In(_), .. }) = &mut state {
                let Expiry::In(ttl) = *expiry else { unreachable!("it was matched") };
                *expiry = Expiry::Between((sent_at + ttl).saturating_sub(CLOCK_SLACK_MS), u64::MAX);
            }
            let steps = self.keys.entry(name.clone()).or_insert_with(|| vec![Step::known(None)]);
            steps.push(Step { state, sent_at, acknowledged_at: None });
            made.push((name, steps.len() - 1));
        }
        self.in_flight.push_back(made);
    }

    /// Notes that the oldest request without a reply has got one.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn acknowledge(&mut self) {
        let now = now_ms();
        for (name, index) in self.in_flight.pop_front().expect("a reply answers a request") {
            let step = &mut self.keys.get_mut(&name).expect("a step was made")[index];
            step.acknowledged_at = Some(now);
            if let Some(State { expiry: Expiry::Between(first, last @ u64::MAX), .. }) = &mut step.state {
                *last = *first + (now - step.sent_at) + 2 * CLOCK_SLACK_MS;
            }
        }
    }

    /// Notes changes that were acknowledged already.
    ///
    /// # Panics
    ///
    /// If a request is under way.
    pub fn note(&mut self, effects: Effects) {
        assert!(self.in_flight.is_empty(), "nothing is under way");
        self.send(effects);
        self.acknowledge();
    }

    /// Reads every key and judges it: what was acknowledged up to `safe_at` (Unix milliseconds) must be there. Then the
    /// ledger starts from what was found. Gives how many keys there are.
    ///
    /// # Errors
    ///
    /// What is wrong, a line for each key.
    ///
    /// # Panics
    ///
    /// If the server does not answer.
    pub fn verify(&mut self, client: &mut Client, safe_at: u64) -> Result<usize, String> {
        let names: Vec<Name> = self.keys.keys().cloned().collect();
        let mut wrong = Vec::new();
        let mut count = 0;
        for part in names.chunks(ASKED_COUNT) {
            let asked_at = now_ms();
            let found = read(client, part);
            let answered_at = now_ms();
            for (name, found) in part.iter().zip(found) {
                let steps = self.keys.get_mut(name).expect("it is one of the keys");
                if let Err(line) = judge(steps, found.as_ref(), safe_at, asked_at, answered_at) {
                    wrong.push(format!("db {} key {}: {line}", name.0, name.1));
                }
                count += usize::from(found.is_some());
                *steps = vec![Step::known(found)];
            }
        }
        self.keys.retain(|_, steps| steps[0].state.is_some());
        self.in_flight.clear();
        if wrong.is_empty() { Ok(count) } else { Err(wrong.join("\n")) }
    }
}

impl Step {
    /// A state that is there for certain.
    fn known(state: Option<State>) -> Self {
        Self { state, sent_at: 0, acknowledged_at: Some(0) }
    }
}

/// The time, in Unix milliseconds.
///
/// # Panics
///
/// If the clock stands before 1970.
pub fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is set").as_millis() as u64
}

/// What the server has under these names.
fn read(client: &mut Client, names: &[Name]) -> Vec<Option<State>> {
    let mut bytes = Vec::new();
    for (db, key) in names {
        bytes.extend(request(&["SELECT", &db.to_string()]));
        bytes.extend(request(&["GET", key]));
        bytes.extend(request(&["PEXPIRETIME", key]));
    }
    client.send_raw(&bytes).expect("the server reads");
    let mut next = || client.read().unwrap_or_else(|error| panic!("reading back: {error}"));
    names
        .iter()
        .map(|_| {
            let (selected, value, expiry) = (next(), next(), next());
            assert_eq!(selected.to_string(), "+OK");
            // A key that expires between the two is gone.
            match (value, expiry.integer()) {
                (Reply::Nil, _) | (_, -2) => None,
                (Reply::Bulk(value), -1) => Some(State::lasting(&value)),
                (Reply::Bulk(value), at) => Some(State { value: value.into(), expiry: Expiry::At(at as u64) }),
                (other, _) => panic!("GET answers {other}"),
            }
        })
        .collect()
}

/// Whether a key may be what it was found to be.
fn judge(steps: &[Step], found: Option<&State>, safe_at: u64, asked_at: u64, answered_at: u64) -> Result<(), String> {
    let is_safe = |step: &Step| step.acknowledged_at.is_some_and(|at| at <= safe_at);
    let first = steps.iter().rposition(is_safe).expect("every key begins with what was known");
    let is_allowed = |step: &&Step| fits(step.state.as_ref(), found, asked_at, answered_at);
    if steps[first..].iter().any(|step| is_allowed(&step)) {
        return Ok(());
    }
    let verdict = match steps[..first].iter().rposition(|step| is_allowed(&step)) {
        Some(index) => format!("{} steps too old", first - index),
        None => "it was never so".to_owned(),
    };
    let shown: Vec<String> = steps[first..].iter().take(6).map(|step| show(step.state.as_ref())).collect();
    let behind = steps[first..].len() - shown.len();
    let word = if steps[first].acknowledged_at == Some(0) { "known" } else { "acknowledged" };
    Err(format!(
        "{} was found ({verdict}); {word}: {}{}",
        show(found),
        shown.join(", or sent later: "),
        if behind > 0 { format!(", and {behind} more") } else { String::new() }
    ))
}

fn fits(state: Option<&State>, found: Option<&State>, asked_at: u64, answered_at: u64) -> bool {
    let Some(state) = state else { return found.is_none() };
    let (first, last) = match state.expiry {
        Expiry::Never => (u64::MAX, u64::MAX),
        Expiry::At(at) => (at, at),
        Expiry::Between(first, last) => (first, last),
        Expiry::In(_) => unreachable!("it was sent at some time"),
    };
    let Some(found) = found else { return first <= answered_at };
    let is_expiry = match found.expiry {
        Expiry::At(at) => (first..=last).contains(&at) && state.expiry != Expiry::Never,
        _ => state.expiry == Expiry::Never,
    };
    found.value == state.value && is_expiry && last > asked_at
}

fn show(state: Option<&State>) -> String {
    let Some(State { value, expiry }) = state else { return "nothing".to_owned() };
    let start = quote(&value[..value.len().min(40)]);
    format!("{start} ({} bytes, {expiry:?})", value.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(value: &str, acknowledged_at: Option<u64>) -> Step {
        let state = (!value.is_empty()).then(|| State::lasting(value.as_bytes()));
        Step { state, sent_at: 0, acknowledged_at }
    }

    #[test]
    fn what_was_acknowledged_in_time_must_be_there() {
        let steps = [step("", Some(0)), step("1", Some(10)), step("2", Some(20)), step("", Some(30)), step("4", None)];
        for (safe_at, found, is_right) in [
            (u64::MAX, "", true),
            (u64::MAX, "4", true),
            (u64::MAX, "2", false),
            (u64::MAX, "5", false),
            (25, "2", true),
            (25, "", true),
            (25, "4", true),
            (25, "1", false),
            (5, "1", true),
        ] {
            let found = (!found.is_empty()).then(|| State::lasting(found.as_bytes()));
            let verdict = judge(&steps, found.as_ref(), safe_at, 100, 101);
            assert_eq!(verdict.is_ok(), is_right, "{safe_at} {found:?}: {verdict:?}");
        }
    }

    #[test]
    fn a_key_is_gone_from_its_expiry_on() {
        let with = |expiry| Some(State { value: b"v".as_slice().into(), expiry });
        for (expiry, found, is_right) in [
            (Expiry::At(50), with(Expiry::At(50)), false),
            (Expiry::At(50), None, true),
            (Expiry::At(200), None, false),
            (Expiry::At(200), with(Expiry::At(200)), true),
            (Expiry::At(200), with(Expiry::At(201)), false),
            (Expiry::At(200), with(Expiry::Never), false),
            (Expiry::Never, with(Expiry::At(200)), false),
            (Expiry::Between(90, 120), None, true),
            (Expiry::Between(90, 120), with(Expiry::At(115)), true),
            (Expiry::Between(90, 120), with(Expiry::At(121)), false),
        ] {
            let is_fit = fits(with(expiry).as_ref(), found.as_ref(), 100, 110);
            assert_eq!(is_fit, is_right, "{expiry:?} {found:?}");
        }
    }

    #[test]
    fn the_unknown_end_of_an_expiry_is_set_by_the_reply() {
        let mut ledger = Ledger::default();
        let name = (0, "k".to_owned());
        let sent = now_ms();
        let state = State { value: b"v".as_slice().into(), expiry: Expiry::In(5_000) };
        ledger.note(vec![(name.clone(), Some(state))]);
        let Some(State { expiry: Expiry::Between(first, last), .. }) = ledger.now(&name) else { panic!("it is there") };
        assert!((sent + 4_000..=sent + 5_000).contains(first) && (sent + 5_000..=now_ms() + 6_000).contains(last));
    }
}
