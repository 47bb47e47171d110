//! How durability stands, as the client's own thread sees it: what all threads share is reported once.

use std::sync::atomic::{AtomicU64, Ordering};

use locksley_engine::Millis;

use super::numbers::LogNumbers;
use crate::command::server::pack::{Reader, write_number, write_numbers, write_text};
use crate::persist::{ShardFace, Status};
use crate::thread::Thread;

/// Log, snapshots and loading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::command) struct Durability {
    /// When the report was made.
    pub at: Millis,
    /// Some shard is being loaded.
    pub is_loading: bool,
    /// Changes are logged.
    pub is_logging: bool,
    /// Size of a log segment.
    pub segment_bytes: u64,
    /// Changes since the last good snapshot.
    pub change_count: u64,
    /// What the keepers say.
    pub status: Status,
    /// The logs, by shard.
    pub logs: Vec<LogNumbers>,
}

impl Durability {
    /// How things stand for `thread` and all others.
    pub(super) fn of(thread: &Thread) -> Durability {
        let persist = &thread.shared.persist;
        Durability {
            at: thread.now,
            is_loading: persist.is_loading(),
            is_logging: thread.config.appendonly,
            segment_bytes: thread.config.wal_segment_size,
            change_count: persist.changes_since_snapshot(),
            status: persist.status(),
            logs: persist.shards().iter().map(LogNumbers::of).collect(),
        }
    }

    /// The logs of all shards together.
    pub(in crate::command) fn all_logs(&self) -> LogNumbers {
        let mut all = LogNumbers::default();
        self.logs.iter().for_each(|log| all.add(log));
        all
    }

    /// How long the running snapshot has been running, in milliseconds.
    pub(in crate::command) fn snapshot_running_ms(&self) -> Option<u64> {
        self.status.snapshot_began_at.map(|began_at| self.at.0.saturating_sub(began_at.0))
    }

    /// How much of the loading is done, from 0 to 1; 1 where nothing is being loaded.
    pub(in crate::command) fn load_share(&self) -> f64 {
        let logs = self.all_logs();
        match (self.is_loading, logs.load_total_bytes) {
            (false, _) => 1.0,
            (true, 0) => 0.0,
            (true, total) => (logs.loaded_bytes as f64 / total as f64).min(1.0),
        }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let Status {
            snapshot_began_at,
            last_snapshot_at,
            is_last_snapshot_good,
            last_snapshot_error,
            last_snapshot_ms,
            last_snapshot_bytes,
            snapshot_count,
            change_count_at_snapshot,
            log_bytes_at_snapshot,
            load_began_at,
            load_ms,
            loaded_items,
            loaded_records,
            cut_bytes,
            write_failure,
        } = &self.status;
        write_numbers(
            &[
                self.at.0,
                u64::from(self.is_loading),
                u64::from(self.is_logging),
                self.segment_bytes,
                self.change_count,
                last_snapshot_at.0,
                u64::from(*is_last_snapshot_good),
                *last_snapshot_bytes,
                *snapshot_count,
                *change_count_at_snapshot,
                *log_bytes_at_snapshot,
                load_began_at.0,
                *load_ms,
                *loaded_items,
                *loaded_records,
                *cut_bytes,
            ],
            out,
        );
        write_option(snapshot_began_at.map(|at| at.0), out);
        write_option(*last_snapshot_ms, out);
        write_text(last_snapshot_error, out);
        write_text(write_failure, out);
        write_number(self.logs.len() as u64, out);
        self.logs.iter().for_each(|log| log.write(out));
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Durability {
        let at = Millis(reader.number());
        let (is_loading, is_logging) = (reader.number() == 1, reader.number() == 1);
        let (segment_bytes, change_count) = (reader.number(), reader.number());
        let status = Status {
            last_snapshot_at: Millis(reader.number()),
            is_last_snapshot_good: reader.number() == 1,
            last_snapshot_bytes: reader.number(),
            snapshot_count: reader.number(),
            change_count_at_snapshot: reader.number(),
            log_bytes_at_snapshot: reader.number(),
            load_began_at: Millis(reader.number()),
            load_ms: reader.number(),
            loaded_items: reader.number(),
            loaded_records: reader.number(),
            cut_bytes: reader.number(),
            snapshot_began_at: read_option(reader).map(Millis),
            last_snapshot_ms: read_option(reader),
            last_snapshot_error: reader.text(),
            write_failure: reader.text(),
        };
        let logs = (0..reader.number()).map(|_| LogNumbers::read(reader)).collect();
        Durability { at, is_loading, is_logging, segment_bytes, change_count, status, logs }
    }
}

impl LogNumbers {
    fn of(face: &ShardFace) -> LogNumbers {
        let load = |number: &AtomicU64| number.load(Ordering::Relaxed);
        LogNumbers {
            appended: load(&face.appended),
            durable: load(&face.durable),
            bytes: load(&face.log_bytes),
            loaded_bytes: load(&face.loaded_bytes),
            load_total_bytes: load(&face.load_total_bytes),
            syncs: load(&face.sync_count),
            sync_micros: load(&face.sync_micros),
            sync_micros_max: load(&face.sync_micros_max),
        }
    }
}

fn write_option(number: Option<u64>, out: &mut Vec<u8>) {
    write_numbers(&[u64::from(number.is_some()), number.unwrap_or(0)], out);
}

fn read_option(reader: &mut Reader<'_>) -> Option<u64> {
    let (is_some, number) = (reader.number() == 1, reader.number());
    is_some.then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Durability {
        let log = LogNumbers { bytes: 7, syncs: 2, sync_micros: 30, sync_micros_max: 20, ..LogNumbers::default() };
        Durability {
            at: Millis(5_000),
            is_loading: true,
            is_logging: false,
            segment_bytes: 1,
            change_count: 2,
            status: Status {
                snapshot_began_at: Some(Millis(3_500)),
                last_snapshot_error: "no room".to_owned(),
                cut_bytes: 9,
                ..Status::default()
            },
            logs: vec![log.clone(), LogNumbers { sync_micros_max: 25, loaded_bytes: 1, load_total_bytes: 4, ..log }],
        }
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        let mut bytes = Vec::new();
        example().write(&mut bytes);
        let mut reader = Reader::new(&bytes);
        assert_eq!(Durability::read(&mut reader), example());
        assert!(reader.is_at_end());
    }

    #[test]
    fn logs_add_up_and_the_longest_sync_is_the_longest() {
        let all = example().all_logs();
        assert_eq!((all.bytes, all.syncs, all.sync_micros, all.sync_micros_max), (14, 4, 60, 25));
        assert_eq!(example().snapshot_running_ms(), Some(1_500));
        assert!((example().load_share() - 0.25).abs() < f64::EPSILON);
        assert!((Durability { is_loading: false, ..example() }.load_share() - 1.0).abs() < f64::EPSILON);
    }
}
