//! Which form of a value a client wants: JSON, or its bytes alone.
//!
//! The form with the higher quality is sent, and JSON where they are equal. Who accepts neither is told so (406).
//!
//! Source: RFC 9110 section 12.5.1.

use super::Refused;
use super::gate::essence;
use crate::command::rest::Form;

/// Thousandths: the quality of a form that is as good as any.
const BEST: u32 = 1000;

/// The form that an Accept field asks for.
///
/// # Errors
/// 406 when it is none of ours.
#[inline]
pub(super) fn form(accept: Option<&[u8]>) -> Result<Form, Refused> {
    match accept {
        None | Some(b"*/*" | b"application/json") => Ok(Form::Json),
        Some(b"application/octet-stream") => Ok(Form::Raw),
        Some(field) => negotiate(field),
    }
}

#[cold]
fn negotiate(field: &[u8]) -> Result<Form, Refused> {
    let (json, raw) = (quality(field, b"application/json"), quality(field, b"application/octet-stream"));
    match (json, raw) {
        (0, 0) => Err(Refused::new(406, "a value can be had as application/json and as application/octet-stream")),
        (json, raw) if raw > json => Ok(Form::Raw),
        _ => Ok(Form::Json),
    }
}

/// How much `field` wants `media_type`: what the closest of its ranges says.
fn quality(field: &[u8], media_type: &[u8]) -> u32 {
    let closeness = |range: &[u8]| match range {
        b"*/*" | b"*" => Some(0),
        b"application/*" => Some(1),
        _ => range.eq_ignore_ascii_case(media_type).then_some(2),
    };
    let ranges = field.split(|byte| *byte == b',');
    let fitting = ranges.filter_map(|range| closeness(essence(range)).map(|closeness| (closeness, weight(range))));
    fitting.max().map_or(0, |(_, weight)| weight)
}

/// The weight of a range, in thousandths; one that is no number counts for nothing.
fn weight(range: &[u8]) -> u32 {
    let mut parameters = range.split(|byte| *byte == b';').skip(1).map(<[u8]>::trim_ascii);
    let given = parameters.find_map(|parameter| parameter.strip_prefix(b"q=").or(parameter.strip_prefix(b"Q=")));
    match given {
        None | Some([b'1', ..]) => BEST,
        Some([b'0', b'.', digits @ ..]) if digits.len() <= 3 && digits.iter().all(u8::is_ascii_digit) => {
            let text = digits.iter().chain(b"000").take(3);
            text.fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'))
        }
        Some(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wanted_form_is_sent() {
        let cases: [(Option<&str>, Option<Form>); 16] = [
            (None, Some(Form::Json)),
            (Some("*/*"), Some(Form::Json)),
            (Some("application/json"), Some(Form::Json)),
            (Some("application/octet-stream"), Some(Form::Raw)),
            (Some("Application/Octet-Stream"), Some(Form::Raw)),
            (Some("application/octet-stream, */*"), Some(Form::Json)),
            (Some("application/octet-stream, */*;q=0.5"), Some(Form::Raw)),
            (Some("application/json;q=0.4, application/octet-stream;q=0.41"), Some(Form::Raw)),
            (Some("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"), Some(Form::Json)),
            (Some("application/*;q=0.2, application/json;q=0"), Some(Form::Raw)),
            (Some("application/json; charset=utf-8"), Some(Form::Json)),
            (Some("application/octet-stream;q=0"), None),
            (Some("text/html"), None),
            (Some("*/*;q=0"), None),
            (Some("*/*;q=x"), None),
            (Some(""), None),
        ];
        for (accept, expected) in cases {
            assert_eq!(form(accept.map(str::as_bytes)).ok(), expected, "{accept:?}");
        }
    }
}
