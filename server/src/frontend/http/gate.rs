//! Who may ask: the checks that keep a page in somebody's browser from using a server that only that browser can reach.
//!
//! - `Host` has to say the address that the client connected to, `localhost` where that is a loopback, or a name of
//!   `http-allowed-hosts`. A page whose own name was pointed at our address (DNS rebinding) sends its own name.
//! - `Origin` is sent by browsers, and has to be our own or `http-cors-origin`.
//! - PUT and POST need a media type that a page cannot send unasked, or a password: without one of these a browser asks
//!   first (preflight), and is told no. DELETE is always asked about.
//!
//! HTTP/1.0 may leave out `Host`: no browser speaks it.
//!
//! Source: Fetch standard, "CORS-safelisted request-header" and "CORS-safelisted method".

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use locksley_wire::http::{Limits, Method, Request};

use super::routes::Route;
use super::{Facts, Refused};
use crate::command::connection::password;
use crate::config::Config;
use crate::limits::{HTTP_BATCH_BYTES_MAX, HTTP_OTHER_BODY_BYTES_MAX, HTTP_STRANGER_BODY_BYTES_MAX};

/// The user whose password it is, where a request names none.
const USER: &[u8] = b"default";

/// Media types that a page may send without being asked.
const SIMPLE_TYPES: [&[u8]; 3] = [b"text/plain", b"application/x-www-form-urlencoded", b"multipart/form-data"];

const WRONG_HOST: &str = "the Host field names neither the address of this server nor one of http-allowed-hosts";
const WRONG_ORIGIN: &str = "pages of this origin may not use this server: see http-cors-origin";
pub(super) const NO_PASSWORD: &str =
    "the password is needed: Authorization: Bearer <password>, or Basic with the user default";
const SIMPLE_TYPE: &str = "a Content-Type is needed that no page can send by itself, as application/octet-stream; or \
     an Authorization field";

/// What a request may be at most, as its head has it; for whoever did not say the password that is little.
#[cold]
pub(super) fn limits(head: &Request<'_>, facts: Facts<'_>) -> Limits {
    let config = facts.config();
    let body_bytes_max = match head.method {
        _ if !knows_password(head, config) => HTTP_STRANGER_BODY_BYTES_MAX,
        Method::Put => config.http_max_value,
        Method::Post => HTTP_BATCH_BYTES_MAX,
        _ => HTTP_OTHER_BODY_BYTES_MAX,
    };
    Limits { body_bytes_max }
}

/// Lets a request in.
///
/// # Errors
/// 421, 403, 401 or 415 when it may not.
#[inline]
pub(super) fn check<'a>(request: &Request<'a>, facts: Facts<'_>) -> Result<Route<'a>, Refused> {
    let config = facts.config();
    check_host(request.host, facts)?;
    let route = Route::of(request.target.path, request.method)?;
    if request.method != Method::Options || config.http_cors_origin.is_empty() {
        route.check(request.method)?;
    }
    if let Some(origin) = request.origin {
        check_origin(origin, request.host, config)?;
    }
    if request.method != Method::Options && route.needs_password() {
        if !knows_password(request, config) {
            return Err(Refused::new(401, NO_PASSWORD));
        }
        if matches!(request.method, Method::Put | Method::Post) {
            check_type(request)?;
        }
    }
    Ok(route)
}

#[inline]
fn check_host(host: Option<&[u8]>, facts: Facts<'_>) -> Result<(), Refused> {
    let Some(host) = host else { return Ok(()) };
    let name = host_name(host);
    let local = facts.local_address.to_canonical();
    let address = name.and_then(|name| str::from_utf8(name).ok()?.parse::<IpAddr>().ok());
    if address.is_some_and(|address| address.to_canonical() == local) {
        return Ok(());
    }
    check_name(name, local, facts.config())
}

#[cold]
fn check_name(name: Option<&[u8]>, local: IpAddr, config: &Config) -> Result<(), Refused> {
    let is_allowed = name.is_some_and(|name| {
        let is_our_own = local.is_loopback() && name.eq_ignore_ascii_case(b"localhost");
        let mut names = config.http_allowed_hosts.iter().map(String::as_bytes);
        is_our_own
            || names
                .any(|allowed| allowed == b"*" || host_name(allowed).is_some_and(|at| at.eq_ignore_ascii_case(name)))
    });
    if is_allowed { Ok(()) } else { Err(Refused::new(421, WRONG_HOST)) }
}

/// The name or the address in `name:port`, an address of IPv6 without its brackets.
#[inline]
fn host_name(host: &[u8]) -> Option<&[u8]> {
    let (name, port) = if let Some(rest) = host.strip_prefix(b"[") {
        let end = rest.iter().position(|byte| *byte == b']')?;
        (&rest[..end], &rest[end + 1..])
    } else {
        host.split_at(host.iter().position(|byte| *byte == b':').unwrap_or(host.len()))
    };
    let is_port = match port {
        [] => true,
        [b':', digits @ ..] => digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    (is_port && !name.is_empty()).then_some(name)
}

#[cold]
fn check_origin(origin: &[u8], host: Option<&[u8]>, config: &Config) -> Result<(), Refused> {
    let is_our_own = origin.strip_prefix(b"http://").zip(host).is_some_and(|(from, to)| from.eq_ignore_ascii_case(to));
    let other = config.http_cors_origin.as_bytes();
    let is_allowed = !other.is_empty() && origin.eq_ignore_ascii_case(other);
    if is_our_own || is_allowed { Ok(()) } else { Err(Refused::new(403, WRONG_ORIGIN)) }
}

#[inline]
fn knows_password(request: &Request<'_>, config: &Config) -> bool {
    config.requirepass.is_empty() || request.authorization.is_some_and(|field| says_password(field, config))
}

/// Whether an Authorization field says the password.
#[cold]
fn says_password(field: &[u8], config: &Config) -> bool {
    let end = field.iter().position(|byte| *byte == b' ').unwrap_or(field.len());
    let (scheme, credentials) = (&field[..end], field[end..].trim_ascii());
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return password::check(config, USER, credentials).is_ok();
    }
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return false;
    }
    let Ok(pair) = STANDARD.decode(credentials) else { return false };
    let Some(colon) = pair.iter().position(|byte| *byte == b':') else { return false };
    let user = if colon == 0 { USER } else { &pair[..colon] };
    password::check(config, user, &pair[colon + 1..]).is_ok()
}

fn check_type(request: &Request<'_>) -> Result<(), Refused> {
    let is_simple = request.content_type.is_none_or(|field| {
        let essence = essence(field);
        essence.is_empty() || SIMPLE_TYPES.iter().any(|simple| simple.eq_ignore_ascii_case(essence))
    });
    if is_simple && request.authorization.is_none() {
        return Err(Refused::new(415, SIMPLE_TYPE));
    }
    match request.content_encoding {
        Some(coding) if !coding.eq_ignore_ascii_case(b"identity") => {
            Err(Refused::new(415, "a value is stored as it is sent: Content-Encoding can only be identity"))
        }
        _ => Ok(()),
    }
}

/// A media type without its parameters.
pub(super) fn essence(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == b';').next().unwrap_or(field).trim_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_split_from_their_ports() {
        let cases: [(&str, Option<&str>); 10] = [
            ("127.0.0.1:8379", Some("127.0.0.1")),
            ("127.0.0.1", Some("127.0.0.1")),
            ("localhost:", Some("localhost")),
            ("[::1]:8379", Some("::1")),
            ("[::1]", Some("::1")),
            ("", None),
            (":8379", None),
            ("[::1", None),
            ("a:b", None),
            ("a:1:2", None),
        ];
        for (host, expected) in cases {
            assert_eq!(host_name(host.as_bytes()), expected.map(str::as_bytes), "{host}");
        }
    }

    #[test]
    fn only_our_own_origin_and_the_allowed_one_may_ask() {
        let none = Config::default();
        let one = Config { http_cors_origin: "https://app.example".to_owned(), ..Config::default() };
        let host = Some(&b"127.0.0.1:8379"[..]);
        let cases = [
            (&none, "http://127.0.0.1:8379", true),
            (&none, "HTTP://127.0.0.1:8379", false),
            (&none, "http://127.0.0.1:80", false),
            (&none, "http://127.0.0.1", false),
            (&none, "https://app.example", false),
            (&none, "null", false),
            (&none, "", false),
            (&one, "https://app.example", true),
            (&one, "http://app.example", false),
            (&one, "https://app.example:444", false),
            (&one, "http://127.0.0.1:8379", true),
        ];
        for (config, origin, expected) in cases {
            assert_eq!(check_origin(origin.as_bytes(), host, config).is_ok(), expected, "{origin}");
        }
        assert!(check_origin(b"http://", None, &none).is_err());
    }

    #[test]
    fn the_password_is_said_in_two_ways() {
        let config = Config { requirepass: "a:secret".to_owned(), ..Config::default() };
        let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
        let cases = [
            ("Bearer a:secret".to_owned(), true),
            ("bearer   a:secret ".to_owned(), true),
            ("Bearer a:secre".to_owned(), false),
            ("Bearer".to_owned(), false),
            ("a:secret".to_owned(), false),
            (basic("default:a:secret"), true),
            (basic(":a:secret"), true),
            (basic("alice:a:secret"), false),
            (basic("default:secret"), false),
            (basic("a"), false),
            ("Basic ?".to_owned(), false),
            ("Digest a:secret".to_owned(), false),
        ];
        for (field, expected) in cases {
            assert_eq!(says_password(field.as_bytes(), &config), expected, "{field}");
        }
    }
}
