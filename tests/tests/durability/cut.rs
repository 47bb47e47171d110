//! The power goes: the file system stops taking anything, the process is killed, the disk is what had reached it.
//!
//! Under `always` everything acknowledged is there afterwards. Under `everysec` everything acknowledged two seconds before the
//! cut is, and each shard holds a prefix of what it was sent; the server starts by itself, cutting torn tails.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use locksley_tests::ledger::now_ms;
use locksley_tests::mount::Mount;
use locksley_tests::seed::{Random, seed_of_run};
use locksley_tests::wait::until;
use locksley_tests::workload::{Pace, Workload, work_all};

use crate::{is_redis, launch};

/// Cuts of each policy.
const ROUND_COUNT: u64 = 5;
/// The whole disk.
const DISK_BYTES: u64 = 256 << 20;
/// What `everysec` may lose, in milliseconds: a second until the sync begins, and the time it takes.
const EVERYSEC_LOSS_MS: u64 = 2_000;

#[test]
fn a_power_cut_under_always_loses_nothing() {
    run("a_power_cut_under_always_loses_nothing", "always", 0, 1_200);
}

#[test]
fn a_power_cut_under_everysec_loses_two_seconds_at_most() {
    run("a_power_cut_under_everysec_loses_two_seconds_at_most", "everysec", EVERYSEC_LOSS_MS, 4_000);
}

fn run(name: &str, policy: &str, loss_ms: u64, life_ms_max: u64) {
    if is_redis() {
        return;
    }
    let mut mount = match Mount::ext4(DISK_BYTES) {
        Ok(mount) => mount,
        Err(why) => {
            println!("skipped: no file system can be mounted here: {why}");
            return;
        }
    };
    let data = mount.path().join("data");
    std::fs::create_dir(&data).expect("there is room for it");
    let seed = seed_of_run(name);
    let mut random = Random::new(seed);
    let pace = Pace { pipeline_max: 8, giants: 3 };
    let mut workloads: Vec<Workload> = (0..3).map(|number| Workload::new(number, random.bits(), pace)).collect();
    let (mut acknowledged, mut found, mut cut_bytes) = (0, 0, 0);
    let mut safe_at = u64::MAX;
    for round in 0..=ROUND_COUNT {
        let shards = 1 + random.below(3) as u32;
        let mut server = launch(&data, shards, policy).flags(["--auto-aof-rewrite-min-size", "8mb"]).start();
        let mut client = server.connect();
        until("everything is loaded", || client.command("SELECT 1").to_string() == "+OK");
        let context = format!("round {round} of seed {seed}, {policy}, {shards} shards");
        for workload in &mut workloads {
            found += workload.verify(&mut client, safe_at).unwrap_or_else(|wrong| panic!("{context}:\n{wrong}"));
        }
        cut_bytes += client.info_number("wal_last_load_cut_bytes");
        if round == ROUND_COUNT {
            break;
        }
        let life = Duration::from_millis(random.below(life_ms_max));
        let is_snapshot_wanted = random.below(2) == 0;
        acknowledged += work_all(
            &mut workloads,
            server.address(),
            |done| {
                until("the load is on", || done.load(Ordering::Relaxed) > 100);
                if is_snapshot_wanted {
                    client.command("BGSAVE");
                }
                // Not a wait for something: the moment of the cut is to be any.
                thread::sleep(life);
            },
            || {
                safe_at = if loss_ms == 0 { u64::MAX } else { now_ms() - loss_ms };
                mount.cut_power().expect("the file system takes the order");
            },
        );
        // It notices by itself, when it next syncs, and does not go on.
        let ended = server.wait();
        assert_eq!(ended.status.code(), Some(1), "{context}:\n{}", ended.output);
        assert!(ended.output.contains("ERROR"), "{context}: no line says why\n{}", ended.output);
        drop(server);
        mount.restart().unwrap_or_else(|why| panic!("{context}: {why}"));
    }
    println!(
        "{name}: {ROUND_COUNT} cuts, {acknowledged} acknowledged requests, {found} keys found, {cut_bytes} bytes cut"
    );
}
