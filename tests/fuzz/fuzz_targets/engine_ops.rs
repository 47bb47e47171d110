//! Whatever history the fuzzer writes, a shard and a plain map agree at every step of it, and every invariant holds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use locksley_engine::model::{self, Tape};

/// Steps of one history: long ones are slow and teach the fuzzer little that short ones do not.
const STEP_COUNT_MAX: usize = 2_000;

fuzz_target!(|bytes: &[u8]| model::run(&mut Tape(bytes), STEP_COUNT_MAX));
