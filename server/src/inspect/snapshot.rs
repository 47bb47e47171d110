//! One snapshot file in words.

use std::io;

use locksley_engine::Form;
use locksley_engine::snapshot::{SnapshotFault, SnapshotReader};

use super::directory::Filter;
use super::text::{attributes, count, shortened, value};
use super::{Out, Verdict};

/// Shows the snapshot file `bytes`, named `name`, with its blocks if `filter` lets any entry pass, and entries as far as
/// it does.
///
/// # Errors
/// When `out` fails.
pub(super) fn show(name: &str, bytes: &[u8], filter: &Filter, out: Out<'_>) -> io::Result<Verdict> {
    let mut reader = match SnapshotReader::new(bytes) {
        Ok(reader) => reader,
        Err(fault) => {
            writeln!(out, "{name}: {} bytes; {fault}", bytes.len())?;
            return Ok(Verdict::Damaged);
        }
    };
    let header = reader.header();
    let origin = header.origin;
    let fence = if header.fence == 0 { String::new() } else { format!(", fence {}", header.fence) };
    writeln!(
        out,
        "{name}: snapshot {} of shard {} of {}, generation {}, {} bytes, with changes up to number {}{fence}",
        header.id,
        origin.shard,
        origin.shard_count,
        origin.generation,
        bytes.len(),
        header.lsn.0,
    )?;
    let (mut verdict, mut item_count, mut block_count, mut shown) = (Verdict::Good, 0, 0_u64, 0);
    let mut block_shown = None;
    loop {
        match reader.next() {
            Ok(Some(item)) => {
                item_count += 1;
                let block = reader.block().expect("an entry is in a block");
                if block_shown != Some(block.number) {
                    block_shown = Some(block.number);
                    block_count += 1;
                    if filter.count_max > 0 {
                        let entries = count(u64::from(block.item_count), "entry");
                        writeln!(
                            out,
                            "{:>12}  block {}, {} bytes, {entries}",
                            block.offset, block.number, block.bytes
                        )?;
                    }
                }
                if shown < filter.count_max && filter.takes(Some(item.key)) {
                    shown += 1;
                    let stale = if item.is_stale { ", stale" } else { "" };
                    let content = match (item.form, item.value) {
                        (Form::String, content) => format!("= {}", value(content, filter.bytes_max)),
                        (Form::Absent, _) => "is absent".to_owned(),
                        (Form::Lock, token) => format!("is a lock, token {}", value(token, filter.bytes_max)),
                    };
                    writeln!(
                        out,
                        "{:>12}  {:>10}  db {} {} {content}{}{stale}",
                        "",
                        item.version,
                        item.db.0,
                        shortened(item.key, filter.bytes_max),
                        attributes(item.expiry, item.grace, item.client_flags),
                    )?;
                }
            }
            Ok(None) => break,
            Err(fault) => {
                verdict = Verdict::Damaged;
                show_fault(fault, out)?;
                if !reader.skip_damage() {
                    writeln!(out, "  nothing intact is behind it")?;
                    break;
                }
            }
        }
    }
    writeln!(out, "  {} in {}", count(item_count, "entry"), count(block_count, "block"))?;
    Ok(verdict)
}

fn show_fault(fault: SnapshotFault, out: Out<'_>) -> io::Result<()> {
    writeln!(out, "  damaged: {fault}")
}

#[cfg(test)]
mod tests {
    use super::super::testing::{everything, shown, snapshot};
    use super::*;

    #[test]
    fn each_block_and_entry_is_a_line() {
        let (text, verdict) = shown(show, &snapshot(), &everything());
        assert_eq!(verdict, Verdict::Good);
        let lines: Vec<&str> = text.lines().collect();
        let head = "a/file: snapshot 3 of shard 0 of 1, generation 5, 12288 bytes, with changes up to number 8";
        assert_eq!((lines[0], lines[1]), (head, "        4096  block 0, 4096 bytes, 2 entries"));
        let user = "                       5  db 0 \"user:1\" = \"a \\\"quoted\\\" value\", expires 2023-11-14 22:16:40.000 UTC";
        assert!(lines[2..4].contains(&user), "{text}");
        let long = ["long", "... (500 bytes), expires 2023-11-14 22:18:20.000 UTC, stale"];
        assert!(lines[2..4].iter().any(|line| long.iter().all(|part| line.contains(part))), "{text}");
        assert_eq!(lines[4], "  2 entries in 1 block");
        let filter = Filter { count_max: 0, ..everything() };
        assert_eq!(shown(show, &snapshot(), &filter).0.lines().count(), 2);
    }

    #[test]
    fn damage_is_named_with_its_place() {
        let mut bytes = snapshot();
        bytes[4_200] ^= 1;
        let (text, verdict) = shown(show, &bytes, &everything());
        assert_eq!(verdict, Verdict::Damaged);
        assert!(text.contains("the block at offset 4096 is damaged"), "{text}");
    }

    #[test]
    fn no_byte_and_no_length_makes_it_fail() {
        let bytes = snapshot();
        for length in 0..=bytes.len() {
            let (_, verdict) = shown(show, &bytes[..length], &everything());
            assert_eq!(verdict == Verdict::Good, length == bytes.len(), "{length} bytes");
        }
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0x55;
            assert_eq!(shown(show, &bytes, &everything()).1, Verdict::Damaged, "byte {at}");
        }
    }
}
