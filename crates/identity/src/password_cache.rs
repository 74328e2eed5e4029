//! A short memory of username and password pairs found right.
//!
//! Clients that send Basic credentials send them with every request. Argon2 is
//! slow by design; without this memory it would be paid each time.

use crate::mac::MacKey;
use moka::sync::Cache;
use std::{fmt, time::Duration};

/// The most pairs remembered at a time.
const CAPACITY: u64 = 10_000;

/// How long a pair is remembered unless the server is told otherwise.
pub const DEFAULT_TTL: Duration = Duration::from_secs(60);

/// The pairs found right lately.
///
/// What is kept is an HMAC over location, username, password and stored hash, under
/// a key that lives and dies with the process: no password can be got back from it.
/// The location is where the client is: who guesses elsewhere must not have guesses
/// checked against this memory, which is fast.
/// The stored hash is part of it, and the caller has just read that from the
/// database. So once a password is changed its old pair no longer matches, at
/// once and on any node. What a caller must still check for itself is that the
/// user is active.
pub struct PasswordCache {
    key: MacKey,
    pairs: Cache<[u8; 32], ()>,
}

impl PasswordCache {
    /// An empty memory, in which a pair stays for `ttl`.
    pub fn new(ttl: Duration) -> Self {
        let pairs = Cache::builder().max_capacity(CAPACITY).time_to_live(ttl).build();
        Self { key: MacKey::new(&zeroize::Zeroizing::new(crate::random::bytes())), pairs }
    }

    /// Remembers that `password` was just verified against `stored_hash`, the
    /// hash stored for this user.
    pub fn insert(&self, location: &str, username: &str, password: &str, stored_hash: &str) {
        self.pairs.insert(self.pair(location, username, password, stored_hash), ());
    }

    /// Whether this pair was verified lately against this very hash, which must
    /// be the one stored now.
    pub fn contains(&self, location: &str, username: &str, password: &str, stored_hash: &str) -> bool {
        // The look-up need not take constant time: it compares codes that
        // nobody without the key can steer.
        // It is a `get`, not a `contains_key`, so that it counts as use: when the
        // memory is full, the pairs used most stay.
        self.pairs.get(&self.pair(location, username, password, stored_hash)).is_some()
    }

    fn pair(&self, location: &str, username: &str, password: &str, stored_hash: &str) -> [u8; 32] {
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
    fn only_the_very_same_pair_is_recalled() {
        let pairs = PasswordCache::new(DEFAULT_TTL);
        assert!(!pairs.contains("here", "ann", "secret", HASH));
        pairs.insert("here", "ann", "secret", HASH);
        assert!(pairs.contains("here", "ann", "secret", HASH));
        for (username, password, hash) in [
            ("ann", "secret", "another hash"),
            ("ann", "Secret", HASH),
            ("ann", "", HASH),
            ("bob", "secret", HASH),
            ("anns", "ecret", HASH),
            ("", "annsecret", HASH),
        ] {
            assert!(!pairs.contains("here", username, password, hash), "{username} {password} {hash}");
        }
        assert!(!pairs.contains("there", "ann", "secret", HASH), "somebody elsewhere has it checked");
    }

    #[test]
    fn a_pair_is_forgotten_after_its_time() {
        let pairs = PasswordCache::new(Duration::from_millis(20));
        pairs.insert("here", "ann", "secret", HASH);
        std::thread::sleep(Duration::from_millis(40));
        assert!(!pairs.contains("here", "ann", "secret", HASH));
    }

    #[test]
    fn the_memory_is_bounded() {
        let pairs = PasswordCache::new(DEFAULT_TTL);
        for user in 0..15_000 {
            pairs.insert("here", &format!("user{user}"), "secret", HASH);
        }
        pairs.pairs.run_pending_tasks();
        assert!(pairs.pairs.entry_count() <= CAPACITY);
    }

    #[test]
    fn each_process_has_its_own_key() {
        let (one, other) = (PasswordCache::new(DEFAULT_TTL), PasswordCache::new(DEFAULT_TTL));
        assert_ne!(one.pair("here", "ann", "secret", HASH), other.pair("here", "ann", "secret", HASH));
    }

    #[test]
    fn debug_shows_nothing() {
        let pairs = PasswordCache::new(DEFAULT_TTL);
        pairs.insert("here", "ann", "secret", HASH);
        assert_eq!(format!("{pairs:?}"), "PasswordCache(..)");
    }
}
