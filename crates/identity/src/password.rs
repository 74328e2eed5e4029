//! Hashes and verifies passwords.

mod django_cost;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod stored;

pub use django_cost::DjangoHashCost;

use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
use django_cost::WorkDone;
use std::{
    fmt,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
};
use stored::Stored;
use tokio::{sync::Semaphore, task};
use zeroize::Zeroizing;

/// Hashes and verifies passwords with Argon2id (RFC 9106), on threads that may
/// block, and as many at a time as there are cores: more would not be faster,
/// and each takes 19 MiB.
///
/// A cancelled caller does not free its permit before the hash is finished, because
/// the work cannot be stopped.
pub struct Passwords {
    argon2: Argon2<'static>,
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
    /// With this many waiting the hasher is overloaded.
    max_waiting: usize,
}

/// Counts a waiting caller, also one that is cancelled.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Waiting(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Waiting callers per permit at which the hasher is overloaded: about a second of work.
const MAX_WAITING_PER_PERMIT: usize = 32;

/// The hasher of the process, whose limit applies to all callers together.
pub fn passwords() -> &'static Passwords {
    static SHARED: LazyLock<Passwords> = LazyLock::new(Passwords::new);
    &SHARED
}

/// A password could not be hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// Argon2 rejects the cost, or there is not enough memory.
    #[error("the password cannot be hashed: {0}")]
    Argon2(argon2::password_hash::Error),
    /// The work was interrupted, as at shutdown.
    #[error("the hashing of a password was interrupted")]
    Interrupted,
}

/// The result of verifying a password against a stored hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum PasswordCheck {
    /// The password is right.
    Correct,
    /// The password is right, but its hash is in an older or weaker form: the caller
    /// replaces it.
    CorrectNeedsRehash,
    /// The password is wrong, or the stored value matches no password.
    Wrong,
}

impl Passwords {
    /// Argon2id with 19 MiB of memory, two passes and no parallelism, as in OWASP's
    /// Password Storage Cheat Sheet.
    pub fn new() -> Self {
        Self::with_params(Params::DEFAULT)
    }

    /// Argon2id at another cost: `memory` in KiB, and that many `passes` over
    /// it. Tests take the least, 8 KiB and one pass.
    ///
    /// # Errors
    /// [`HashError::Argon2`] if Argon2 rejects the cost.
    pub fn with_cost(memory: u32, passes: u32) -> Result<Self, HashError> {
        let params = Params::new(memory, passes, 1, None).map_err(|error| HashError::Argon2(error.into()))?;
        Ok(Self::with_params(params))
    }

    fn with_params(params: Params) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            permits: Arc::new(Semaphore::new(cores)),
            waiting: AtomicUsize::new(0),
            max_waiting: cores * MAX_WAITING_PER_PERMIT,
        }
    }

    /// Hashes a password for storing: a PHC string (`$argon2id$v=19$…`) with 16
    /// random bytes of salt, at most 128 characters long.
    ///
    /// # Errors
    /// [`HashError`]; it never depends on the password itself.
    pub async fn hash(&self, password: String) -> Result<String, HashError> {
        let password = Zeroizing::new(password);
        self.blocking(move |argon2| {
            let salt = crate::random::bytes::<16>();
            argon2.hash_password_with_salt(password.as_bytes(), &salt).map(|hash| hash.to_string())
        })
        .await?
        .map_err(HashError::Argon2)
    }

    /// Verifies a password against what is stored for a user: a PHC string of
    /// Argon2id, or one of the forms that Django (and so AWX) stores,
    /// `pbkdf2_sha256$…` and `argon2$argon2id$…`.
    ///
    /// Anything else is [`PasswordCheck::Wrong`]: the empty string, Django's unusable
    /// passwords (`!…`), unknown or broken forms, and forms whose cost is out of
    /// bounds. It takes as much time as a wrong password, so that nobody learns which
    /// accounts have no local password. If the work fails, the result is `Wrong` too,
    /// and the log says why.
    pub async fn verify(&self, password: String, stored: String) -> PasswordCheck {
        self.verify_constant_work(password, Some(stored), DjangoHashCost::default()).await
    }

    /// As [`Passwords::verify`], for sign-in: a wrong password takes the same time for every username and every form of
    /// the stored hash, so that the response time does not reveal which users exist (CVE-2020-14337). `stored` is
    /// `None` for an unknown user, and `django_cost` is the cost of the hashes in Django's forms in this installation.
    ///
    /// A right password takes no longer than its own form does.
    pub async fn verify_constant_work(
        &self,
        password: String,
        stored: Option<String>,
        django_cost: DjangoHashCost,
    ) -> PasswordCheck {
        let password = Zeroizing::new(password);
        let check = self.blocking(move |argon2| {
            let parsed = stored.as_deref().and_then(|stored| Stored::parse(stored, argon2.params()));
            let check = parsed.as_ref().map_or(PasswordCheck::Wrong, |stored| stored.verify(&password));
            if check == PasswordCheck::Wrong {
                let done = parsed.as_ref().map_or(WorkDone::Nothing, Stored::work);
                django_cost.do_remaining_work(argon2, &password, done);
            }
            check
        });
        check.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a password could not be verified");
            PasswordCheck::Wrong
        })
    }

    /// Whether so many callers wait that one more would wait for seconds.
    pub fn is_overloaded(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) >= self.max_waiting
    }

    async fn blocking<T, F>(&self, work: F) -> Result<T, HashError>
    where
        T: Send + 'static,
        F: FnOnce(&Argon2<'static>) -> T + Send + 'static,
    {
        let permit = {
            let _waiting = Waiting::new(&self.waiting);
            self.permits.clone().acquire_owned().await.map_err(|_| HashError::Interrupted)?
        };
        let argon2 = self.argon2.clone();
        let worked = task::spawn_blocking(move || {
            // Kept here and not in the caller's future, which may be dropped while the
            // work goes on.
            let _permit = permit;
            work(&argon2)
        });
        worked.await.map_err(|_| HashError::Interrupted)
    }
}

impl Default for Passwords {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passwords").field("argon2", &self.argon2).finish_non_exhaustive()
    }
}

/// Hashes a password and discards the result.
fn hash_and_discard(argon2: &Argon2<'_>, password: &str) {
    let mut output = [0; Params::DEFAULT_OUTPUT_LEN];
    let done = argon2.hash_password_into(password.as_bytes(), b"a salt for nobody", &mut output);
    if let Err(error) = done {
        tracing::error!(%error, "a password could not be verified");
    }
    // Otherwise the compiler could remove the work.
    std::hint::black_box(&output);
}

#[cfg(test)]
mod tests;
