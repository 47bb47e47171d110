//! Requests mean the same in whatever pieces they arrive, inline commands included, and no bytes upset the parser.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use locksley_wire::resp::{Limits, ProtocolError, RequestParser, Standing, Step, args, measure};

#[derive(Arbitrary, Debug)]
struct Case {
    /// Where the input is cut, as distances from the last cut.
    pieces: Vec<u8>,
    is_authenticated: bool,
    input: Vec<u8>,
}

/// Each request's arguments, and the error that ended the stream.
type Requests = (Vec<Vec<Vec<u8>>>, Option<ProtocolError>);

/// Feeds `input` in pieces of the given lengths, and the rest whole, keeping only what is not consumed.
fn feed(input: &[u8], pieces: &[u8], limits: &Limits) -> Requests {
    let mut parser = RequestParser::default();
    let mut requests = Vec::new();
    let mut begin = 0;
    let mut end = 0;
    let mut lengths = pieces.iter().map(|&length| usize::from(length));
    while end < input.len() {
        end = lengths.next().map_or(input.len(), |length| (end + length).min(input.len()));
        while begin < end {
            let held = &input[begin..end];
            let mut spans = Vec::new();
            match parser.parse(held, limits, &mut spans) {
                Ok(Step::Request { consumed }) => {
                    assert!(!spans.is_empty() && consumed <= held.len());
                    requests.push(args(&held[..consumed], &spans).map(<[u8]>::to_vec).collect());
                    begin += consumed;
                }
                Ok(Step::Inline { consumed, args }) => {
                    assert!(!args.is_empty() && consumed <= held.len());
                    requests.push(args);
                    begin += consumed;
                }
                Ok(Step::Empty { consumed }) => {
                    assert!(consumed > 0 && consumed <= held.len());
                    begin += consumed;
                }
                Ok(Step::Incomplete { wanted_bytes }) => {
                    assert!(wanted_bytes > 0);
                    break;
                }
                Err(error) => return (requests, Some(error)),
            }
        }
    }
    (requests, None)
}

fuzz_target!(|case: Case| {
    let standing = if case.is_authenticated { Standing::Authenticated } else { Standing::Unauthenticated };
    // Small limits bring their errors within reach.
    let limits = Limits { argument_count_max: 100, bulk_bytes_max: 1_000, inline_bytes_max: 200, standing };
    let whole = feed(&case.input, &[], &limits);
    let in_pieces = feed(&case.input, &case.pieces, &limits);
    // A line that is too long is only an error while its end is not seen, as in Redis: the whole goes on there.
    let is_about_length = |error: ProtocolError| {
        matches!(
            error,
            ProtocolError::InlineTooBig(_) | ProtocolError::CountLineTooBig(_) | ProtocolError::LengthLineTooBig(_)
        )
    };
    if in_pieces.1.is_some_and(is_about_length) {
        assert!(whole.0.starts_with(&in_pieces.0), "requests depend on how they are cut");
    } else {
        assert_eq!(whole, in_pieces, "requests depend on how they are cut");
    }
    // The bytes are looked at as a reply, too: a client may meet any server.
    if let Ok(Some(length)) = measure(&case.input) {
        assert!(length <= case.input.len());
    }
});
