//! A cache of passwords that were right a moment ago.
//!
//! Clients that use Basic authentication send the password with every request, and
//! Argon2 is slow by design.

use crate::mac::MacKey;
use moka::sync::Cache;
use std::{fmt, time::Duration};

/// The most entries.
const CAPACITY: u64 = 10_000;

/// How long an entry is kept by default.
pub const DEFAULT_TTL: Duration = Duration::from_secs(60);

/// A cache of verified passwords.
///
/// An entry is an HMAC over location, username, password and stored hash, under a
/// key that exists only in this process: no password can be recovered from it.
/// The location is the client's network: an attacker elsewhere must not have guesses
/// checked against this cache, which is fast.
/// The caller has just read the stored hash from the database, so a changed password
/// invalidates the entry at once, on every node. The caller still has to check that
/// the user is active.
pub struct PasswordCache {
    key: MacKey,
    entries: Cache<[u8; 32], ()>,
}

impl PasswordCache {
    /// An empty cache, whose entries expire after `ttl`.
    pub fn new(ttl: Duration) -> Self {
        let entries = Cache::builder().max_capacity(CAPACITY).time_to_live(ttl).build();
        Self { key: MacKey::new(&zeroize::Zeroizing::new(crate::random::bytes())), entries }
    }

    /// Stores that `password` was verified against `stored_hash`, the user's stored
    /// hash.
    pub fn insert(&self, location: &str, username: &str, password: &str, stored_hash: &str) {
        self.entries.insert(self.entry(location, username, password, stored_hash), ());
    }

    /// Whether the password was verified lately against this hash, which must be the
    /// one stored now.
    pub fn contains(&self, location: &str, username: &str, password: &str, stored_hash: &str) -> bool {
        // The look-up need not take constant time: it compares HMACs, which nobody
        // without the key can choose.
        // `get` counts as use, unlike `contains_key`: a full cache keeps the entries
        // used most.
        self.entries.get(&self.entry(location, username, password, stored_hash)).is_some()
    }

    fn entry(&self, location: &str, username: &str, password: &str, stored_hash: &str) -> [u8; 32] {
        self.key.of(&[location.as_bytes(), username.as_bytes(), password.as_bytes(), stored_hash.as_bytes()])
    }
}

impl fmt::Debug for PasswordCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordCache(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2E$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    #[test]
    fn only_the_same_password_is_found() {
        let cache = PasswordCache::new(DEFAULT_TTL);
        assert!(!cache.contains("here", "ann", "secret", HASH));
        cache.insert("here", "ann", "secret", HASH);
        assert!(cache.contains("here", "ann", "secret", HASH));
        for (username, password, hash) in [
            ("ann", "secret", "another hash"),
            ("ann", "Secret", HASH),
            ("ann", "", HASH),
            ("bob", "secret", HASH),
            ("anns", "ecret", HASH),
            ("", "annsecret", HASH),
        ] {
            assert!(!cache.contains("here", username, password, hash), "{username} {password} {hash}");
        }
        assert!(!cache.contains("there", "ann", "secret", HASH), "a client elsewhere");
    }

    #[test]
    fn entry_expires() {
        let cache = PasswordCache::new(Duration::from_millis(20));
        cache.insert("here", "ann", "secret", HASH);
        std::thread::sleep(Duration::from_millis(40));
        assert!(!cache.contains("here", "ann", "secret", HASH));
    }

    #[test]
    fn cache_size_is_limited() {
        let cache = PasswordCache::new(DEFAULT_TTL);
        for user in 0..15_000 {
            cache.insert("here", &format!("user{user}"), "secret", HASH);
        }
        cache.entries.run_pending_tasks();
        assert!(cache.entries.entry_count() <= CAPACITY);
    }

    #[test]
    fn each_process_has_its_own_key() {
        let (one, other) = (PasswordCache::new(DEFAULT_TTL), PasswordCache::new(DEFAULT_TTL));
        assert_ne!(one.entry("here", "ann", "secret", HASH), other.entry("here", "ann", "secret", HASH));
    }

    #[test]
    fn debug_shows_nothing() {
        let cache = PasswordCache::new(DEFAULT_TTL);
        cache.insert("here", "ann", "secret", HASH);
        assert_eq!(format!("{cache:?}"), "PasswordCache(..)");
    }
}
