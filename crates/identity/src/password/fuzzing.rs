//! What the targets in `fuzz/` reach of the inside; it is compiled for them only.

use argon2::Params;

use super::stored::Stored;
use super::{Spent, Verdict};

/// Reads what is stored, and verifies a password against it unless that takes long.
pub fn verify_if_cheap(stored: &str, password: &str) -> Option<Verdict> {
    let stored = Stored::parse(stored, &Params::DEFAULT)?;
    let is_cheap = match stored.spent() {
        Spent::Nothing => true,
        Spent::Ours => false,
        Spent::Argon2(params) => params.m_cost() * params.t_cost() < 1024,
        Spent::Pbkdf2(iterations) => iterations < 1000,
    };
    is_cheap.then(|| stored.verify(password))
}
