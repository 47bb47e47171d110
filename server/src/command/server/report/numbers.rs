//! Numbers that are listed once, to be written, read and added up.

use crate::command::server::pack::{Reader, write_number};

/// Defines a struct of numbers that travels between shards: each field is listed once. Of several shards' numbers, those
/// behind `sum` add up, and of those behind `max` the greatest counts.
macro_rules! numbers {
    (
        $(#[$doc:meta])* $name:ident
        sum { $($(#[$sum_doc:meta])* $sum:ident,)* }
        max { $($(#[$max_doc:meta])* $max:ident,)* }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
        pub(in crate::command) struct $name {
            $($(#[$sum_doc])* pub $sum: u64,)*
            $($(#[$max_doc])* pub $max: u64,)*
        }

        impl $name {
            /// Adds what another shard reported.
            pub(in crate::command) fn add(&mut self, other: &$name) {
                $(self.$sum += other.$sum;)*
                $(self.$max = self.$max.max(other.$max);)*
            }

            /// Appends them in the order in which they are listed.
            pub(super) fn write(&self, out: &mut Vec<u8>) {
                $(write_number(self.$sum, out);)*
                $(write_number(self.$max, out);)*
            }

            /// Reads what was written.
            pub(super) fn read(reader: &mut Reader<'_>) -> $name {
                $name { $($sum: reader.number(),)* $($max: reader.number(),)* }
            }
        }
    };
}

numbers! {
    /// What a shard and its thread count and hold.
    Numbers
    sum {
        /// Clients of the RESP ports.
        resp_clients,
        /// Clients of the memcached port.
        memcached_clients,
        /// Clients of the HTTP port.
        http_clients,
        /// Bytes of requests and replies that are kept for clients.
        client_bytes,
        /// Connections accepted.
        connections,
        /// Connections refused.
        rejected_connections,
        /// Requests answered.
        requests,
        /// Commands run.
        calls,
        /// Thousandths of a command a second, of late.
        calls_per_kilosecond,
        /// Bytes received a second, of late.
        received_per_second,
        /// Bytes sent a second, of late.
        sent_per_second,
        /// Bytes received.
        received_bytes,
        /// Bytes sent.
        sent_bytes,
        /// Clients closed because they did not take their replies.
        output_limit_disconnections,
        /// Clients closed because their requests were too long.
        query_limit_disconnections,
        /// Counted reads that found their entry.
        hits,
        /// Counted reads that found nothing.
        misses,
        /// Entries removed because memory was needed.
        evicted,
        /// Entries removed because their time was over.
        expired,
        /// Memory that counts towards the limit.
        memory_used,
        /// Keys and values as clients sent them.
        memory_payload,
        /// Cells in use.
        memory_cells,
        /// Slab pages.
        memory_slab,
        /// Hash tables.
        memory_tables,
        /// Other bookkeeping.
        memory_bookkeeping,
        /// The most memory that was used.
        memory_peak,
        /// Entries, of all databases.
        keys,
        /// Entries that have an expiry, of all databases.
        expiring,
        /// Removals that were made without a record, because the log had no room.
        unlogged_removals,
        /// Writes that waited for room in the log.
        log_stalls,
        /// Counted reads that found a note that there is nothing.
        negative_hits,
        /// Leases there are.
        leases,
        /// Leases given for values that were missing or over.
        lease_wins,
        /// Leases given for values that were soon over or out of date.
        lease_refreshes,
        /// Callers of GETL that were told to wait, or waited.
        lease_waits,
        /// Values shown in their grace.
        lease_stale,
        /// Tokens that were not those of a lease.
        lease_refused,
        /// Requests that wait for a key.
        waiters,
        /// Locks that were given to somebody.
        lock_grants,
        /// Requests for a lock that had to wait.
        lock_waits,
        /// Requests for a lock that were answered without it.
        lock_refused,
        /// Requests beyond a rate limit.
        throttled,
        /// Commands that the slow log holds.
        slow_log_entries,
        /// Turns of the thread's loop.
        turns,
        /// Times it was woken from sleep.
        wake_ups,
        /// Nanoseconds of all turns.
        busy_nanos,
        /// Nanoseconds of processor time, the kernel's work for the thread included.
        cpu_nanos,
        /// Requests sent to other shards, parts of requests included.
        hops_sent,
        /// Requests of other threads' clients that were answered, parts of requests included.
        hops_answered,
        /// Connections taken over from stalled threads.
        takeovers,
        /// Surveys that were answered without a part of every shard.
        cut_surveys,
        /// Keys that are hot.
        hot_keys,
        /// How often a key became hot.
        hot_keys_found,
    }
    max {
        /// Nanoseconds of the longest turn of the last 30 to 60 seconds.
        recent_turn_nanos_max,
        /// Nanoseconds of the longest turn of all.
        turn_nanos_max,
    }
}

numbers! {
    /// How one shard's log and its loading stand.
    LogNumbers
    sum {
        /// The number of its last change.
        appended,
        /// The number of the last change that is durable.
        durable,
        /// Bytes its log has taken.
        bytes,
        /// Bytes its loader has read.
        loaded_bytes,
        /// Bytes its loader will have read in the end.
        load_total_bytes,
        /// Syncs.
        syncs,
        /// Microseconds they took together.
        sync_micros,
    }
    max {
        /// Microseconds the longest took.
        sync_micros_max,
    }
}

impl Numbers {
    /// Clients that are connected.
    pub(in crate::command) fn clients(&self) -> u64 {
        self.resp_clients + self.memcached_clients + self.http_clients
    }

    /// Memory of the slab that holds no entry.
    pub(in crate::command) fn memory_free(&self) -> u64 {
        self.memory_slab.saturating_sub(self.memory_cells)
    }
}
