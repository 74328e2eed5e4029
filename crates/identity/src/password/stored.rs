//! The forms of stored password hashes.

use super::{PasswordCheck, WorkDone};
use argon2::{ARGON2ID_IDENT, Argon2, Params, PasswordHash, PasswordVerifier, Version};
use base64::{Engine, prelude::BASE64_STANDARD};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// Longer than every form; Django's column has 128 characters.
const MAX_LENGTH: usize = 512;

/// Django's default grows with each release and passed one million in 2025.
/// More is a mistake or an attack, and takes seconds.
const MAX_PBKDF2_ITERATIONS: u32 = 5_000_000;

/// The most memory spent on one verification, in KiB: 512 MiB. Django's own
/// default is 100 MiB.
const MAX_ARGON2_MEMORY: u32 = 512 * 1024;

/// The most memory that all passes of one verification write, in KiB:
/// 4 GiB take about two seconds.
const MAX_ARGON2_WORK: u64 = 4 * 1024 * 1024;

/// The length of our salts, in bytes.
const SALT_LENGTH: usize = 16;

/// A stored hash that some password can match, at an acceptable cost.
pub(super) enum Stored<'a> {
    /// `django` for Django's prefix, whose cost is Django's too.
    Argon2id {
        hash: Box<PasswordHash>,
        rehash: bool,
        django: bool,
    },
    Pbkdf2Sha256 {
        iterations: u32,
        salt: &'a str,
        expected: [u8; 32],
    },
}

impl<'a> Stored<'a> {
    /// Parses a stored hash; `ours` is the cost of new hashes. `None` if no password
    /// can match it.
    pub(super) fn parse(stored: &'a str, ours: &Params) -> Option<Self> {
        if stored.len() > MAX_LENGTH {
            return None;
        }
        if let Some(rest) = stored.strip_prefix("pbkdf2_sha256$") {
            Self::parse_pbkdf2(rest)
        } else if let Some(rest) = stored.strip_prefix("argon2$") {
            Self::parse_argon2(&format!("${rest}"), None)
        } else {
            Self::parse_argon2(stored, Some(ours))
        }
    }

    /// Django's `<iterations>$<salt>$<hash>`, the hash in Base64.
    fn parse_pbkdf2(rest: &'a str) -> Option<Self> {
        let mut parts = rest.split('$');
        let (iterations, salt, hash) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || salt.is_empty() {
            return None;
        }
        let iterations = iterations.parse().ok().filter(|count| (1..=MAX_PBKDF2_ITERATIONS).contains(count))?;
        let expected = BASE64_STANDARD.decode(hash).ok()?.try_into().ok()?;
        Some(Self::Pbkdf2Sha256 { iterations, salt, expected })
    }

    /// A PHC string. Without `ours` it needs a rehash whatever its cost.
    fn parse_argon2(phc: &str, ours: Option<&Params>) -> Option<Self> {
        let hash = PasswordHash::new(phc).ok()?;
        if hash.algorithm != ARGON2ID_IDENT {
            return None;
        }
        let (salt_length, output_length) = (hash.salt.as_ref()?.len(), hash.hash.as_ref()?.len());
        let params = Params::try_from(&hash).ok()?;
        let total_work = u64::from(params.m_cost()) * u64::from(params.t_cost());
        if params.m_cost() > MAX_ARGON2_MEMORY || total_work > MAX_ARGON2_WORK {
            return None;
        }
        let rehash = ours.is_none_or(|ours| {
            params.m_cost() < ours.m_cost()
                || params.t_cost() < ours.t_cost()
                || salt_length < SALT_LENGTH
                || output_length < Params::DEFAULT_OUTPUT_LEN
                || hash.version != Some(Version::V0x13.into())
        });
        Some(Self::Argon2id { hash: Box::new(hash), rehash, django: ours.is_none() })
    }

    /// The work that verifying takes.
    pub(super) fn work(&self) -> WorkDone {
        match self {
            Self::Argon2id { django: false, .. } => WorkDone::OwnForm,
            Self::Argon2id { hash, .. } => Params::try_from(&**hash).map_or(WorkDone::Nothing, WorkDone::Argon2),
            Self::Pbkdf2Sha256 { iterations, .. } => WorkDone::Pbkdf2(*iterations),
        }
    }

    /// Compares in a time that does not depend on where the two differ.
    pub(super) fn verify(&self, password: &str) -> PasswordCheck {
        let (right, rehash) = match self {
            Self::Argon2id { hash, rehash, .. } => {
                // Algorithm and cost are taken from the hash itself.
                (Argon2::default().verify_password(password.as_bytes(), hash.as_ref()).is_ok(), *rehash)
            }
            Self::Pbkdf2Sha256 { iterations, salt, expected } => {
                let mut computed = [0; 32];
                pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), salt.as_bytes(), *iterations, &mut computed);
                (computed.ct_eq(expected).into(), true)
            }
        };
        match (right, rehash) {
            (true, false) => PasswordCheck::Correct,
            (true, true) => PasswordCheck::CorrectNeedsRehash,
            (false, _) => PasswordCheck::Wrong,
        }
    }
}
