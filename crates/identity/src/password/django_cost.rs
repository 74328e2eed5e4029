//! The cost of verifying password hashes in Django's forms.

use super::{hash_and_discard, stored::Stored};
use argon2::{Algorithm, Argon2, Params, Version};
use sha2::Sha256;

/// The highest cost of each of Django's forms among the stored hashes of an
/// installation. It is zero once all users have logged in.
#[derive(Clone, Debug, Default)]
pub struct DjangoHashCost {
    pbkdf2_iterations: u32,
    argon2: Option<Params>,
}

/// The work that a verification has done already.
#[derive(Debug)]
pub(super) enum WorkDone {
    Nothing,
    OwnForm,
    Pbkdf2(u32),
    Argon2(Params),
}

impl DjangoHashCost {
    /// Takes a user's stored hash into account.
    pub fn include(&mut self, stored: &str) {
        match Stored::parse(stored, &Params::DEFAULT).map(|stored| stored.work()) {
            Some(WorkDone::Pbkdf2(iterations)) => self.pbkdf2_iterations = self.pbkdf2_iterations.max(iterations),
            Some(WorkDone::Argon2(params)) if self.argon2.as_ref().is_none_or(|known| work(known) < work(&params)) => {
                self.argon2 = Some(params);
            }
            _ => {}
        }
    }

    /// Does the work of all forms together, less what was done already.
    pub(super) fn do_remaining_work(&self, ours: &Argon2<'_>, password: &str, done: WorkDone) {
        if !matches!(done, WorkDone::OwnForm) {
            hash_and_discard(ours, password);
        }
        let iterations = match done {
            WorkDone::Pbkdf2(iterations) => self.pbkdf2_iterations.saturating_sub(iterations),
            _ => self.pbkdf2_iterations,
        };
        if iterations > 0 {
            let mut output = [0; 32];
            pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), b"a salt for nobody", iterations, &mut output);
            std::hint::black_box(&output);
        }
        if let (Some(params), false) = (&self.argon2, matches!(done, WorkDone::Argon2(_))) {
            hash_and_discard(&Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone()), password);
        }
    }
}

fn work(params: &Params) -> u64 {
    u64::from(params.m_cost()) * u64::from(params.t_cost())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn highest_cost_of_each_form_is_used() {
        let mut cost = DjangoHashCost::default();
        let pbkdf2 = |iterations: u32| format!("pbkdf2_sha256${iterations}$salt${}=", "A".repeat(43));
        let argon2 =
            |memory: u32| format!("argon2$argon2id$v=19$m={memory},t=2,p=8$c29tZXNhbHRzb21lc2E${}", "A".repeat(43));
        for stored in ["", "!unusable", "$argon2id$v=19$m=99999,t=9,p=1$c29tZXNhbHRzb21lc2E$AAAA"] {
            cost.include(stored);
        }
        assert_eq!((cost.pbkdf2_iterations, cost.argon2.is_none()), (0, true));
        for stored in [pbkdf2(600_000), pbkdf2(720_000), pbkdf2(600_000), argon2(102_400), argon2(1024)] {
            cost.include(&stored);
        }
        assert_eq!(cost.pbkdf2_iterations, 720_000);
        assert_eq!(cost.argon2.as_ref().map(Params::m_cost), Some(102_400));
        // Beyond all bounds: such a hash is never verified, so it costs nothing.
        cost.include(&pbkdf2(4_000_000_000));
        assert_eq!(cost.pbkdf2_iterations, 720_000);
    }
}
