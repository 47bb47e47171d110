//! Requests of the Redis protocol: cuts what a connection sent into arguments, and looks their names up.

use locksley_wire::resp::request::{Limits, RequestParser, Span, Step};

use super::batch::{Batch, Call, Cut, Input, Request};
use crate::command::row::Args;
use crate::command::table::{Lookup, Table};

impl<'b> Batch<'b> {
    /// Cuts RESP requests from `input` until it ends, or the batch is full; `spans` is scratch.
    pub(crate) fn cut_resp(
        &mut self,
        table: &'static Table,
        input: Input<'b>,
        parser: &mut RequestParser,
        limits: &Limits,
        spans: &mut Vec<Span>,
    ) -> Cut {
        let Input { bytes, mut position, .. } = input;
        let first = self.requests.len();
        let full = Batch::full_at(first, &input);
        let mut wanted_bytes = 0;
        let mut error = None;
        let mut goes_on = false;
        loop {
            if self.requests.len() >= full {
                goes_on = true;
                break;
            }
            let rest = &bytes[position..];
            if rest.is_empty() {
                break;
            }
            spans.clear();
            let (args, consumed): (Args<'b>, usize) = match parser.parse(rest, limits, spans) {
                Ok(Step::Request { consumed }) => {
                    (self.bump.alloc_slice_fill_iter(spans.iter().map(|span| span.of(rest))), consumed)
                }
                Ok(Step::Inline { consumed, args }) => (self.copy_words(&args), consumed),
                Ok(Step::Empty { consumed }) => {
                    position += consumed;
                    continue;
                }
                Ok(Step::Incomplete { wanted_bytes: missing }) => {
                    wanted_bytes = missing;
                    break;
                }
                Err(malformed) => {
                    error = Some(malformed);
                    break;
                }
            };
            let call = match table.find(args) {
                Lookup::Found(entry) => Call::Found(entry),
                Lookup::Unknown => Call::Unknown,
                Lookup::UnknownSubcommand(container) => Call::UnknownSubcommand(container),
            };
            self.requests.push(Request { call, args, start: position, owner: None, manner: None });
            position += consumed;
        }
        self.end_run(&input, first, error);
        Cut { position, goes_on, wanted_bytes }
    }

    #[cold]
    fn copy_words(&self, words: &[Vec<u8>]) -> Args<'b> {
        let bump = self.bump;
        bump.alloc_slice_fill_iter(words.iter().map(|word| &*bump.alloc_slice_copy(word)))
    }
}

#[cfg(test)]
mod tests {
    use bumpalo::Bump;

    use super::*;
    use crate::command::table::table;

    fn cut(bytes: &[u8], request_count_max: usize) -> (usize, usize, bool, usize, bool) {
        let bump = Bump::new();
        let mut batch = Batch::new(&bump);
        let mut parser = RequestParser::default();
        let input = Input { slot: 0, ready: 0, bytes, position: 0, request_count_max };
        let cut = batch.cut_resp(table(), input, &mut parser, &Limits::default(), &mut Vec::new());
        let is_bad = batch.runs.iter().any(|run| run.error.is_some());
        (batch.requests.len(), cut.position, cut.goes_on, cut.wanted_bytes, is_bad)
    }

    #[test]
    fn whole_requests_are_cut_and_the_rest_is_left() {
        let get = b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n";
        let two = [&get[..], get].concat();
        assert_eq!(cut(&two, 99), (2, two.len(), false, 0, false));
        assert_eq!(cut(&two, 1), (1, get.len(), true, 0, false));
        assert_eq!(cut(&two[..two.len() - 3], 99), (1, get.len(), false, 3, false));
        assert_eq!(cut(b"PING\r\n*0\r\nPING\r\n", 99), (2, 16, false, 0, false));
        assert_eq!(cut(b"PING\r\n*1\r\nPING\r\n", 99), (1, 6, false, 0, true));
    }
}
