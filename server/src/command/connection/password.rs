//! Whether a client knows the password.

use std::hint::black_box;

use crate::command::failure::Failure;
use crate::config::Config;

/// The one user there is.
const USER: &[u8] = b"default";

const WRONG: Failure = Failure::fixed("WRONGPASS invalid username-password pair or user is disabled.");

/// Lets a client in that names `user` and `password`, or says why not. Without a password in the settings the default
/// user takes any.
pub(crate) fn check(config: &Config, user: &[u8], password: &[u8]) -> Result<(), Failure> {
    let known = config.requirepass.as_bytes();
    let is_right = known.is_empty() || is_equal(known, password);
    if user == USER && is_right { Ok(()) } else { Err(WRONG) }
}

/// Compares in a time that depends on the length of `given` alone, so that a guess learns nothing from it.
fn is_equal(known: &[u8], given: &[u8]) -> bool {
    let mut difference = u8::from(known.len() != given.len());
    for (index, byte) in given.iter().enumerate() {
        difference |= black_box(byte ^ known[index % known.len()]);
    }
    difference == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_password_is_equal() {
        assert!(is_equal(b"secret", b"secret"));
        for given in [&b""[..], b"s", b"secre", b"secretsecret", b"secreT"] {
            assert!(!is_equal(b"secret", given), "{}", given.escape_ascii());
        }
    }

    #[test]
    fn without_a_password_the_default_user_takes_any() {
        let mut config = Config::default();
        assert!(check(&config, b"default", b"anything").is_ok());
        assert!(check(&config, b"alice", b"anything").is_err());
        config.requirepass = "secret".to_owned();
        assert!(check(&config, b"default", b"anything").is_err());
        assert!(check(&config, b"default", b"secret").is_ok());
    }
}
