//! Taking a snapshot of a shard: see [`crate::snapshot`].
//!
//! ```text
//! begin_snapshot ─▶ step_snapshot ─▶ ... ─▶ Done ─▶ end_snapshot
//!                    │      ▲          └──▶ GivenUp ─▶ end_snapshot
//!          take_block ▼      │ reuse_block
//!                   sealed and written elsewhere
//! ```

use super::Shard;
use crate::lsn::Lsn;
use crate::snapshot::{Block, Progress, SnapshotOptions, Walk};

impl Shard {
    /// Begins a snapshot of the shard as it is now, and says which change was the last before it.
    ///
    /// # Panics
    /// When one is under way, the shard is being filled, or a group of changes has begun and not ended.
    pub fn begin_snapshot(&mut self, options: SnapshotOptions) -> Lsn {
        let contents = &mut self.contents;
        assert!(contents.walk.is_none(), "one snapshot is taken at a time");
        assert!(!contents.journal.is_replaying(), "a shard is filled before it is kept");
        assert!(!contents.journal.is_grouping(), "an instant is not within a group");
        let lsn = contents.journal.last;
        let tables = contents.databases.in_use().map(|(id, _)| id);
        contents.walk = Some(Box::new(Walk::new(lsn, tables, contents.prefixes.clone(), options)));
        lsn
    }

    /// Goes on with the snapshot for about `slots` table slots, but for no more entries than fill a block; one very
    /// long entry takes as long as it takes to copy it.
    ///
    /// # Panics
    /// When none is under way.
    pub fn step_snapshot(&mut self, slots: usize) -> Progress {
        let contents = &mut self.contents;
        let walk = contents.walk.as_mut().expect("a snapshot is under way");
        walk.step(slots, &contents.slab, |id| &contents.databases.physical(id).table)
    }

    /// How far the snapshot under way is, if one is.
    pub fn snapshot_progress(&self) -> Option<Progress> {
        self.contents.walk.as_ref().map(|walk| walk.progress())
    }

    /// What share of its entries the snapshot under way has, 0 to 1; `None` when none is.
    pub fn snapshot_share(&self) -> Option<f64> {
        let contents = &self.contents;
        contents.walk.as_ref().map(|walk| walk.share(|id| &contents.databases.physical(id).table))
    }

    /// The next block that is ready for the file, in their order; once the walk is done, up to the last.
    pub fn take_block(&mut self) -> Option<Block> {
        self.contents.walk.as_mut()?.take_block()
    }

    /// Gives a written block's buffer back.
    pub fn reuse_block(&mut self, block: Block) {
        if let Some(walk) = &mut self.contents.walk {
            walk.reuse_block(block);
        }
    }

    /// Bytes of blocks that were not taken yet.
    pub fn waiting_block_bytes(&self) -> usize {
        self.contents.walk.as_ref().map_or(0, |walk| walk.waiting_bytes())
    }

    /// Ends the snapshot, complete or not: the shard knows nothing of it any more.
    pub fn end_snapshot(&mut self) {
        self.contents.walk = None;
    }
}
