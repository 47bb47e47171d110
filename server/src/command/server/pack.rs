//! Numbers and strings as the bytes that one shard's part of a command hands to the join.
//!
//! Both sides are one program, which reads in the order in which it wrote.

/// Appends a number.
pub(super) fn write_number(number: u64, out: &mut Vec<u8>) {
    out.extend(number.to_le_bytes());
}

/// Appends several numbers.
pub(super) fn write_numbers(numbers: &[u64], out: &mut Vec<u8>) {
    for number in numbers {
        write_number(*number, out);
    }
}

/// Appends a string of bytes.
pub(super) fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    write_number(bytes.len() as u64, out);
    out.extend(bytes);
}

/// Appends a text.
pub(super) fn write_text(text: &str, out: &mut Vec<u8>) {
    write_bytes(text.as_bytes(), out);
}

/// Reads what was written, in the same order.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader at the start of `bytes`.
    pub(super) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    /// Whether everything is read.
    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next number.
    pub(super) fn number(&mut self) -> u64 {
        let (bytes, rest) = self.rest.split_first_chunk().expect("numbers are read as they were written");
        self.rest = rest;
        u64::from_le_bytes(*bytes)
    }

    /// The next string of bytes.
    pub(super) fn bytes(&mut self) -> &'a [u8] {
        let length = self.number() as usize;
        let (bytes, rest) = self.rest.split_at(length);
        self.rest = rest;
        bytes
    }

    /// The next text.
    pub(super) fn text(&mut self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_in_order() {
        let mut out = Vec::new();
        write_number(7, &mut out);
        write_text("text", &mut out);
        write_bytes(b"", &mut out);
        write_number(u64::MAX, &mut out);
        let mut reader = Reader::new(&out);
        assert_eq!((reader.number(), reader.text().as_str()), (7, "text"));
        assert_eq!((reader.bytes(), reader.number()), (&b""[..], u64::MAX));
        assert!(reader.is_at_end());
    }
}
