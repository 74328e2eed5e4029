//! Time-based one-time codes as a second factor (RFC 6238), with the parameters that
//! authenticator apps support: SHA-1, six digits, thirty seconds. And recovery codes
//! for a lost device.

use crate::{random, token::NewSecret};
use totp_rs::{Algorithm, Builder, Secret, Totp};
use zeroize::Zeroizing;

/// The digits of a code.
const DIGITS: u8 = 6;
/// Seconds per time step.
const STEP: i64 = 30;
/// How many steps the clock of a device may be off, to either side.
const SKEW: u16 = 1;

/// How many recovery codes a user gets.
pub const RECOVERY_CODES: usize = 10;

/// Generates the secret of a new device: 160 bits, as RFC 4226 recommends, in Base32.
pub fn new_secret() -> Zeroizing<String> {
    Zeroizing::new(Secret::new_stack(random::bytes::<20>()).to_base32())
}

/// The `otpauth://totp/…` URI that an authenticator app reads from a QR code. None if
/// `secret` is malformed, or if a name is empty or contains a colon.
pub fn uri(secret: &str, issuer: &str, username: &str) -> Option<Zeroizing<String>> {
    let totp = builder(secret)?.with_issuer(Some(issuer)).with_account_name(username).build().ok()?;
    totp.to_url().ok().map(Zeroizing::new)
}

/// The time step of a code, if it is a valid code of `secret` at `now`, in seconds
/// since 1970. Whitespace in the code is ignored.
///
/// A code of a step up to `last_step`, the step of the last consumed code, is
/// rejected: each code can be used once (RFC 6238, section 5.2). The caller stores the
/// result as the next `last_step`. A `last_step` in the future was stored before the
/// clock was set back, and is ignored: it would lock the user out until then.
pub fn check(secret: &str, code: &str, now: i64, last_step: i64) -> Option<i64> {
    let newest = now.div_euclid(STEP).saturating_add(SKEW.into());
    let last_step = if last_step > newest { 0 } else { last_step };
    let code: String = code.chars().filter(|character| !character.is_whitespace()).collect();
    let step = totp(secret)?.check(&code, u64::try_from(now).ok()?)?;
    i64::try_from(step).ok().filter(|step| *step > last_step)
}

fn builder(secret: &str) -> Option<Builder> {
    let secret = Secret::try_from_base32(secret).ok()?;
    let builder = Builder::new().with_algorithm(Algorithm::SHA1).with_digits(DIGITS).with_secret(secret);
    Some(builder.with_step_duration(STEP.unsigned_abs()).with_skew(SKEW))
}

fn totp(secret: &str) -> Option<Totp> {
    builder(secret)?.build().ok()
}

/// Generates recovery codes: 80 random bits each, in four groups of letters and
/// digits that are not mistaken for each other. They are random, so they are stored
/// as plain digests.
pub fn new_recovery_codes() -> Vec<NewSecret> {
    (0..RECOVERY_CODES)
        .map(|_| {
            let letters = Secret::new(Box::new(random::bytes::<10>())).to_base32().to_lowercase();
            let groups: Vec<String> =
                letters.as_bytes().chunks(4).map(|group| String::from_utf8_lossy(group).into_owned()).collect();
            let plain = groups.join("-");
            NewSecret { digest: recovery_digest(&plain), plain }
        })
        .collect()
}

/// The digest of a recovery code. Case, hyphens and whitespace are ignored.
pub fn recovery_digest(code: &str) -> String {
    let letters: String = code.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    crate::token::digest(&letters.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The secret of RFC 6238, appendix B, in Base32.
    const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    #[test]
    fn codes_match_rfc_6238() {
        // The last six of the eight digits in the table of appendix B.
        for (time, code) in [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924")] {
            assert_eq!(check(SECRET, code, time, 0), Some(time / 30), "{time}");
        }
    }

    #[test]
    fn codes_of_adjacent_steps_are_accepted() {
        let time = 1_111_111_109;
        for (off, taken) in [(-60, false), (-30, true), (0, true), (30, true), (60, false)] {
            assert_eq!(check(SECRET, "081804", time + off, 0).is_some(), taken, "{off}");
        }
    }

    #[test]
    fn code_is_accepted_once() {
        let step = check(SECRET, "287 082", 59, 0).unwrap();
        assert_eq!(check(SECRET, "287082", 59, step), None);
        assert_eq!(check(SECRET, "287082", 59, step - 1), Some(step));
    }

    #[test]
    fn future_step_does_not_lock_user_out() {
        for (last_step, taken) in [(1, false), (2, false), (3, true), (1_000_000, true), (i64::MAX, true)] {
            assert_eq!(check(SECRET, "287082", 59, last_step).is_some(), taken, "{last_step}");
        }
        assert_eq!(check(SECRET, "287082", i64::MAX, 0), None);
        assert_eq!(check(SECRET, "287082", i64::MIN, 0), None);
    }

    #[test]
    fn malformed_codes_are_rejected() {
        for code in ["", "28708", "2870823", "a87082", "287081", "２８７０８２", "-87082", "287082\0"] {
            assert_eq!(check(SECRET, code, 59, 0), None, "{code}");
        }
        assert_eq!(check("no secret!", "287082", 59, 0), None);
        assert_eq!(check(SECRET, "287082", -59, 0), None);
    }

    #[test]
    fn secrets_are_new_and_fit_their_uri() {
        let secret = new_secret();
        assert_eq!(secret.len(), 32);
        assert_ne!(secret, new_secret());
        let uri = uri(&secret, "Hostler", "ann@example.org").unwrap();
        assert!(uri.starts_with("otpauth://totp/Hostler:ann%40example.org?"), "{}", *uri);
        assert!(uri.contains(&format!("secret={}", *secret)) && uri.contains("issuer=Hostler"), "{}", *uri);
    }

    #[test]
    fn recovery_codes_are_long_and_normalized() {
        let codes = new_recovery_codes();
        assert_eq!(codes.len(), RECOVERY_CODES);
        let different: std::collections::BTreeSet<_> = codes.iter().map(|code| &code.digest).collect();
        assert_eq!(different.len(), RECOVERY_CODES);
        for code in codes {
            assert_eq!(code.plain.len(), 19, "{}", code.plain);
            let typed = format!(" {} ", code.plain.to_uppercase().replace('-', " "));
            assert_eq!(recovery_digest(&typed), code.digest);
        }
    }
}
