//! A client of every door at once, and what it can do at each.

use locksley_tests::client::Client;
use locksley_tests::http::{HttpClient, Response};
use locksley_tests::memcached::MemcachedClient;
use locksley_tests::reply::Reply;
use locksley_tests::server::Server;
use serde_json::Value;

/// A way into the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// `SET`, `GETV`, ...
    Resp,
    /// `set`, `gets`, ...
    Text,
    /// `ms`, `mg`, ...
    Meta,
    /// `PUT /cache/{key}`, ...
    Rest,
}

impl Door {
    /// All of them.
    pub(crate) const ALL: [Door; 4] = [Door::Resp, Door::Text, Door::Meta, Door::Rest];

    /// Every ordered pair of two doors, a door with itself among them.
    pub(crate) fn pairs() -> impl Iterator<Item = (Door, Door)> {
        Self::ALL.into_iter().flat_map(|first| Self::ALL.map(|second| (first, second)))
    }
}

/// What a door shows of an entry; what it does not show is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The value.
    pub(crate) value: Vec<u8>,
    /// The version.
    pub(crate) version: u64,
    /// The client flags.
    pub(crate) flags: Option<u32>,
    /// Seconds to live, -1 for ever.
    pub(crate) ttl_seconds: Option<i64>,
}

/// What is to be stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    /// The value.
    pub(crate) value: &'a [u8],
    /// The client flags, which RESP cannot set.
    pub(crate) flags: u32,
    /// Seconds to live; for ever if there are none.
    pub(crate) ttl_seconds: Option<u32>,
}

impl<'a> Wanted<'a> {
    /// This value for ever, without flags.
    pub(crate) fn plain(value: &'a [u8]) -> Self {
        Self { value, flags: 0, ttl_seconds: None }
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Visitor {
    pub(crate) resp: Client,
    pub(crate) memcached: MemcachedClient,
    pub(crate) http: HttpClient,
}

impl Visitor {
    /// Connects to every door.
    pub(crate) fn new(server: &Server) -> Self {
        let (resp, memcached, http) = (server.connect(), server.connect_memcached(), server.connect_http());
        Self { resp, memcached, http }
    }

    /// Reads an entry through `door`; at REST also as it is and without its value, which have to agree.
    pub(crate) fn read(&mut self, door: Door, key: &str) -> Option<Seen> {
        let seen = self.read_once(door, key)?;
        if door == Door::Rest {
            let target = format!("/cache/{key}");
            let raw = self.http.get_raw(&target);
            let head = self.http.call("HEAD", &target, &[], b"");
            for response in [&raw, &head] {
                assert_eq!((response.status, response.version()), (200, seen.version), "{response:?}");
            }
            assert!(raw.body == seen.value, "{key} in JSON and as it is");
        }
        Some(seen)
    }

    /// Reads an entry through `door` by one request, and some more where RESP needs them.
    pub(crate) fn read_once(&mut self, door: Door, key: &str) -> Option<Seen> {
        match door {
            Door::Resp => {
                let reply = self.resp.call(&["GETV", key]);
                let Reply::Array(found) = reply else {
                    assert!(matches!(reply, Reply::Nil | Reply::NilArray), "GETV {key}: {reply}");
                    return None;
                };
                let [Reply::Bulk(value), version, ..] = found.as_slice() else { panic!("GETV {key}: {found:?}") };
                let (value, version) = (value.clone(), version.integer() as u64);
                // What another client deletes in between answers as nothing, or as gone.
                let flags = match self.resp.call(&["OBJECT", "FLAGS", key]) {
                    Reply::Integer(flags) => Some(flags as u32),
                    _ => None,
                };
                let ttl_seconds = self.resp.call(&["TTL", key]).integer();
                Some(Seen { value, version, flags, ttl_seconds: Some(ttl_seconds) })
            }
            Door::Text => {
                let items = self.memcached.retrieve(&format!("gets {key}"));
                items.into_iter().next().map(|item| Seen {
                    version: item.cas.expect("gets gives a cas"),
                    value: item.value,
                    flags: Some(item.flags),
                    ttl_seconds: None,
                })
            }
            Door::Meta => {
                let (line, value) = self.memcached.meta(&format!("mg {key} v c f t"));
                if line == "EN" {
                    return None;
                }
                let token = |flag: &str| {
                    let found = line.split(' ').find_map(|word| word.strip_prefix(flag)?.parse::<i64>().ok());
                    found.unwrap_or_else(|| panic!("{flag} is missing: {line}"))
                };
                Some(Seen {
                    value: value.expect("v gives a value"),
                    version: token("c") as u64,
                    flags: Some(token("f") as u32),
                    ttl_seconds: Some(token("t")),
                })
            }
            Door::Rest => {
                let response = self.http.get(&format!("/cache/{key}"));
                assert_eq!(response.status, 200, "GET {key}: {response:?}");
                let json = response.json();
                if json["hit"] == false {
                    return None;
                }
                assert_eq!(json["hit"], true, "{json}");
                let version = json["version"].as_u64().unwrap_or_else(|| panic!("no version: {json}"));
                assert_eq!(response.version(), version, "{response:?}");
                Some(Seen {
                    value: value_of(&json),
                    version,
                    flags: json["flags"].as_u64().map(|flags| flags as u32),
                    ttl_seconds: Some(json["ttl_remaining"].as_f64().map_or(-1, |seconds| seconds.ceil() as i64)),
                })
            }
        }
    }

    /// Stores an entry through `door`, whatever was there.
    pub(crate) fn write(&mut self, door: Door, key: &str, wanted: Wanted<'_>) {
        let Wanted { value, flags, ttl_seconds } = wanted;
        match door {
            Door::Resp => {
                let ttl = ttl_seconds.map(|seconds| seconds.to_string());
                let mut words = vec![b"SET".as_slice(), key.as_bytes(), value];
                if let Some(ttl) = &ttl {
                    words.extend([b"EX".as_slice(), ttl.as_bytes()]);
                }
                assert_eq!(self.resp.call(&words).to_string(), "+OK");
            }
            Door::Text => {
                let line = format!("set {key} {flags} {} {}", ttl_seconds.unwrap_or(0), value.len());
                assert_eq!(self.memcached.store(&line, value), "STORED", "{line}");
            }
            Door::Meta => {
                let line = format!("ms {key} {} F{flags} T{}", value.len(), ttl_seconds.unwrap_or(0));
                assert_eq!(self.memcached.store(&line, value), "HD", "{line}");
            }
            Door::Rest => {
                let ttl = ttl_seconds.map(|seconds| format!("&ttl_seconds={seconds}")).unwrap_or_default();
                let response = self.http.put(&format!("/cache/{key}?flags={flags}{ttl}"), value);
                assert!(is_success(&response), "PUT {key}: {response:?}");
            }
        }
    }

    /// Stores a value through `door` if the entry has this version; says whether it did.
    pub(crate) fn write_if(&mut self, door: Door, key: &str, value: &[u8], version: u64) -> bool {
        match door {
            Door::Resp => {
                let version = version.to_string();
                let reply = self.resp.call(&[b"SET", key.as_bytes(), value, b"IFVER", version.as_bytes()]);
                assert!(matches!(reply, Reply::Simple(_) | Reply::Nil), "SET {key} IFVER: {reply}");
                reply != Reply::Nil
            }
            Door::Text => {
                let line = format!("cas {key} 0 0 {} {version}", value.len());
                let reply = self.memcached.store(&line, value);
                assert!(["STORED", "EXISTS", "NOT_FOUND"].contains(&reply.as_str()), "{line}: {reply}");
                reply == "STORED"
            }
            Door::Meta => {
                let line = format!("ms {key} {} C{version}", value.len());
                let reply = self.memcached.store(&line, value);
                assert!(["HD", "EX", "NF"].contains(&reply.as_str()), "{line}: {reply}");
                reply == "HD"
            }
            Door::Rest => {
                let tag = format!("\"{version}\"");
                let fields = [("Content-Type", "application/octet-stream"), ("If-Match", tag.as_str())];
                let response = self.http.call("PUT", &format!("/cache/{key}"), &fields, value);
                assert!(is_success(&response) || response.status == 412, "PUT {key} If-Match: {response:?}");
                is_success(&response)
            }
        }
    }

    /// Deletes an entry through `door`; says whether it was there.
    pub(crate) fn delete(&mut self, door: Door, key: &str) -> bool {
        match door {
            Door::Resp => self.resp.call(&["DEL", key]).integer() == 1,
            Door::Text => answered(&self.memcached.command(&format!("delete {key}")), "DELETED", "NOT_FOUND"),
            Door::Meta => answered(&self.memcached.command(&format!("md {key}")), "HD", "NF"),
            Door::Rest => {
                let response = self.http.delete(&format!("/cache/{key}"));
                assert_eq!(response.status, 200, "DELETE {key}: {response:?}");
                response.json()["existed"].as_bool().unwrap_or_else(|| panic!("existed is missing: {response:?}"))
            }
        }
    }

    /// Deletes an entry through `door` if it has this version; says whether it did. Text commands have no such thing.
    pub(crate) fn delete_if(&mut self, door: Door, key: &str, version: u64) -> bool {
        match door {
            Door::Resp => self.resp.call(&["DELIFVER", key, &version.to_string()]).integer() == 1,
            Door::Text | Door::Meta => {
                let line = format!("md {key} C{version}");
                let reply = self.memcached.command(&line);
                assert!(["HD", "EX", "NF"].contains(&reply.as_str()), "{line}: {reply}");
                reply == "HD"
            }
            Door::Rest => {
                let tag = format!("\"{version}\"");
                let response = self.http.call("DELETE", &format!("/cache/{key}"), &[("If-Match", &tag)], b"");
                assert!(is_success(&response) || response.status == 412, "DELETE {key} If-Match: {response:?}");
                is_success(&response)
            }
        }
    }

    /// Adds to a number through `door`; REST cannot, and RESP does it then.
    pub(crate) fn add(&mut self, door: Door, key: &str, delta: u64) -> u64 {
        match door {
            Door::Resp | Door::Rest => self.resp.call(&["INCRBY", key, &delta.to_string()]).integer() as u64,
            Door::Text => {
                let reply = self.memcached.command(&format!("incr {key} {delta}"));
                reply.parse().unwrap_or_else(|_| panic!("incr {key}: {reply}"))
            }
            Door::Meta => {
                let (line, value) = self.memcached.meta(&format!("ma {key} D{delta} v"));
                let value = value.unwrap_or_else(|| panic!("ma {key}: {line}"));
                String::from_utf8_lossy(&value).trim_end().parse().expect("a number")
            }
        }
    }
}

/// The value that a JSON response carries: a text, or base64 where it is none.
fn value_of(json: &Value) -> Vec<u8> {
    let text = json["value"].as_str().unwrap_or_else(|| panic!("no value: {json}"));
    if json["encoding"] == "base64" { base64(text) } else { text.as_bytes().to_vec() }
}

/// What `text` means in base64.
fn base64(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.trim_end_matches('=').bytes();
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for digit in digits {
        let value = ALPHABET.iter().position(|known| *known == digit).expect("a digit of base64");
        bits = bits << 6 | value as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
}

/// Whether an answer is the one that says yes; asserts that it says no otherwise.
fn answered(reply: &str, yes: &str, no: &str) -> bool {
    assert!(reply == yes || reply == no, "{reply} is neither {yes} nor {no}");
    reply == yes
}

fn is_success(response: &Response) -> bool {
    (200..300).contains(&response.status)
}
