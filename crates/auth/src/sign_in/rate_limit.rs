//! Limits how fast passwords and codes can be guessed.
//!
//! - Failures are counted per username in the database ([`failure_store`]), so all nodes share them. After a few, further
//!   attempts for that username are checked one at a time, with growing delays; at a limit, the username can be locked.
//! - Attempts at a user from a location where that user signed in lately are counted apart, in memory: a stranger's
//!   failures do not slow down the owner.
//! - A network that fails for many usernames is slowed down for users who never signed in from it.
//!
//! Unknown usernames are counted like those of users: before the password is right, nothing here may depend on whether
//! the user exists.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hostler_database::Error;
use hostler_engine::Engine;
use hostler_identity::key::SecretKey;
use hostler_identity::password::passwords;
use hostler_identity::throttle::{DelayPolicy, Digests, FAILURE_TTL, MAX_CLOCK_SKEW};
use hostler_settings::Settings;
use hostler_settings::definitions::authentication::{
    LOGIN_FAILURES_UNTIL_DELAY, LOGIN_FAILURES_UNTIL_LOCK, LOGIN_LOCK_SECONDS, LOGIN_LONGEST_DELAY,
};
use jiff::Timestamp;
use moka::sync::Cache;

use super::attempt_queue::{AttemptQueue, Failures, QueueSlot};
use super::{failure_store, known_locations};

/// Entries per cache, which bounds the memory that attackers can fill.
const CAPACITY: u64 = 100_000;
/// A network may fail for this many times more usernames than there are free failures: many people share one.
const USERNAMES_PER_NETWORK: u32 = 6;
/// The `Retry-After` while too many passwords are being checked.
const OVERLOADED_RETRY_AFTER: Duration = Duration::from_secs(2);

/// The settings that limit failed attempts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LoginLimits {
    pub delays: DelayPolicy,
    /// Failures after which the username is locked; 0 for never.
    pub failures_until_lock: u32,
    pub lock_duration: Duration,
}

impl LoginLimits {
    pub(crate) fn new(settings: &Settings) -> Self {
        let number = |setting| settings.integer(setting).try_into().unwrap_or_default();
        let seconds = |setting| Duration::from_secs(settings.integer(setting).try_into().unwrap_or_default());
        LoginLimits {
            delays: DelayPolicy {
                free_failures: number(&LOGIN_FAILURES_UNTIL_DELAY),
                max_delay: seconds(&LOGIN_LONGEST_DELAY),
            },
            failures_until_lock: number(&LOGIN_FAILURES_UNTIL_LOCK),
            lock_duration: seconds(&LOGIN_LOCK_SECONDS),
        }
    }

    /// How long from now a lock can last. One that lasts longer was made before the clock was set back, or before the
    /// setting was lowered, and does not count.
    pub(super) fn longest_lock(&self) -> Duration {
        self.lock_duration.saturating_add(MAX_CLOCK_SKEW)
    }

    /// How much of a lock is left.
    pub(super) fn remaining_lock(&self, now: Timestamp, locked_until: Timestamp) -> Option<Duration> {
        let remaining = Duration::try_from(locked_until.duration_since(now)).ok()?;
        (!remaining.is_zero() && remaining <= self.longest_lock()).then_some(remaining)
    }

    fn network_delays(&self) -> DelayPolicy {
        let free_failures = self.delays.free_failures.saturating_mul(USERNAMES_PER_NETWORK);
        DelayPolicy { free_failures, ..self.delays }
    }
}

/// Who tries to sign in, and from where.
#[derive(Clone, Copy)]
pub(crate) struct AttemptSubject<'a> {
    pub username: &'a str,
    /// The user with that name, if there is one.
    pub user: Option<i64>,
    pub address: Option<IpAddr>,
}

/// Why an attempt is not checked.
#[derive(Debug)]
pub(crate) enum AttemptRefused {
    /// There were too many failures.
    RetryAfter(Duration),
    Database(Error),
}

impl From<Error> for AttemptRefused {
    fn from(error: Error) -> Self {
        AttemptRefused::Database(error)
    }
}

fn cache<K, V>() -> Cache<K, V>
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    Cache::builder().max_capacity(CAPACITY).time_to_idle(FAILURE_TTL).build()
}

/// The state of this node. Keys are digests of usernames and networks.
pub(crate) struct RateLimiter {
    digests: Digests,
    /// Attempts from unknown locations, by username.
    usernames: Cache<String, Arc<AttemptQueue>>,
    /// Attempts from known locations, by user and network.
    known_locations: Cache<(i64, String), Arc<AttemptQueue>>,
    networks: Cache<String, Arc<AttemptQueue>>,
    /// Guesses at the keys of objects, by the id of the object and network.
    object_keys: Cache<(i64, String), Arc<AttemptQueue>>,
    /// The pairs of network and username that failed.
    failed_pairs: Cache<(String, String), ()>,
    /// The usernames that this node saw locked.
    locked: Cache<String, ()>,
}

impl RateLimiter {
    pub(crate) fn new(secret_key: &SecretKey) -> Self {
        RateLimiter {
            digests: Digests::new(secret_key),
            usernames: cache(),
            known_locations: cache(),
            networks: cache(),
            object_keys: cache(),
            failed_pairs: cache(),
            locked: cache(),
        }
    }

    /// The digest of a username, which is the key of its row in the table of failed attempts.
    pub(crate) fn name_digest(&self, username: &str) -> String {
        self.digests.username(username)
    }

    /// The digest of an address's network.
    pub(crate) fn network_digest(&self, address: Option<IpAddr>) -> String {
        self.digests.network(address)
    }

    /// Whether this node saw the username locked. Such a lock may be over: [`RateLimiter::admit`] reads what is true now.
    pub(crate) fn was_locked(&self, username: &str) -> bool {
        self.locked.contains_key(&self.name_digest(username))
    }

    /// Resets all failures for a username, and its lock.
    ///
    /// # Errors
    /// Errors of the database.
    pub(crate) async fn forgive(&self, engine: &Engine, username: &str) -> Result<(), Error> {
        failure_store::delete(engine, &self.name_digest(username)).await
    }

    /// Waits until a guess at the key of an object may be checked.
    ///
    /// # Errors
    /// [`AttemptRefused::RetryAfter`] for a guess that would wait too long.
    pub(super) async fn admit_key(
        &self,
        engine: &Engine,
        limits: LoginLimits,
        object: i64,
        address: Option<IpAddr>,
    ) -> Result<QueueSlot, AttemptRefused> {
        let queue = self.object_keys.get_with((object, self.network_digest(address)), Arc::default);
        queue.enter(&limits.delays, &*engine.clock, Failures::InMemory).await
    }

    /// Waits until an attempt may be checked.
    ///
    /// # Errors
    /// [`AttemptRefused::RetryAfter`] for an attempt that would wait too long, or while the username is locked; errors of
    /// the database.
    pub(crate) async fn admit(
        self: &Arc<Self>,
        engine: &Engine,
        limits: LoginLimits,
        subject: AttemptSubject<'_>,
    ) -> Result<AttemptPermit, AttemptRefused> {
        let AttemptSubject { username, user, address } = subject;
        let (name_digest, network) = (self.name_digest(username), self.network_digest(address));
        let stored = failure_store::load(engine, &name_digest).await?;
        // Also read for unknown users, so that it takes the same time.
        let is_known_location = known_locations::is_known(engine, user.unwrap_or_default(), &network).await?;
        let now = engine.clock.now();
        let locked_until = stored.as_ref().and_then(|stored| stored.locked_until);
        match locked_until.and_then(|until| limits.remaining_lock(now, until)) {
            Some(remaining) => {
                self.locked.insert(name_digest, ());
                return Err(AttemptRefused::RetryAfter(remaining));
            }
            None => self.locked.invalidate(&name_digest),
        }
        let clock = &*engine.clock;
        let known_location = user.filter(|_| is_known_location).map(|user| (user, network.clone()));
        let (slot, network_slot) = match known_location {
            Some(key) => {
                let queue = self.known_locations.get_with(key, Arc::default);
                (queue.enter(&limits.delays, clock, Failures::InMemory).await?, None)
            }
            None => {
                if passwords().is_overloaded() {
                    return Err(AttemptRefused::RetryAfter(OVERLOADED_RETRY_AFTER));
                }
                let queue = self.usernames.get_with_by_ref(&name_digest, Arc::default);
                let failures = Failures::Stored { engine, limits: &limits, name_digest: &name_digest };
                let slot = queue.enter(&limits.delays, clock, failures).await?;
                let queue = self.networks.get_with_by_ref(&network, Arc::default);
                let network_slot = queue.enter(&limits.network_delays(), clock, Failures::InMemory).await?;
                (slot, Some(network_slot))
            }
        };
        Ok(AttemptPermit {
            limiter: Arc::clone(self),
            engine: engine.clone(),
            limits,
            name_digest,
            network,
            address,
            user,
            started: tokio::time::Instant::now(),
            slot,
            network_slot,
        })
    }
}

/// The permission to check one attempt. Nothing is counted unless [`AttemptPermit::failed`] or
/// [`AttemptPermit::succeeded`] is called.
pub(crate) struct AttemptPermit {
    limiter: Arc<RateLimiter>,
    engine: Engine,
    limits: LoginLimits,
    name_digest: String,
    network: String,
    address: Option<IpAddr>,
    user: Option<i64>,
    started: tokio::time::Instant,
    slot: QueueSlot,
    /// For attempts from unknown locations.
    network_slot: Option<QueueSlot>,
}

impl AttemptPermit {
    /// When waiting ended.
    pub(crate) fn started(&self) -> tokio::time::Instant {
        self.started
    }

    /// Counts a wrong password or code.
    ///
    /// # Errors
    /// Errors of the database: an attempt that cannot be counted must not be answered.
    pub(crate) async fn failed(self) -> Result<(), Error> {
        let now = self.engine.clock.now();
        match &self.network_slot {
            None => self.slot.fail(now),
            Some(network_slot) => {
                // A network is limited by the number of usernames with failures, not by repeated attempts of one user.
                let pair = (self.network.clone(), self.name_digest.clone());
                if !self.limiter.failed_pairs.contains_key(&pair) {
                    self.limiter.failed_pairs.insert(pair, ());
                    network_slot.fail(now);
                }
            }
        }
        let address = self.address.map(|address| address.to_string()).unwrap_or_default();
        if failure_store::record(&self.engine, &self.limits, &self.name_digest, &address).await? {
            tracing::warn!(user = self.user, "a username is locked after too many failed attempts to sign in");
            self.limiter.locked.insert(self.name_digest, ());
        }
        Ok(())
    }

    /// Resets the failures that delayed this attempt, and stores the location.
    pub(crate) async fn succeeded(self) {
        let now = self.engine.clock.now();
        let forgiven = match &self.network_slot {
            // Failures from elsewhere still count.
            None => Ok(self.slot.reset(now)),
            Some(_) => {
                let stored = failure_store::load(&self.engine, &self.name_digest).await;
                stored.map(|stored| stored.map_or(0, |stored| stored.failures))
            }
        };
        let outcome = async {
            let forgiven = forgiven?;
            if forgiven > 0 {
                tracing::debug!(user = self.user, forgiven, "failed attempts to sign in are forgiven");
                failure_store::forgive(&self.engine, &self.name_digest, forgiven).await?;
            }
            match self.user {
                Some(user) if self.network_slot.is_some() => {
                    known_locations::remember(&self.engine, user, &self.network).await
                }
                _ => Ok(()),
            }
        };
        if let Err(error) = outcome.await {
            // The next success tries again.
            tracing::warn!(user = self.user, %error, "could not record a successful sign-in");
        }
    }
}
