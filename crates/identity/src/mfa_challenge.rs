//! The challenge between the password and the second factor.

use crate::{key::SecretKey, mac::MacKey};
use subtle::ConstantTimeEq;

/// Seconds until a challenge expires.
pub const LIFETIME: i64 = 300;

/// Creates a challenge, which a browser sends back with the code. It proves that the
/// password was right a moment ago, and grants nothing by itself. A new password
/// invalidates it. `now` is in seconds since 1970.
pub fn create(secret_key: &SecretKey, user_id: i64, password_hash: &str, now: i64) -> String {
    let expires = now.saturating_add(LIFETIME);
    format!("{user_id}.{expires}.{}", signature(secret_key, user_id, expires, password_hash))
}

/// The user id in a challenge. It is not verified: see [`is_valid`].
pub fn user_id(challenge: &str) -> Option<i64> {
    challenge.split('.').next()?.parse().ok()
}

/// Whether a challenge was created for this user with this password, and is neither
/// expired nor from the future, as after the clock was set back.
pub fn is_valid(secret_key: &SecretKey, challenge: &str, user_id: i64, password_hash: &str, now: i64) -> bool {
    let mut parts = challenge.split('.');
    let (Some(user), Some(expires), Some(sent), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let Ok(expires) = expires.parse::<i64>() else { return false };
    let expected = signature(secret_key, user_id, expires, password_hash);
    let is_in_time = (1..=LIFETIME).contains(&expires.saturating_sub(now));
    user.parse() == Ok(user_id) && is_in_time && sent.as_bytes().ct_eq(expected.as_bytes()).into()
}

fn signature(secret_key: &SecretKey, user_id: i64, expires: i64, password_hash: &str) -> String {
    let key = zeroize::Zeroizing::new(secret_key.derive("mfa challenge"));
    hex::encode(MacKey::new(&key).of(&[&user_id.to_be_bytes(), &expires.to_be_bytes(), password_hash.as_bytes()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenge_is_bound_to_user_password_key_and_time() {
        let (key, other) = (SecretKey::from_bytes([1; 64]), SecretKey::from_bytes([2; 64]));
        let token = create(&key, 7, "hash", 1000);
        assert_eq!(user_id(&token), Some(7));
        assert!(is_valid(&key, &token, 7, "hash", 1000) && is_valid(&key, &token, 7, "hash", 1000 + LIFETIME - 1));
        assert!(!is_valid(&key, &token, 7, "hash", 1000 + LIFETIME));
        assert!(!is_valid(&key, &token, 7, "hash", 999), "created in the future");
        assert!(!is_valid(&key, &token, 7, "another hash", 1000));
        assert!(!is_valid(&key, &token, 8, "hash", 1000));
        assert!(!is_valid(&other, &token, 7, "hash", 1000));
        let later = token.replace("1300", "9999");
        assert!(later != token && !is_valid(&key, &later, 7, "hash", 1000));
        for wrong in ["", "7", "7.1300", "7.1300.", "x.y.z", &format!("{token}.x"), &token.replace("7.", "8.")] {
            assert!(!is_valid(&key, wrong, 7, "hash", 1000), "{wrong}");
        }
    }
}
