//! Amounts of memory as people write them: `100`, `1k` (1,000), `1kb` (1,024), `15gb`.
//!
//! Source: the head of Redis's configuration file.

/// Each unit with its bytes.
const UNITS: [(&str, u64); 8] = [
    ("", 1),
    ("b", 1),
    ("k", 1_000),
    ("kb", 1 << 10),
    ("m", 1_000_000),
    ("mb", 1 << 20),
    ("g", 1_000_000_000),
    ("gb", 1 << 30),
];

/// The bytes that `text` means; `None` when it is no amount of memory or too large for 64 bits.
pub(crate) fn parse(text: &str) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let factor = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?.1;
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// `bytes` for a person, in the largest binary unit that keeps two decimals meaningful: `1.50 GiB`.
pub(crate) fn human(bytes: u64) -> String {
    let units = [("GiB", 1u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match units.iter().find(|(_, size)| bytes >= *size) {
        Some((name, size)) => format!("{:.2} {name}", bytes as f64 / *size as f64),
        None => format!("{bytes} B"),
    }
}

/// `bytes` in the largest unit of a setting that says them exactly: `15gb`, `1500`.
pub(crate) fn brief(bytes: u64) -> String {
    let units = [("gb", 1u64 << 30), ("mb", 1 << 20), ("kb", 1 << 10)];
    match units.iter().find(|(_, size)| bytes > 0 && bytes.is_multiple_of(*size)) {
        Some((name, size)) => format!("{}{name}", bytes / size),
        None => bytes.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_mean_what_redis_says() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("100", Some(100)),
            ("100b", Some(100)),
            ("1k", Some(1_000)),
            ("1KB", Some(1_024)),
            ("2mb", Some(2 * 1_048_576)),
            ("15gb", Some(15 * 1_073_741_824)),
            ("", None),
            ("gb", None),
            ("-1", None),
            ("1tb", None),
            ("1.5gb", None),
            ("99999999999gb", None),
        ] {
            assert_eq!(parse(text), bytes, "{text}");
        }
    }

    #[test]
    fn a_brief_amount_is_read_back_as_what_it_was() {
        for (bytes, text) in [
            (0, "0"),
            (1500, "1500"),
            (15 << 30, "15gb"),
            (1 << 20, "1mb"),
            (3 << 10, "3kb"),
            (u64::MAX, "18446744073709551615"),
        ] {
            assert_eq!(brief(bytes), text);
            assert_eq!(parse(text), Some(bytes));
        }
    }

    #[test]
    fn a_person_reads_binary_units() {
        assert_eq!(human(512), "512 B");
        assert_eq!(human(1536), "1.50 KiB");
        assert_eq!(human(15 << 30), "15.00 GiB");
    }
}
