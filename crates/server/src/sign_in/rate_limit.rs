//! Who may check a password or a code now, and who has to wait.
//!
//! See `hostler_identity::throttle` for the idea. Names of users who do not
//! exist are counted like those of users who do: nothing here depends on whether
//! there is such a user, but for what only the right password leads to.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hostler_engine::Engine;
use hostler_identity::key::SecretKey;
use hostler_identity::password::passwords;
use hostler_identity::throttle::{Digests, Lane, Limits, MEMORY};
use jiff::{SignedDuration, Timestamp};
use moka::sync::Cache;

use super::attempt_queue::{Entry, Queue};
use super::failure_store::{self, Failures, Note, Written};
use super::known_locations;
use crate::settings::Settings;
use crate::settings::definitions::authentication::{
    LOGIN_FAILURES_UNTIL_DELAY, LOGIN_FAILURES_UNTIL_LOCK, LOGIN_LOCK_SECONDS, LOGIN_LONGEST_DELAY,
};

/// Names, places and pairs of them that are remembered at a time.
const CAPACITY: u64 = 100_000;
/// A place may be wrong about so many times more accounts than an account may be guessed at: many people share one.
const ACCOUNTS_PER_PLACE: u32 = 6;
/// What those are told who come while too many passwords are being checked.
const CROWDED: Duration = Duration::from_secs(2);

/// How much the clocks of two nodes may differ.
const CLOCKS_DIFFER: Duration = Duration::from_secs(60);

/// What the settings say about wrong guesses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub limits: Limits,
    /// Wrong guesses after which the account is locked; 0 for never.
    pub lock_after: u32,
    pub lock_for: Duration,
}

/// Watches over all attempts to sign in.
pub(crate) struct RateLimiter {
    digests: Digests,
    accounts: Cache<String, Arc<Account>>,
    /// Lanes of accounts at places that are known for them.
    at_home: Cache<(i64, String), Arc<Queue>>,
    places: Cache<String, Arc<Queue>>,
    /// Which accounts a place was wrong about.
    wrong_about: WrongAbout,
    failures: Arc<Failures>,
}

/// Pairs of a place and a name.
type WrongAbout = Cache<(String, String), ()>;

/// What is remembered of guesses at one name.
#[derive(Default)]
struct Account {
    /// Guesses from places that are not known for the account.
    strangers: Arc<Queue>,
    /// All wrong guesses, for the lock.
    all: Mutex<Lane>,
    locked_until: Mutex<Option<Timestamp>>,
    written: Arc<Written>,
}

impl Account {
    fn clear(&self) {
        self.strangers.clear();
        self.all.lock().unwrap_or_else(PoisonError::into_inner).clear();
        *self.locked_until.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.written.forget();
    }

    fn locked_until(&self) -> Option<Timestamp> {
        *self.locked_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who tries to sign in.
pub(crate) struct AttemptSubject<'a> {
    pub username: &'a str,
    /// The user of that name, if there is one.
    pub user: Option<i64>,
    pub address: Option<IpAddr>,
}

/// An attempt that may be checked now. It counts for nothing unless it is told how it ended.
pub(crate) struct Attempt {
    engine: Engine,
    rules: Rules,
    failures: Arc<Failures>,
    account: Arc<Account>,
    name: String,
    place: String,
    address: Option<IpAddr>,
    user: Option<i64>,
    is_known_place: bool,
    /// When waiting was over.
    began: tokio::time::Instant,
    lane: Entry,
    /// For strangers, with the accounts that places were wrong about.
    place_lane: Option<(Entry, WrongAbout)>,
}

/// Why an attempt is not checked.
pub(crate) enum AttemptRefused {
    /// Too many were wrong: come back after this time.
    RetryAfter(Duration),
    /// The database fails.
    Database(hostler_database::Error),
}

impl From<hostler_database::Error> for AttemptRefused {
    fn from(error: hostler_database::Error) -> Self {
        AttemptRefused::Database(error)
    }
}

fn remembering<K, V>() -> Cache<K, V>
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    Cache::builder().max_capacity(CAPACITY).time_to_idle(MEMORY).build()
}

impl RateLimiter {
    pub(crate) fn new(secret_key: &SecretKey) -> Self {
        RateLimiter {
            digests: Digests::new(secret_key),
            accounts: remembering(),
            at_home: remembering(),
            places: remembering(),
            wrong_about: remembering(),
            failures: Arc::default(),
        }
    }

    /// What stands for a name in the table of failed attempts.
    pub(crate) fn name(&self, username: &str) -> String {
        self.digests.name(username)
    }

    /// What stands for the place of an address.
    pub(crate) fn place(&self, address: Option<IpAddr>) -> String {
        self.digests.place(address)
    }

    /// Forgets all wrong guesses at a name, here and in the database.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn forgive(&self, engine: &Engine, username: &str) -> Result<(), hostler_database::Error> {
        let name = self.name(username);
        self.failures.forget(&name);
        failure_store::delete(engine, &name).await?;
        if let Some(account) = self.accounts.get(&name) {
            account.clear();
        }
        Ok(())
    }

    /// Whether an account is locked, as far as this node knows: for a password that was verified a moment ago.
    pub(crate) fn locked_for(&self, engine: &Engine, rules: Rules, username: &str) -> Option<Duration> {
        let account = self.accounts.get(&self.name(username))?;
        rules.remaining(engine.clock.now(), account.locked_until()?)
    }

    /// Waits, if need be, until an attempt may be checked.
    ///
    /// # Errors
    /// [`AttemptRefused::RetryAfter`] for one that would wait too long, or while the account is locked.
    pub(crate) async fn admit(
        &self,
        engine: &Engine,
        rules: Rules,
        candidate: AttemptSubject<'_>,
    ) -> Result<Attempt, AttemptRefused> {
        let AttemptSubject { username, user, address } = candidate;
        let (name, place) = (self.name(username), self.digests.place(address));
        let account = self.accounts.get_with_by_ref(&name, Arc::default);
        // Asked before the database is: what is written meanwhile is not missed by what is read.
        let (was_stored, is_settled) = (account.written.is_stored(), account.written.is_all());
        let now = engine.clock.now();
        let known = failure_store::load(engine, &name).await?;
        // For nobody too, so that it takes the same time.
        let is_known_place = known_locations::is_known(engine, user.unwrap_or_default(), &place).await?;
        match &known {
            Some(known) => {
                account.written.found();
                let recent =
                    now.duration_since(known.last_failure) < SignedDuration::try_from(MEMORY).unwrap_or_default();
                // What led to a lock that is over has been paid for.
                let is_paid = known.locked_until.is_some_and(|until| rules.remaining(now, until).is_none());
                if recent && !is_paid {
                    account.strangers.learn(known.failures);
                    account.all.lock().unwrap_or_else(PoisonError::into_inner).learn(Instant::now(), known.failures);
                }
                let mut locked_until = account.locked_until.lock().unwrap_or_else(PoisonError::into_inner);
                // A lock that is not written yet counts all the same.
                let in_force = |until: &Timestamp| rules.remaining(now, *until).is_some();
                let stored = known.locked_until.filter(in_force);
                *locked_until = if is_settled { stored } else { stored.max(locked_until.filter(in_force)) };
            }
            // Somebody has forgiven them, on another node or on the data itself.
            None if was_stored => account.clear(),
            None => {}
        }
        if let Some(pause) = account.locked_until().and_then(|until| rules.remaining(now, until)) {
            return Err(AttemptRefused::RetryAfter(pause));
        }
        let queue = match user {
            Some(user) if is_known_place => self.at_home.get_with((user, place.clone()), Arc::default),
            _ => {
                if passwords().is_overloaded() {
                    return Err(AttemptRefused::RetryAfter(CROWDED));
                }
                Arc::clone(&account.strangers)
            }
        };
        let lane = queue.enter(&rules.limits).await.map_err(AttemptRefused::RetryAfter)?;
        let place_lane = if is_known_place {
            None
        } else {
            let queue = self.places.get_with_by_ref(&place, Arc::default);
            let entry = queue.enter(&rules.of_place()).await.map_err(AttemptRefused::RetryAfter)?;
            Some((entry, self.wrong_about.clone()))
        };
        Ok(Attempt {
            engine: engine.clone(),
            rules,
            failures: Arc::clone(&self.failures),
            account,
            name,
            place,
            address,
            user,
            is_known_place,
            began: tokio::time::Instant::now(),
            lane,
            place_lane,
        })
    }
}

impl Rules {
    pub(crate) fn of(settings: &Settings) -> Self {
        let number = |setting| settings.integer(setting).try_into().unwrap_or_default();
        let seconds = |setting| Duration::from_secs(settings.integer(setting).try_into().unwrap_or_default());
        Rules {
            limits: Limits { free: number(&LOGIN_FAILURES_UNTIL_DELAY), longest_pause: seconds(&LOGIN_LONGEST_DELAY) },
            lock_after: number(&LOGIN_FAILURES_UNTIL_LOCK),
            lock_for: seconds(&LOGIN_LOCK_SECONDS),
        }
    }

    /// How long a lock goes on, if it is not over. One that would last longer than any does was made before the clock
    /// was set back, or before the setting was, and is over.
    pub(crate) fn remaining(&self, now: Timestamp, until: Timestamp) -> Option<Duration> {
        let pause = Duration::try_from(until.duration_since(now)).ok()?;
        (!pause.is_zero() && pause <= self.lock_for.saturating_add(CLOCKS_DIFFER)).then_some(pause)
    }

    fn of_place(&self) -> Limits {
        Limits { free: self.limits.free.saturating_mul(ACCOUNTS_PER_PLACE), ..self.limits }
    }
}

impl Attempt {
    /// When the check could begin.
    pub(crate) fn began(&self) -> tokio::time::Instant {
        self.began
    }

    /// The password or the code was wrong.
    pub(crate) fn failed(self) {
        self.lane.fail(&self.rules.limits);
        if let Some((entry, wrong_about)) = &self.place_lane {
            let pair = (self.place.clone(), self.name.clone());
            // A place is judged by how many accounts it is wrong about, not by one person who tries again and again.
            if wrong_about.get(&pair).is_none() {
                wrong_about.insert(pair, ());
                entry.fail(&self.rules.of_place());
            }
        }
        let failures = {
            let (mut all, now) = (self.account.all.lock().unwrap_or_else(PoisonError::into_inner), Instant::now());
            all.fail(now, &self.rules.limits);
            all.failures(now)
        };
        let now = self.engine.clock.now();
        let is_locked = self.rules.lock_after != 0 && failures >= self.rules.lock_after;
        let locked_until = is_locked.then(|| now.checked_add(self.rules.lock_for).unwrap_or(Timestamp::MAX));
        if let Some(until) = locked_until {
            *self.account.locked_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
            // All of them led to this lock; the next one takes as many again.
            self.account.all.lock().unwrap_or_else(PoisonError::into_inner).clear();
            tracing::warn!(user = self.user, "an account is locked after too many failed attempts to sign in");
        }
        let address = self.address.map(|address| address.to_string()).unwrap_or_default();
        let note = Note { failures: 1, last_failure: Some(now), address, locked_until };
        self.failures.note(&self.engine, self.name, note, Arc::clone(&self.account.written));
    }

    /// The user is in.
    pub(crate) async fn succeeded(self) {
        let forgiven = self.lane.clear();
        if forgiven > 0 {
            let remaining = {
                let (mut all, now) = (self.account.all.lock().unwrap_or_else(PoisonError::into_inner), Instant::now());
                let remaining = all.failures(now).saturating_sub(forgiven);
                all.clear();
                all.learn(now, remaining);
                remaining
            };
            tracing::debug!(user = self.user, forgiven, remaining, "failed attempts are forgiven");
            let note = Note { failures: -i64::from(forgiven), ..Note::default() };
            self.failures.note(&self.engine, self.name, note, Arc::clone(&self.account.written));
        }
        if let (Some(user), false) = (self.user, self.is_known_place)
            && let Err(problem) = known_locations::remember(&self.engine, user, &self.place).await
        {
            // The next success from there tries again.
            tracing::warn!(user, %problem, "could not remember from where a user signed in");
        }
    }
}
