//! From a request to a row with its arguments, or to the response where no shard is needed.

use std::borrow::Cow;

use hashbrown::HashSet;
use locksley_engine::Db;
use locksley_wire::http::target::decode;
use locksley_wire::http::{self, Body, Method, Request};

use super::batch_body::{self, Asked, Stored};
use super::query::{Parameters, Query, bad_encoding, check_key, sent_prefix};
use super::routes::Route;
use super::{Facts, Meant, Refused, accept, gate, openapi};
use crate::command::cache::check_prefix;
use crate::command::rest::reply::{begin, end_error, end_json};
use crate::command::rest::tags::Comparison;
use crate::command::rest::{PutOptions, StateForm, Verb, tags};
use crate::console::{self, Asset};
use crate::frontend::batch::Batch;

/// Fields that a page may send, and for how many seconds its browser need not ask again.
const PREFLIGHT: &[u8] =
    b"Access-Control-Allow-Headers: Accept, Authorization, Content-Type, If-Match, If-None-Match\r\n\
      Access-Control-Max-Age: 600\r\n";

const HEALTHY: &[u8] = b"{\"status\":\"ok\"}";
const NOTHING_FOUND: &[u8] = b"{\"found\":{},\"missing\":[]}";
const NO_RESULTS: &[u8] = b"{\"results\":[]}";

impl<'b> Batch<'b> {
    /// What a request asks for.
    ///
    /// # Errors
    /// Why it is refused.
    #[inline]
    pub(super) fn admit(
        &self,
        request: &Request<'b>,
        facts: Facts<'_>,
        manner: http::Manner,
    ) -> Result<Meant<'b>, Refused> {
        match gate::check(request, facts)? {
            route if request.method == Method::Options => Ok(self.preflight(route, facts, manner)),
            Route::Key(sent) => {
                let key = self.key(sent)?;
                match request.method {
                    Method::Put => self.put(request, key, facts),
                    Method::Delete => self.delete(request, key, facts),
                    _ => self.get(request, key, facts),
                }
            }
            Route::Entries => self.delete_prefix(request, facts),
            route => {
                Query::parse(request.target, Parameters::None, 1)?;
                match route {
                    Route::Batch => self.batch(request, facts, manner),
                    Route::Metrics => Ok(Meant::Run { verb: Verb::Metrics, args: &[b"metrics"], db: Db(0) }),
                    Route::Readiness => Ok(self.readiness(facts, manner)),
                    Route::Health => Ok(self.json(facts, manner, HEALTHY)),
                    Route::Console(asset) => self.file(request, asset, facts, manner),
                    Route::State => {
                        let args = self.bump.alloc([b"state", StateForm::Response.encode()]);
                        Ok(Meant::Run { verb: Verb::State, args, db: Db(0) })
                    }
                    Route::Events => {
                        Ok(Meant::Run { verb: Verb::Events, args: self.bump.alloc([&b"events"[..]]), db: Db(0) })
                    }
                    _ => Ok(self.json(facts, manner, openapi::document())),
                }
            }
        }
    }

    /// The key that is meant.
    #[inline]
    fn key(&self, sent: &'b [u8]) -> Result<&'b [u8], Refused> {
        let key = if sent.contains(&b'%') { self.decoded(sent)? } else { sent };
        check_key(key)?;
        Ok(key)
    }

    #[cold]
    fn decoded(&self, sent: &'b [u8]) -> Result<&'b [u8], Refused> {
        let mut bytes = Vec::new();
        let key = decode(sent, &mut bytes).map_err(|_| bad_encoding())?;
        Ok(self.bump.alloc_slice_copy(key))
    }

    #[inline]
    fn get(&self, request: &Request<'b>, key: &'b [u8], facts: Facts<'_>) -> Result<Meant<'b>, Refused> {
        let Query { db, .. } = Query::parse(request.target, Parameters::Database, facts.config().databases)?;
        let form = accept::form(request.accept)?.encode();
        let args: &'b [&'b [u8]] = match checked_tags("If-None-Match", request.if_none_match)? {
            b"" => self.bump.alloc([b"get", key, form]),
            if_none_match => self.bump.alloc([b"get", key, form, if_none_match]),
        };
        Ok(Meant::Run { verb: Verb::Get, args, db })
    }

    #[inline]
    fn put(&self, request: &Request<'b>, key: &'b [u8], facts: Facts<'_>) -> Result<Meant<'b>, Refused> {
        let Query { ttl_seconds, flags, db, is_absent } =
            Query::parse(request.target, Parameters::Entry, facts.config().databases)?;
        let options: &'b [u8] = self.bump.alloc(PutOptions { flags, ttl_seconds }.encode());
        let value = self.whole(request.body);
        let if_match = checked_tags("If-Match", request.if_match)?;
        let if_none_match = checked_tags("If-None-Match", request.if_none_match)?;
        if is_absent {
            let args = self.bump.alloc([b"put-absent", key, options, if_match, if_none_match]);
            return Ok(Meant::Run { verb: Verb::PutAbsent, args, db });
        }
        let args: &'b [&'b [u8]] = if if_match.is_empty() && if_none_match.is_empty() {
            self.bump.alloc([b"put", key, options, value])
        } else {
            self.bump.alloc([b"put", key, options, value, if_match, if_none_match])
        };
        Ok(Meant::Run { verb: Verb::Put, args, db })
    }

    fn delete(&self, request: &Request<'b>, key: &'b [u8], facts: Facts<'_>) -> Result<Meant<'b>, Refused> {
        let Query { db, .. } = Query::parse(request.target, Parameters::Database, facts.config().databases)?;
        let args: &'b [&'b [u8]] = match checked_tags("If-Match", request.if_match)? {
            b"" => self.bump.alloc([b"delete", key]),
            if_match => self.bump.alloc([b"delete", key, if_match]),
        };
        Ok(Meant::Run { verb: Verb::Delete, args, db })
    }

    #[cold]
    fn delete_prefix(&self, request: &Request<'b>, facts: Facts<'_>) -> Result<Meant<'b>, Refused> {
        let Query { db, .. } = Query::parse(request.target, Parameters::Prefix, facts.config().databases)?;
        let prefix = self.decoded(sent_prefix(request.target))?;
        check_prefix(prefix).map_err(|failure| Refused::new(400, failure.sentence().to_owned()))?;
        Ok(Meant::Run { verb: Verb::DeletePrefix, args: self.bump.alloc([b"delete-prefix", prefix]), db })
    }

    /// Keys of a batch that are named twice are asked for once.
    #[cold]
    fn batch(&self, request: &Request<'b>, facts: Facts<'_>, manner: http::Manner) -> Result<Meant<'b>, Refused> {
        let is_json =
            request.content_type.is_some_and(|field| gate::essence(field).eq_ignore_ascii_case(b"application/json"));
        if !is_json {
            return Err(Refused::new(415, "a batch is application/json"));
        }
        let (asked, db) = batch_body::read(self.whole(request.body), facts.config())?;
        let mut args = bumpalo::collections::Vec::new_in(self.bump);
        let verb = match asked {
            Asked::Get(keys) if keys.is_empty() => return Ok(self.json(facts, manner, NOTHING_FOUND)),
            Asked::Put(items) if items.is_empty() => return Ok(self.json(facts, manner, NO_RESULTS)),
            Asked::Get(keys) => {
                let mut seen = HashSet::with_capacity(keys.len());
                args.push(&b"batch-get"[..]);
                let keys = keys.into_iter().map(|key| self.kept(into_bytes(key)));
                args.extend(keys.filter(|key| seen.insert(*key)));
                Verb::BatchGet
            }
            Asked::Put(items) => {
                args.push(b"batch-put");
                for Stored { key, options, value } in items {
                    let options: &'b [u8] = self.bump.alloc(options.encode());
                    args.extend([self.kept(into_bytes(key)), options, self.kept(value)]);
                }
                Verb::BatchPut
            }
        };
        Ok(Meant::Run { verb, args: args.into_bump_slice(), db })
    }

    /// Bytes that live as long as the batch of requests.
    fn kept(&self, bytes: Cow<'b, [u8]>) -> &'b [u8] {
        match bytes {
            Cow::Borrowed(bytes) => bytes,
            Cow::Owned(bytes) => self.bump.alloc_slice_copy(&bytes),
        }
    }

    /// A response that is known in advance.
    #[cold]
    fn json(&self, facts: Facts<'_>, manner: http::Manner, body: &[u8]) -> Meant<'b> {
        Meant::Answer(self.respond(|out| end_json(begin(out, manner, facts.config(), 200), body)))
    }

    /// A file of the console, or word that the browser has it already.
    #[cold]
    fn file(
        &self,
        request: &Request<'b>,
        asset: &Asset,
        facts: Facts<'_>,
        manner: http::Manner,
    ) -> Result<Meant<'b>, Refused> {
        let known = checked_tags("If-None-Match", request.if_none_match)?;
        let is_known = tags::names(known, Some(asset.version()), Comparison::Weak);
        let (tag, tag_bytes) = tags::tag(asset.version());
        Ok(Meant::Answer(self.respond(|out| {
            let status = if is_known { 304 } else { 200 };
            let response = begin(out, manner, facts.config(), status).field("ETag", &tag[..tag_bytes]);
            let response = response.lines(console::FIELDS);
            if is_known {
                response.end();
            } else {
                response.field("Content-Type", asset.media_type.as_bytes()).body(asset.bytes);
            }
        })))
    }

    /// A body in one piece: as it lies in the input, or put together of its chunks.
    fn whole(&self, body: Body<'b>) -> &'b [u8] {
        match body {
            Body::Whole(bytes) => bytes,
            Body::Chunked { bytes, .. } => {
                let mut whole = bumpalo::collections::Vec::with_capacity_in(bytes, self.bump);
                body.pieces().for_each(|piece| whole.extend_from_slice_copy(piece));
                whole.into_bump_slice()
            }
        }
    }

    /// The answer to a browser that asks before it lets a page do something.
    fn preflight(&self, route: Route<'_>, facts: Facts<'_>, manner: http::Manner) -> Meant<'b> {
        Meant::Answer(self.respond(|out| {
            let allowed = route.path().allowed.as_bytes();
            let response = begin(out, manner, facts.config(), 204).field("Allow", allowed);
            response.field("Access-Control-Allow-Methods", allowed).lines(PREFLIGHT).end();
        }))
    }

    /// Whether entries can be read and written, as far as is known without a look at them.
    fn readiness(&self, facts: Facts<'_>, manner: http::Manner) -> Meant<'b> {
        let (thread, config) = (facts.thread, facts.config());
        let obstacle = if thread.is_loading {
            Some("the data is being loaded".to_owned())
        } else {
            thread.check_writes().err().map(|failure| failure.sentence().to_owned())
        };
        Meant::Answer(self.respond(|out| match obstacle {
            Some(sentence) => end_error(begin(out, manner, config, 503), 503, &sentence),
            None => end_json(begin(out, manner, config, 200), b"{\"status\":\"ready\"}"),
        }))
    }
}

fn into_bytes(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

/// The value of a field that lists entity tags; empty where there is no such field.
#[inline]
fn checked_tags<'b>(name: &str, field: Option<&'b [u8]>) -> Result<&'b [u8], Refused> {
    match field {
        None => Ok(b""),
        Some(list) if tags::is_list(list) => Ok(list),
        Some(_) => Err(Refused::new(400, format!("{name} is * or a list of ETags in quotes"))),
    }
}
