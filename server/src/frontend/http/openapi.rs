//! The OpenAPI document of the HTTP door, served as it lies beside this file, but for the version.

use std::sync::OnceLock;

/// Where the version goes.
const VERSION_MARK: &str = "{version}";

const DOCUMENT: &str = include_str!("openapi.json");

/// The document.
pub(super) fn document() -> &'static [u8] {
    static FILLED: OnceLock<String> = OnceLock::new();
    FILLED.get_or_init(|| DOCUMENT.replace(VERSION_MARK, env!("CARGO_PKG_VERSION"))).as_bytes()
}
