//! Bearer tokens and other generated secrets.

use sha2::{Digest, Sha256};
use std::fmt;
use subtle::ConstantTimeEq;

/// A generated secret: the plain text goes to its owner, the digest is stored.
#[derive(Clone)]
pub struct NewSecret {
    /// Shown to the owner once.
    pub plain: String,
    /// Stored and looked up: [`digest`] of the plain secret.
    pub digest: String,
}

impl NewSecret {
    pub(crate) fn new(plain: String) -> Self {
        let digest = digest(&plain);
        Self { plain, digest }
    }
}

impl fmt::Debug for NewSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewSecret(..)")
    }
}

/// Generates a token of 30 letters and digits, as AWX's are. It has 178 bits: more than the 160 that RFC 6749, section 10.10, recommends.
pub fn new_token() -> NewSecret {
    NewSecret::new(crate::random::alphanumeric(30))
}

/// Generates the `client_id` of an OAuth2 client: 40 letters and digits, as in AWX.
pub fn new_client_id() -> String {
    crate::random::alphanumeric(40)
}

/// Generates the secret of an OAuth2 client: 128 letters and digits, as in AWX.
pub fn new_client_secret() -> NewSecret {
    NewSecret::new(crate::random::alphanumeric(128))
}

/// Whether `stored` is the [`digest`] of this secret, compared in constant time.
pub fn is_digest_of(stored: &str, plain: &str) -> bool {
    stored.as_bytes().ct_eq(digest(plain).as_bytes()).into()
}

/// The digest of a generated secret: SHA-256 in 64 lowercase hexadecimal digits,
/// which an index can look up.
///
/// Passwords need a slow, salted hash because they can be guessed. Generated secrets
/// have 178 random bits or more, and are digested with every request. Never use it
/// for a password.
pub fn digest(plain: &str) -> String {
    hex::encode(Sha256::digest(plain))
}

/// What a token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Only to read.
    Read,
    /// Everything that its owner may do, reading included.
    Write,
}

/// The scope does not exist. The message is AWX's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Must be a simple space-separated string with allowed scopes ['read', 'write'].")]
pub struct ScopeError;

/// Parses a scope as AWX writes it: `read`, `write`, or both with a space between.
///
/// # Errors
/// [`ScopeError`] for any other word, a repeated word (as in AWX), and an empty
/// scope.
pub fn parse_scope(scope: &str) -> Result<Scope, ScopeError> {
    let (mut read, mut write) = (false, false);
    for word in scope.split_whitespace() {
        let seen = match word {
            "read" => &mut read,
            "write" => &mut write,
            _ => return Err(ScopeError),
        };
        if std::mem::replace(seen, true) {
            return Err(ScopeError);
        }
    }
    match (read, write) {
        (_, true) => Ok(Scope::Write),
        (true, false) => Ok(Scope::Read),
        (false, false) => Err(ScopeError),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_look_like_awx_tokens_and_never_repeat() {
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..1000 {
            let token = new_token();
            assert_eq!(token.plain.len(), 30);
            assert!(token.plain.bytes().all(|byte| byte.is_ascii_alphanumeric()));
            assert_eq!(token.digest, digest(&token.plain));
            assert!(seen.insert(token.plain));
        }
    }

    #[test]
    fn digest_is_sha256_in_hexadecimal() {
        // The example of FIPS 180-4 for "abc".
        assert_eq!(digest("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn secret_matches_its_digest_only() {
        let (secret, id) = (new_client_secret(), new_client_id());
        assert_eq!((secret.plain.len(), id.len()), (128, 40));
        assert!(is_digest_of(&secret.digest, &secret.plain));
        for (stored, plain) in [(secret.digest.as_str(), ""), (&secret.digest, &secret.digest), ("", "")] {
            assert!(!is_digest_of(stored, plain));
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let token = new_token();
        let shown = format!("{token:?}");
        assert!(!shown.contains(&token.plain) && !shown.contains(&token.digest), "{shown}");
    }

    #[test]
    fn scopes() {
        assert_eq!(parse_scope("read"), Ok(Scope::Read));
        assert_eq!(parse_scope("write"), Ok(Scope::Write));
        assert_eq!(parse_scope("read write"), Ok(Scope::Write));
        assert_eq!(parse_scope("write read"), Ok(Scope::Write));
        assert_eq!(parse_scope(" read  "), Ok(Scope::Read));
        assert!(Scope::Write > Scope::Read);
    }

    #[test]
    fn invalid_scopes_are_rejected() {
        for wrong in ["", "  ", "Read", "admin", "read admin", "read,write", "read read", "write write", "read\0"] {
            assert_eq!(parse_scope(wrong), Err(ScopeError), "{wrong:?}");
        }
        assert_eq!(
            ScopeError.to_string(),
            "Must be a simple space-separated string with allowed scopes ['read', 'write']."
        );
    }
}
