//! The paths of the HTTP door, and what may be done at each.
//!
//! All that is behind `/cache/` is the key, slashes included. `batch` is a key like any other too: only POST means the
//! batch.

use locksley_wire::http::Method;

use super::Refused;
use crate::console::{self, Asset};

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route<'a> {
    /// `/cache/{key}`, with the key as it was sent.
    Key(&'a [u8]),
    /// `/cache`: entries that are told by something else than a key.
    Entries,
    /// `POST /cache/batch`.
    Batch,
    /// `/metrics`.
    Metrics,
    /// `/healthz`.
    Health,
    /// `/readyz`.
    Readiness,
    /// `/openapi.json`.
    Document,
    /// `/` and `/console/...`: a file of the console.
    Console(&'static Asset),
    /// `/console/state`.
    State,
    /// `/console/events`.
    Events,
}

/// A path with its methods, for the OpenAPI document's test and the field `Allow`.
#[derive(Debug)]
pub(super) struct Path {
    /// As the document writes it.
    #[cfg_attr(not(test), expect(dead_code, reason = "only the test of the document reads it"))]
    pub template: &'static str,
    /// What may be done there.
    pub methods: &'static [Method],
    /// The same as `Allow` lists it.
    pub allowed: &'static str,
}

const KEY: Path = Path {
    template: "/cache/{key}",
    methods: &[Method::Get, Method::Head, Method::Put, Method::Delete],
    allowed: "GET, HEAD, PUT, DELETE",
};
const BATCH: Path = Path {
    template: "/cache/batch",
    methods: &[Method::Get, Method::Head, Method::Put, Method::Delete, Method::Post],
    allowed: "GET, HEAD, PUT, DELETE, POST",
};
const ENTRIES: Path = Path { template: "/cache", methods: &[Method::Delete], allowed: "DELETE" };
const METRICS: Path = Path { template: "/metrics", ..HEALTH };
const HEALTH: Path = Path { template: "/healthz", methods: &[Method::Get, Method::Head], allowed: "GET, HEAD" };
const READINESS: Path = Path { template: "/readyz", ..HEALTH };
const DOCUMENT: Path = Path { template: "/openapi.json", ..HEALTH };
const PAGE: Path = Path { template: "/", ..HEALTH };
const PAGE_FILE: Path = Path { template: "/console/{file}", ..HEALTH };
const STATE: Path = Path { template: "/console/state", ..HEALTH };
const EVENTS: Path = Path { template: "/console/events", ..HEALTH };

/// Every path.
#[cfg(test)]
pub(super) const PATHS: [Path; 11] =
    [KEY, ENTRIES, BATCH, METRICS, HEALTH, READINESS, DOCUMENT, PAGE, PAGE_FILE, STATE, EVENTS];

const NO_PATH: &str = "there is nothing at this path: see /openapi.json";
const NO_METHOD: &str = "this path does not have that method";

impl<'a> Route<'a> {
    /// Where a path leads.
    ///
    /// # Errors
    /// 404 when nowhere.
    #[inline]
    pub(super) fn of(path: &'a [u8], method: Method) -> Result<Route<'a>, Refused> {
        if let Some(key) = path.strip_prefix(b"/cache/") {
            let is_batch = key == b"batch" && matches!(method, Method::Post | Method::Options);
            return Ok(if is_batch { Route::Batch } else { Route::Key(key) });
        }
        match path {
            b"/cache" => Ok(Route::Entries),
            b"/metrics" => Ok(Route::Metrics),
            b"/healthz" => Ok(Route::Health),
            b"/readyz" => Ok(Route::Readiness),
            b"/openapi.json" => Ok(Route::Document),
            b"/console/state" => Ok(Route::State),
            b"/console/events" => Ok(Route::Events),
            _ => console::asset(path).map(Route::Console).ok_or_else(|| Refused::new(404, NO_PATH)),
        }
    }

    /// Its path.
    pub(super) fn path(self) -> &'static Path {
        match self {
            Route::Key(b"batch") | Route::Batch => &BATCH,
            Route::Key(_) => &KEY,
            Route::Entries => &ENTRIES,
            Route::Metrics => &METRICS,
            Route::Health => &HEALTH,
            Route::Readiness => &READINESS,
            Route::Document => &DOCUMENT,
            Route::Console(asset) if asset.path == "/" => &PAGE,
            Route::Console(_) => &PAGE_FILE,
            Route::State => &STATE,
            Route::Events => &EVENTS,
        }
    }

    /// Whether it leads to entries, or tells of them or of clients, and so needs the password.
    pub(super) fn needs_password(self) -> bool {
        matches!(self, Route::Key(_) | Route::Entries | Route::Batch | Route::Metrics | Route::State | Route::Events)
    }

    /// Whether `method` may be used there.
    ///
    /// # Errors
    /// 405 when not.
    #[inline]
    pub(super) fn check(self, method: Method) -> Result<(), Refused> {
        if self.path().methods.contains(&method) {
            return Ok(());
        }
        Err(Refused { allowed: self.path().allowed, ..Refused::new(405, NO_METHOD) })
    }
}
