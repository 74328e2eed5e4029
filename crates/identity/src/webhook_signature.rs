//! Signatures of webhooks, and keys in requests. Comparisons take the same time wherever the texts differ.

use hmac::{Hmac, KeyInit, Mac};
use sha1::{Digest, Sha1};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// Whether a sent key is the right one. There is no right one if it is empty.
pub fn is_key(sent: &str, right: &str) -> bool {
    // Of equal length, so that the time does not depend on the length of the right one.
    let digest = |text: &str| Sha256::digest(text.as_bytes());
    bool::from(digest(sent).ct_eq(&digest(right))) && !right.is_empty()
}

/// Whether a signature in the form `sha1=…` or, if that is accepted, `sha256=…` is the HMAC of the message under this key.
pub fn is_signed(signature: &str, key: &str, message: &[u8], accepts_sha256: bool) -> bool {
    let Some((algorithm, sent)) = signature.split_once('=') else { return false };
    let Ok(sent) = hex::decode(sent) else { return false };
    let computed = match algorithm {
        "sha1" => hmac::<Hmac<Sha1>>(key, message),
        "sha256" if accepts_sha256 => hmac::<Hmac<Sha256>>(key, message),
        _ => return false,
    };
    !key.is_empty() && computed.is_some_and(|computed| bool::from(computed.ct_eq(&sent)))
}

fn hmac<M: Mac + KeyInit>(key: &str, message: &[u8]) -> Option<Vec<u8>> {
    let mut mac = <M as KeyInit>::new_from_slice(key.as_bytes()).ok()?;
    mac.update(message);
    Some(mac.finalize().into_bytes().to_vec())
}

/// An id for an event of a service that sends none: the SHA-1 of its body, as in AWX.
pub fn event_id(body: &[u8]) -> String {
    hex::encode(Sha1::digest(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signature_is_the_hmac_of_the_body() {
        // From RFC 2202 and RFC 4231: the key "Jefe".
        let message = b"what do ya want for nothing?";
        let sha1 = "sha1=effcdf6ae5eb2fa2d27416d5f184df9c259a7c79";
        let sha256 = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert!(is_signed(sha1, "Jefe", message, false) && is_signed(sha256, "Jefe", message, true));
        for wrong in [sha256, &sha1[5..], "", "sha1=", "sha1=00", "md5=00", "sha1=x"] {
            assert!(!is_signed(wrong, "Jefe", message, false), "{wrong}");
        }
        assert!(!is_signed(sha1, "other", message, false) && !is_signed(sha1, "Jefe", b"other", false));
    }

    #[test]
    fn no_key_is_right_if_there_is_none() {
        assert!(is_key("k", "k") && !is_key("k", "kk") && !is_key("", ""));
    }
}
