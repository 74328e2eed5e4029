//! Passwords at rest: hashing new ones and verifying given ones.

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
/// A caller that goes away does not make room for the next: a hash once begun
/// keeps its place until it is done.
pub struct Passwords {
    argon2: Argon2<'static>,
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
    /// So many who wait are a crowd.
    crowd: usize,
}

/// Counts who waits for a place, also if they go away.
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

/// How many for each place make a crowd: of hashes in our form, a second's work.
const CROWD_PER_PLACE: usize = 32;

/// The hasher that the whole process shares, so that its limit holds for all callers together.
pub fn passwords() -> &'static Passwords {
    static SHARED: LazyLock<Passwords> = LazyLock::new(Passwords::new);
    &SHARED
}

/// A password could not be hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// Argon2 knows no such cost, or there is no memory for it.
    #[error("the password cannot be hashed: {0}")]
    Argon2(argon2::password_hash::Error),
    /// The work was broken off, as when the process is shutting down.
    #[error("the hashing of a password was interrupted")]
    Interrupted,
}

/// What a given password is worth against a stored one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum PasswordCheck {
    /// It is the password.
    Correct,
    /// It is the password, but stored in an older or weaker form: the caller
    /// hashes it anew and stores that.
    CorrectNeedsRehash,
    /// It is not the password, or nothing that a password could match is stored.
    Wrong,
}

impl Passwords {
    /// Argon2id with 19 MiB of memory, two passes and one lane: the first of
    /// the settings in OWASP's Password Storage Cheat Sheet that spares memory.
    pub fn new() -> Self {
        Self::with_params(Params::DEFAULT)
    }

    /// Argon2id at another cost: `memory` in KiB, and that many `passes` over
    /// it. Tests take the least, 8 KiB and one pass.
    ///
    /// # Errors
    /// [`HashError::Argon2`] if Argon2 knows no such cost.
    pub fn with_cost(memory: u32, passes: u32) -> Result<Self, HashError> {
        let params = Params::new(memory, passes, 1, None).map_err(|error| HashError::Argon2(error.into()))?;
        Ok(Self::with_params(params))
    }

    fn with_params(params: Params) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            places: Arc::new(Semaphore::new(cores)),
            waiting: AtomicUsize::new(0),
            crowd: cores * CROWD_PER_PLACE,
        }
    }

    /// Hashes a password for storing: a PHC string (`$argon2id$v=19$…`) with 16
    /// random bytes of salt, at most 128 characters long.
    ///
    /// # Errors
    /// [`HashError`]; none of its cases is about the password itself.
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
    /// passwords (`!…`), forms unknown or broken, and forms whose cost is out
    /// of bounds. It costs as much time as a wrong password, so that nobody
    /// learns which accounts have no password here. Should the work fail, the
    /// answer is `Wrong` too, and the log says why.
    pub async fn verify(&self, password: String, stored: String) -> PasswordCheck {
        self.verify_constant_work(password, Some(stored), DjangoHashCost::default()).await
    }

    /// As [`Passwords::verify`], for whoever signs in: a wrong password takes the
    /// same work whoever it is tried for, and in whatever form theirs is stored;
    /// the time an answer takes must not tell who exists (CVE-2020-14337).
    /// `stored` is `None` for a user who does not exist, and `django_cost` what
    /// hashes in other forms than ours cost in this installation.
    ///
    /// A right password takes no longer than its own form does.
    pub async fn verify_constant_work(
        &self,
        password: String,
        stored: Option<String>,
        django_cost: DjangoHashCost,
    ) -> PasswordCheck {
        let password = Zeroizing::new(password);
        let verdict = self.blocking(move |argon2| {
            let parsed = stored.as_deref().and_then(|stored| Stored::parse(stored, argon2.params()));
            let verdict = parsed.as_ref().map_or(PasswordCheck::Wrong, |stored| stored.verify(&password));
            if verdict == PasswordCheck::Wrong {
                let spent = parsed.as_ref().map_or(WorkDone::Nothing, Stored::spent);
                django_cost.do_remaining_work(argon2, &password, spent);
            }
            verdict
        });
        verdict.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a password could not be verified");
            PasswordCheck::Wrong
        })
    }

    /// Whether so many wait to have a password hashed or verified that one more
    /// would wait for seconds.
    pub fn is_overloaded(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) >= self.crowd
    }

    async fn blocking<T, F>(&self, work: F) -> Result<T, HashError>
    where
        T: Send + 'static,
        F: FnOnce(&Argon2<'static>) -> T + Send + 'static,
    {
        let place = {
            let _waiting = Waiting::new(&self.waiting);
            self.places.clone().acquire_owned().await.map_err(|_| HashError::Interrupted)?
        };
        let argon2 = self.argon2.clone();
        let worked = task::spawn_blocking(move || {
            // Held in here, not by the caller's future: that may be dropped
            // while the work, which nothing can stop, goes on.
            let _place = place;
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

/// Does the work of a verification and forgets the outcome.
fn spend(argon2: &Argon2<'_>, password: &str) {
    let mut output = [0; Params::DEFAULT_OUTPUT_LEN];
    let done = argon2.hash_password_into(password.as_bytes(), b"a salt for nobody", &mut output);
    if let Err(error) = done {
        tracing::error!(%error, "a password could not be verified");
    }
    // Otherwise the compiler may find that nobody looks at the outcome.
    std::hint::black_box(&output);
}

#[cfg(test)]
mod tests;
