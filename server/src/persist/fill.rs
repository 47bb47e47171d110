//! Filling a shard from files, a slice a turn, so that its clients are told that it is loading.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use locksley_engine::Shard;
use locksley_engine::recover::{Fault, Loaded, Loader, LoaderOptions, Plan, Step};
use locksley_wire::slot::slot;

use super::disk::Files;
use super::face::Persist;
use crate::limits::{FILL_SLICE_MICROS, FILL_STEP_BYTES};

/// A shard being filled.
pub(super) struct Fill {
    loader: Loader<Files>,
    shard: u16,
}

impl Fill {
    /// Begins to fill `shard` with what `plan` names.
    pub(super) fn new(files: Files, plan: Arc<Plan>, shard: u16, persist: &Persist, repair: bool) -> Fill {
        let shard_count = persist.shards().len() as u16;
        let options = LoaderOptions { shard, shard_count, slot: |key| slot(key).0, repair };
        let face = &persist.shards()[usize::from(shard)];
        face.loaded_bytes.store(0, Ordering::Relaxed);
        face.load_total_bytes.store(0, Ordering::Relaxed);
        Fill { loader: Loader::new(files, plan, options), shard }
    }

    /// Reads for a millisecond or two; returns what came of it when all is read, or nothing can be.
    pub(super) fn step(&mut self, shard: &mut Shard, persist: &Persist) -> Option<Result<Loaded, Fault>> {
        let face = &persist.shards()[usize::from(self.shard)];
        let start = Instant::now();
        while start.elapsed() < Duration::from_micros(FILL_SLICE_MICROS) {
            match self.loader.step(shard, FILL_STEP_BYTES) {
                Ok(Step::Reading { read_bytes, total_bytes }) => {
                    face.loaded_bytes.store(read_bytes, Ordering::Relaxed);
                    face.load_total_bytes.store(total_bytes, Ordering::Relaxed);
                }
                Ok(Step::Done(loaded)) => {
                    let total_bytes = face.load_total_bytes.load(Ordering::Relaxed);
                    face.loaded_bytes.store(total_bytes, Ordering::Relaxed);
                    return Some(Ok(loaded));
                }
                Err(fault) => return Some(Err(fault)),
            }
        }
        None
    }
}
