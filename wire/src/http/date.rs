//! The date as HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT`.

/// Length of a date.
pub const DATE_BYTES: usize = 29;

/// The date at `second` since the epoch.
///
/// Source: RFC 9110 section 5.6.7; the calendar by counting in eras of 400 years.
pub fn date(_second: u32) -> [u8; DATE_BYTES] {
    todo!()
}
