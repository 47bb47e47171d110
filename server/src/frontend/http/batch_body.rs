//! The body of `POST /cache/batch`: JSON with keys to get, or with items to put.
//!
//! The whole of it is checked before anything is done, so that a request with a mistake changes nothing. A list is left at
//! the first element beyond the cap. Strings without escapes stay where they are.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use locksley_engine::Db;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Unexpected, Visitor};

use super::Refused;
use super::query::{check_key, db, flags, ttl_seconds};
use crate::command::rest::{ItemOptions, PutOptions};
use crate::config::Config;
use crate::limits::HTTP_BATCH_KEY_COUNT_MAX;

/// What a batch asks for.
#[derive(Debug)]
pub(super) enum Asked<'a> {
    /// Keys to get.
    Get(Vec<Cow<'a, str>>),
    /// Items to put.
    Put(Vec<Stored<'a>>),
}

/// An item to put.
#[derive(Debug)]
pub(super) struct Stored<'a> {
    pub key: Cow<'a, str>,
    pub options: ItemOptions,
    pub value: Cow<'a, [u8]>,
}

/// The largest number up to which each whole one is one of floating point.
const EXACT_MAX: f64 = ((1u64 << 53) - 1) as f64;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Body<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    get: Option<Capped<Text<'a>>>,
    #[serde(borrow, default, deserialize_with = "present")]
    put: Option<Capped<Object<Item<'a>>>>,
    #[serde(default)]
    db: Whole,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Item<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "present")]
    value: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "present")]
    value_base64: Option<Text<'a>>,
    #[serde(default, deserialize_with = "present")]
    ttl_seconds: Option<Whole>,
    #[serde(default)]
    flags: Whole,
    #[serde(default, deserialize_with = "present")]
    if_version: Option<Whole>,
}

#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// A number from 0 on, however it is written: 1.0 is a whole number in JSON, and 1e3 is one.
#[derive(Clone, Copy, Default)]
struct Whole(u64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Whole;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a whole number from 0 on")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Whole, E> {
                Ok(Whole(number))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Whole, E> {
                let is_whole = number.fract() == 0.0 && (0.0..=EXACT_MAX).contains(&number);
                if is_whole {
                    Ok(Whole(number as u64))
                } else {
                    Err(E::invalid_value(Unexpected::Float(number), &self))
                }
            }
        }
        deserializer.deserialize_u64(Number)
    }
}

/// A `T` that is written as an object. A struct would be read from a list of its members too.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = Object<T>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(members)).map(Object)
            }
        }
        deserializer.deserialize_map(Members(PhantomData))
    }
}

/// A list of no more than [`HTTP_BATCH_KEY_COUNT_MAX`] elements.
struct Capped<T>(Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Capped<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Elements<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Elements<T> {
            type Value = Capped<T>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Capped<T>, A::Error> {
                let mut list = Vec::new();
                while let Some(element) = elements.next_element()? {
                    if list.len() == HTTP_BATCH_KEY_COUNT_MAX {
                        let text = format_args!("a batch has at most {HTTP_BATCH_KEY_COUNT_MAX} keys");
                        return Err(de::Error::custom(text));
                    }
                    list.push(element);
                }
                Ok(Capped(list))
            }
        }
        deserializer.deserialize_seq(Elements(PhantomData))
    }
}

/// A member that may be left out, but not be null.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Reads a batch.
///
/// # Errors
/// 400 with what is wrong.
pub(super) fn read<'a>(body: &'a [u8], config: &Config) -> Result<(Asked<'a>, Db), Refused> {
    let Object::<Body<'a>>(body) = serde_json::from_slice(body)
        .map_err(|error| Refused::new(400, format!("the body is no batch in JSON: {error}")))?;
    let db = db(Some(body.db.0), config.databases)?;
    let asked = match (body.get, body.put) {
        (Some(Capped(keys)), None) => {
            for (index, Text(key)) in keys.iter().enumerate() {
                check_key(key.as_bytes()).map_err(|refused| at("get", index, &refused))?;
            }
            Asked::Get(keys.into_iter().map(|Text(key)| key).collect())
        }
        (None, Some(Capped(items))) => {
            let numbered = items.into_iter().enumerate();
            let stored: Result<_, _> = numbered
                .map(|(index, Object(item))| item.check(config).map_err(|refused| at("put", index, &refused)))
                .collect();
            Asked::Put(stored?)
        }
        _ => return Err(Refused::new(400, "a batch has either get or put")),
    };
    Ok((asked, db))
}

/// Says where in the batch the mistake is.
#[cold]
fn at(list: &str, index: usize, refused: &Refused) -> Refused {
    Refused::new(refused.status, format!("{list}[{index}]: {}", refused.sentence))
}

impl<'a> Item<'a> {
    fn check(self, config: &Config) -> Result<Stored<'a>, Refused> {
        check_key(self.key.as_bytes())?;
        let value = match (self.value, self.value_base64) {
            (Some(Text(Cow::Borrowed(text))), None) => Cow::Borrowed(text.as_bytes()),
            (Some(Text(Cow::Owned(text))), None) => Cow::Owned(text.into_bytes()),
            (None, Some(Text(digits))) => {
                let bytes = STANDARD.decode(digits.as_bytes());
                Cow::Owned(bytes.map_err(|error| Refused::new(400, format!("value_base64 is not base64: {error}")))?)
            }
            _ => return Err(Refused::new(400, "an item has either value or value_base64")),
        };
        let value_bytes_max = config.http_max_value;
        if value.len() as u64 > value_bytes_max {
            let sentence = format!("the value has {} bytes, the limit is {value_bytes_max}", value.len());
            return Err(Refused::new(400, sentence));
        }
        let ttl_seconds = self.ttl_seconds.map_or(Ok(0), |Whole(seconds)| ttl_seconds(Some(seconds)))?;
        let put = PutOptions { flags: flags(Some(self.flags.0))?, ttl_seconds };
        Ok(Stored {
            key: self.key,
            options: ItemOptions { put, if_version: self.if_version.map(|Whole(version)| version) },
            value,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(body: &str) -> String {
        match read(body.as_bytes(), &Config { http_max_value: 1024, ..Config::default() }) {
            Ok((Asked::Get(keys), Db(db))) => format!("{db} get {}", keys.join(" ")),
            Ok((Asked::Put(items), Db(db))) => items.iter().fold(format!("{db} put"), |text, item| {
                let Stored { key, options: ItemOptions { put, if_version }, value } = item;
                let PutOptions { flags, ttl_seconds } = put;
                format!("{text} {key}={} {flags} {ttl_seconds} {if_version:?}", value.escape_ascii())
            }),
            Err(refused) => format!("{} {}", refused.status, refused.sentence),
        }
    }

    #[test]
    fn batches_are_read() {
        let cases = [
            (r#"{"get":[]}"#, "0 get "),
            (r#"{"get":["a","b\n".trim]}"#, "400 the body is no batch in JSON: "),
            (r#"{"get":["a","\u00e9","a"],"db":15}"#, "15 get a \u{e9} a"),
            (r#" {"put":[{"key":"a","value":"1"}]} "#, "0 put a=1 0 0 None"),
            (
                r#"{"put":[{"value_base64":"/wA=","key":"a","ttl_seconds":7,"flags":4294967295,"if_version":0}]}"#,
                "0 put a=\\xff\\x00 4294967295 7 Some(0)",
            ),
            (r#"{"put":[{"key":"a","value":"","ttl_seconds":7.0,"flags":1e3}],"db":1.0}"#, "1 put a= 1000 7 None"),
            (
                r#"{"put":[{"key":"a","value":"","if_version":2005620158769777.0}]}"#,
                "0 put a= 0 0 Some(2005620158769777)",
            ),
            (r#"{"put":[{"key":"a","value":"\"\\"},{"key":"a","value":""}]}"#, "0 put a=\\\"\\\\ 0 0 None a= 0 0 None"),
        ];
        for (body, expected) in cases {
            assert!(shown(body).starts_with(expected), "{body}: {}", shown(body));
        }
    }

    #[test]
    fn mistakes_are_named() {
        let long = format!(r#"{{"put":[{{"key":"a","value":"{}"}}]}}"#, "x".repeat(1025));
        let many = format!(r#"{{"get":[{}"a"]}}"#, r#""a","#.repeat(HTTP_BATCH_KEY_COUNT_MAX));
        let most = format!(r#"{{"get":[{}"a"]}}"#, r#""a","#.repeat(HTTP_BATCH_KEY_COUNT_MAX - 1));
        assert!(shown(&most).starts_with("0 get a a"));
        let cases = [
            ("", "the body is no batch in JSON: EOF"),
            ("{}", "a batch has either get or put"),
            ("[]", "the body is no batch in JSON: invalid type: sequence, expected an object"),
            (r#"{"put":[["a","1"]]}"#, "the body is no batch in JSON: invalid type: sequence, expected an object"),
            (r#"{"get":[],"put":[]}"#, "a batch has either get or put"),
            (r#"{"get":null,"put":[]}"#, "the body is no batch in JSON: invalid type: null, expected a list"),
            (r#"{"get":[1]}"#, "the body is no batch in JSON: invalid type: integer `1`"),
            (r#"{"get":["a"],"get":["b"]}"#, "the body is no batch in JSON: duplicate field `get`"),
            (r#"{"get":["a"],"set":1}"#, "the body is no batch in JSON: unknown field `set`"),
            (r#"{"get":["a"]} x"#, "the body is no batch in JSON: trailing characters"),
            (r#"{"get":["\ud800"]}"#, "the body is no batch in JSON: "),
            (r#"{"get":["a"],"db":16}"#, "db is a number from 0 to 15"),
            (
                r#"{"get":["a"],"db":1.5}"#,
                "the body is no batch in JSON: invalid value: floating point `1.5`, expected a whole",
            ),
            (r#"{"get":["a"],"db":-1.0}"#, "the body is no batch in JSON: invalid value: floating point"),
            (r#"{"get":["a"],"db":"1"}"#, "the body is no batch in JSON: invalid type: string"),
            (r#"{"get":["a",""]}"#, "get[1]: a key has 1 to 250 bytes"),
            (r#"{"put":[{"key":"a\u0000","value":""}]}"#, "put[0]: a key has 1 to 250 bytes and no control characters"),
            (r#"{"put":[{"key":"a"}]}"#, "put[0]: an item has either value or value_base64"),
            (r#"{"put":[{"key":"a","value":"","value_base64":""}]}"#, "put[0]: an item has either value"),
            (r#"{"put":[{"value":""}]}"#, "the body is no batch in JSON: missing field `key`"),
            (r#"{"put":[{"key":"a","value":"","ttl_seconds":0}]}"#, "put[0]: ttl_seconds is a number from 1 to"),
            (
                r#"{"put":[{"key":"a","value":"","ttl_seconds":null}]}"#,
                "the body is no batch in JSON: invalid type: null",
            ),
            (
                r#"{"put":[{"key":"a","value":"","flags":4294967296}]}"#,
                "put[0]: flags is a number from 0 to 4294967295",
            ),
            (
                r#"{"put":[{"key":"a","value":"","flags":-1}]}"#,
                "the body is no batch in JSON: invalid type: integer `-1`",
            ),
            (r#"{"put":[{"key":"a","value_base64":"?"}]}"#, "put[0]: value_base64 is not base64"),
            (long.as_str(), "put[0]: the value has 1025 bytes, the limit is 1024"),
            (many.as_str(), "the body is no batch in JSON: a batch has at most 1000 keys"),
        ];
        for (body, expected) in cases {
            let expected = format!("400 {expected}");
            assert!(shown(body).starts_with(&expected), "{body}: {}", shown(body));
        }
    }
}
