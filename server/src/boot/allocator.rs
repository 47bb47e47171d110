//! How the process's allocator gives memory back.
//!
//! The shards map their own memory; what comes from the allocator are connections' buffers. The C library learns from
//! large blocks that were freed to keep such blocks, up to 32 MiB each: after fifty clients left megabytes of replies
//! unread, 90 MiB stayed with the process. With a fixed threshold, a large buffer is a mapping of its own that goes
//! back when it is freed.
//!
//! Source: mallopt(3).
#![expect(unsafe_code, reason = "the allocator's settings are a call of the C library")]

/// From this size on a block is a mapping of its own, in bytes.
const MAPPED_BYTES_MIN: i32 = 128 * 1024;

/// Tells the allocator to give large blocks back.
#[cfg(target_env = "gnu")]
pub(super) fn tame() {
    // SAFETY: called before any other thread runs; the call changes one number of the allocator.
    let is_mapped = unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_BYTES_MIN) };
    // SAFETY: as above.
    let is_trimmed = unsafe { libc::mallopt(libc::M_TRIM_THRESHOLD, 2 * MAPPED_BYTES_MIN) };
    if is_mapped == 0 || is_trimmed == 0 {
        tracing::warn!("the allocator may keep the memory of large replies after they are sent");
    }
}

/// Other C libraries give large blocks back by themselves.
#[cfg(not(target_env = "gnu"))]
pub(super) fn tame() {}
