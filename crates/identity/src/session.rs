//! Browser sessions: secrets, and the binding to the password.

use crate::{key::SecretKey, mac::MacKey, token::NewSecret};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::Timestamp;
use std::fmt;
use subtle::ConstantTimeEq;

/// Generates the secret of a new session: 256 bits in 43 characters that need no
/// escaping in a cookie. Store the digest; the plain secret goes into the cookie.
pub fn new_session() -> NewSecret {
    NewSecret::new(BASE64_URL_SAFE_NO_PAD.encode(crate::random::bytes::<32>()))
}

/// The binding of a session to the password it was opened with: an HMAC over the
/// user's id and stored password hash, in 64 hexadecimal digits.
///
/// It is stored with the session, computed again from the user's row at each request
/// and compared by [`Session::is_valid`]: a new password ends every session that was
/// not bound again, on every node. The idea is Django's `get_session_auth_hash`. Changing the
/// installation's secret key ends all sessions in the same way.
pub fn binding(secret_key: &SecretKey, user_id: i64, password_hash: &str) -> String {
    let key = zeroize::Zeroizing::new(secret_key.derive("session binding"));
    hex::encode(MacKey::new(&key).of(&[&user_id.to_be_bytes(), password_hash.as_bytes()]))
}

/// A stored session.
#[derive(Clone, PartialEq, Eq)]
pub struct Session {
    /// The session's user.
    pub user_id: i64,
    /// [`binding`] when it was opened or last bound.
    pub binding: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl Session {
    /// Whether the session has not expired, and the user's password is the one it was
    /// opened with. `current_binding` is [`binding`] of the user's row.
    pub fn is_valid(&self, now: Timestamp, current_binding: &str) -> bool {
        // Two empty bindings would be equal, but were never computed.
        let bound = !current_binding.is_empty() && self.binding.as_bytes().ct_eq(current_binding.as_bytes()).into();
        now < self.expires_at && bound
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("user_id", &self.user_id)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn key() -> SecretKey {
        SecretKey::from_bytes([3; 64])
    }

    #[test]
    fn secrets_are_long_fit_a_cookie_and_differ() {
        let (one, other) = (new_session(), new_session());
        assert_ne!(one.plain, other.plain);
        assert_eq!(one.plain.len(), 43);
        assert!(one.plain.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
        assert_eq!(one.digest, crate::token::digest(&one.plain));
    }

    #[test]
    fn session_expires() {
        let session = Session { user_id: 7, binding: binding(&key(), 7, "hash"), expires_at: at(100) };
        let current = binding(&key(), 7, "hash");
        assert!(session.is_valid(at(99), &current));
        assert!(!session.is_valid(at(100), &current));
        assert!(!session.is_valid(at(101), &current));
    }

    #[test]
    fn session_is_bound_to_password_user_and_key() {
        let session = Session { user_id: 7, binding: binding(&key(), 7, "hash"), expires_at: at(100) };
        assert!(!session.is_valid(at(1), &binding(&key(), 7, "another hash")));
        assert!(!session.is_valid(at(1), &binding(&key(), 8, "hash")));
        assert!(!session.is_valid(at(1), &binding(&SecretKey::from_bytes([4; 64]), 7, "hash")));
        assert!(!session.is_valid(at(1), ""));
    }

    #[test]
    fn empty_binding_is_invalid() {
        let session = Session { user_id: 7, binding: String::new(), expires_at: at(100) };
        assert!(!session.is_valid(at(1), ""));
    }

    #[test]
    fn debug_shows_no_binding() {
        let session = Session { user_id: 7, binding: binding(&key(), 7, "hash"), expires_at: at(100) };
        let shown = format!("{session:?}");
        assert!(shown.contains("user_id: 7") && !shown.contains(&session.binding), "{shown}");
    }
}
