//! The console: a page in the binary that shows what the server does.
//!
//! Its files lie beside this one and are served as they lie there; there is no build step, and the page loads nothing from
//! elsewhere. They hold nothing of the data, so they need no password: what the page shows it fetches from
//! `/console/state` and `/console/events`, which do.
//!
//! | file | |
//! |---|---|
//! | `index.html` | what is on the page |
//! | `style.css`, `parts.css`, `modes.css` | how it looks: letters and frame, its parts, narrow windows and other modes |
//! | `app.js` | what runs first: takes each state from the connection, and has the parts of the page draw it |
//! | `connection.js` | the stream of states, the password, and what is done when the line is lost |
//! | `history.js` | the last minutes: rates and percentiles, from the difference of two states |
//! | `charts.js`, `dom.js`, `format.js` | drawings, elements, numbers |
//! | `alerts.js`, `figures.js`, `shards.js`, `memory.js`, `lists.js`, `durability.js`, `lookup.js` | the parts of the page |
//! | `icon.svg` | the mark |
//!
//! Invariant: whatever clients chose (keys, names, arguments) reaches the page as text. The policy below forbids scripts
//! and styles that are not files of ours, and making markup of a string at all (`trusted-types`).

use std::sync::OnceLock;

/// A file of the page.
#[derive(Debug)]
pub(crate) struct Asset {
    /// Where it is served.
    pub path: &'static str,
    /// What it is.
    pub media_type: &'static str,
    /// What is in it.
    pub bytes: &'static [u8],
    version: OnceLock<u64>,
}

impl PartialEq for Asset {
    fn eq(&self, other: &Asset) -> bool {
        self.path == other.path
    }
}

impl Eq for Asset {}

/// Fields of each response with a file. A browser asks each time whether the file is still the same (`no-cache`), so that a
/// page never runs against a server of another version.
pub(crate) const FIELDS: &[u8] = b"Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'\r\n\
    X-Content-Type-Options: nosniff\r\n\
    Referrer-Policy: no-referrer\r\n\
    Cross-Origin-Resource-Policy: same-origin\r\n\
    Cross-Origin-Opener-Policy: same-origin\r\n\
    Cache-Control: no-cache\r\n";

const fn file(path: &'static str, media_type: &'static str, bytes: &'static [u8]) -> Asset {
    Asset { path, media_type, bytes, version: OnceLock::new() }
}

const fn sheet(path: &'static str, bytes: &'static [u8]) -> Asset {
    file(path, "text/css; charset=utf-8", bytes)
}

const fn script(path: &'static str, bytes: &'static [u8]) -> Asset {
    file(path, "text/javascript; charset=utf-8", bytes)
}

/// Every file.
pub(crate) static ASSETS: [Asset; 18] = [
    file("/", "text/html; charset=utf-8", include_bytes!("index.html")),
    sheet("/console/style.css", include_bytes!("style.css")),
    sheet("/console/parts.css", include_bytes!("parts.css")),
    sheet("/console/modes.css", include_bytes!("modes.css")),
    file("/console/icon.svg", "image/svg+xml", include_bytes!("icon.svg")),
    script("/console/alerts.js", include_bytes!("alerts.js")),
    script("/console/app.js", include_bytes!("app.js")),
    script("/console/charts.js", include_bytes!("charts.js")),
    script("/console/connection.js", include_bytes!("connection.js")),
    script("/console/dom.js", include_bytes!("dom.js")),
    script("/console/durability.js", include_bytes!("durability.js")),
    script("/console/figures.js", include_bytes!("figures.js")),
    script("/console/format.js", include_bytes!("format.js")),
    script("/console/history.js", include_bytes!("history.js")),
    script("/console/lists.js", include_bytes!("lists.js")),
    script("/console/lookup.js", include_bytes!("lookup.js")),
    script("/console/memory.js", include_bytes!("memory.js")),
    script("/console/shards.js", include_bytes!("shards.js")),
];

/// The file that is served at `path`.
pub(crate) fn asset(path: &[u8]) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path.as_bytes() == path)
}

impl Asset {
    /// A number that changes with the file: its `ETag`.
    ///
    /// Source: Fowler, Noll, Vo, FNV-1a of 64 bits.
    pub(crate) fn version(&self) -> u64 {
        let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3);
        *self.version.get_or_init(|| self.bytes.iter().fold(0xCBF2_9CE4_8422_2325, mix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(path: &str) -> &'static str {
        let asset = asset(path.as_bytes()).expect("the page has it");
        str::from_utf8(asset.bytes).expect("it is text")
    }

    #[test]
    fn files_differ_by_path_and_version() {
        for (index, asset) in ASSETS.iter().enumerate() {
            assert!(std::ptr::eq(super::asset(asset.path.as_bytes()).expect("it is found"), asset));
            for other in &ASSETS[..index] {
                assert!(other.path != asset.path && other.version() != asset.version(), "{}", asset.path);
            }
        }
        assert!(asset(b"/console/").is_none() && asset(b"/console/none.js").is_none());
    }

    #[test]
    fn the_page_needs_nothing_but_these_files() {
        for asset in &ASSETS {
            let text = text(asset.path);
            let foreign =
                ["https://", "@import", "url(", "eval(", "innerHTML", "outerHTML", "document.write", "style=\""];
            for word in foreign {
                assert!(!text.contains(word), "{word} in {}", asset.path);
            }
            let addresses = text.matches("http://").count();
            let namespaces = text.matches("http://www.w3.org/2000/svg").count();
            assert_eq!(addresses, namespaces, "{} loads nothing from elsewhere", asset.path);
        }
        let page = text("/");
        for attribute in ["src=\"", "href=\""] {
            for rest in page.split(attribute).skip(1) {
                let target = rest.split('"').next().expect("an attribute ends");
                let is_ours = target.starts_with('#') || target.starts_with('/');
                assert!(is_ours, "{target}");
                if target.starts_with("/console/") {
                    assert!(asset(target.as_bytes()).is_some(), "{target}");
                }
            }
        }
        assert!(!page.contains("<script>") && !page.contains("<style") && !page.contains(" on"), "nothing is inline");
    }

    #[test]
    fn the_fields_are_lines() {
        let fields = str::from_utf8(FIELDS).expect("fields are text");
        assert!(fields.ends_with("\r\n") && !fields.contains("  "));
        assert_eq!(fields.lines().count(), 6);
    }
}
