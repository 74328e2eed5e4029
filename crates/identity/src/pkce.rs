//! Proof Key for Code Exchange (RFC 7636): the client that exchanges an authorization
//! code must know the secret of the client that requested it. Only the method `S256`: `plain`
//! protects nothing once the request is seen (RFC 9700, section 2.1.1).

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Whether a text is a well-formed challenge of `S256`: a SHA-256 in Base64url without
/// padding (RFC 7636, section 4.2).
pub fn is_challenge(text: &str) -> bool {
    BASE64_URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == 32)
}

/// Whether the challenge was made from the verifier, compared in constant time. A verifier has 43 to 128 unreserved characters (RFC 7636,
/// section 4.1); anything else does not match.
pub fn verify(challenge: &str, verifier: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let well_formed = (43..=128).contains(&verifier.len()) && verifier.bytes().all(unreserved);
    let made = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
    well_formed && made.as_bytes().ct_eq(challenge.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    // The example of RFC 7636, appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn example_of_rfc_7636_matches() {
        assert!(is_challenge(CHALLENGE));
        assert!(verify(CHALLENGE, VERIFIER));
    }

    #[test]
    fn other_verifiers_are_rejected() {
        let short = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest("short"));
        for (challenge, verifier) in [
            (CHALLENGE, ""),
            (CHALLENGE, CHALLENGE),
            (CHALLENGE, &VERIFIER[1..]),
            (VERIFIER, VERIFIER),
            (short.as_str(), "short"),
            ("", ""),
        ] {
            assert!(!verify(challenge, verifier), "{challenge} {verifier}");
        }
    }

    #[test]
    fn malformed_challenges_are_rejected() {
        for wrong in ["", "short", &CHALLENGE[1..], &format!("{CHALLENGE}="), &CHALLENGE.replace('-', "+")] {
            assert!(!is_challenge(wrong), "{wrong}");
        }
    }
}
