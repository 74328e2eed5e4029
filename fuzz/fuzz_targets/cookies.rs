//! Cookies and other secrets in headers.
#![no_main]

use hostler_identity::header::{cookie, parse_authorization};
use hostler_identity::key::SecretKey;
use hostler_identity::{csrf, mfa_challenge, token};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = parse_authorization(text);
    let (header, sent) = text.split_once('\n').unwrap_or((text, ""));
    if let Some(session) = cookie(header, "awx_sessionid") {
        assert!(!session.contains(';'), "{session:?}");
        assert_eq!(token::digest(session).len(), 64);
    }
    if let Some(known) = cookie(header, "csrftoken") {
        let _ = csrf::matches(known, sent);
    }
    let key = SecretKey::from_bytes([7; 64]);
    if let Some(user) = mfa_challenge::user_id(sent) {
        // A valid value cannot be created without the key.
        assert!(!mfa_challenge::is_valid(&key, sent, user, "hash", 1_000), "{sent:?}");
    }
    let _ = csrf::origin_allowed(Some(sent), header, true, &[sent.to_owned()]);
});
