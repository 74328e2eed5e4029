//! Access to internals for the targets in `fuzz/`; compiled for them only.

use argon2::Params;

use super::stored::Stored;
use super::{PasswordCheck, WorkDone};

/// Parses a stored hash, and verifies a password against it unless that takes long.
pub fn verify_if_cheap(stored: &str, password: &str) -> Option<PasswordCheck> {
    let stored = Stored::parse(stored, &Params::DEFAULT)?;
    let is_cheap = match stored.work() {
        WorkDone::Nothing => true,
        WorkDone::OwnForm => false,
        WorkDone::Argon2(params) => params.m_cost() * params.t_cost() < 1024,
        WorkDone::Pbkdf2(iterations) => iterations < 1000,
    };
    is_cheap.then(|| stored.verify(password))
}
