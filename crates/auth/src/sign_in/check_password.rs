//! Checks usernames and passwords.

use std::net::IpAddr;
use std::time::Duration;

use hostler_engine::Error;
use hostler_identity::password::{PasswordCheck, passwords};
use hostler_identity::session::binding;
use hostler_identity::username::normalize_username;
use hostler_schema::{Actor, column};
use hostler_settings::Settings;
use sea_query::{Alias, ExprTrait, Query};
use tokio::time::Instant;

use super::rate_limit::{AttemptPermit, AttemptRefused, AttemptSubject, LoginLimits};
use crate::authenticator::Authenticator;
use crate::ldap;
use crate::user_row::UserRow;

/// A username and a password, and where they come from.
#[derive(Clone, Copy)]
pub(crate) struct PasswordCredentials<'a> {
    pub username: &'a str,
    pub password: &'a str,
    /// The client's address.
    pub address: Option<IpAddr>,
}

/// Whether a directory's recent answer about a password may be used again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum CacheUse {
    /// For clients that send the password with each request.
    Allowed,
    /// For a new session or token.
    Bypassed,
}

/// A user whose password is right. The sign-in is not complete before [`PasswordVerified::complete`].
pub(crate) struct PasswordVerified {
    actor: Actor,
    /// Whether the user has a second factor, so that a code is required.
    pub needs_code: bool,
    /// None if the password was found in a cache.
    permit: Option<AttemptPermit>,
}

impl PasswordVerified {
    pub(crate) fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Ends the sign-in of a user of whom nothing else is required.
    pub(crate) async fn complete(self) -> Actor {
        if let Some(permit) = self.permit {
            permit.succeeded().await;
        }
        self.actor
    }
}

/// The result of comparing a password with the stored hash.
pub(crate) enum CheckedPassword {
    /// The password is wrong, or there is no such user.
    Wrong(AttemptPermit),
    /// The password is right. There is no permit if it was found in the cache.
    Correct(Option<AttemptPermit>),
    /// The password is right, and its hash is to be replaced by one in today's form.
    CorrectNeedsRehash(AttemptPermit),
}

/// The user with this username and password, if they may sign in.
///
/// # Errors
/// [`Error::TooManyAttempts`], and errors of the database.
pub(crate) async fn check_password(
    auth: &Authenticator,
    credentials: PasswordCredentials<'_>,
) -> Result<Option<PasswordVerified>, Error> {
    let username = normalize_username(credentials.username);
    let user = UserRow::by_name(auth, &username).await?;
    let credentials = PasswordCredentials { username: &username, ..credentials };
    check_user_password(auth, &user, credentials, CacheUse::Bypassed).await
}

/// As [`check_password`], for the row of the normalized username.
///
/// A user who does not exist, or may not sign in, takes as much time as one who may.
///
/// # Errors
/// As [`check_password`].
pub(crate) async fn check_user_password(
    auth: &Authenticator,
    user: &UserRow,
    credentials: PasswordCredentials<'_>,
    cache_use: CacheUse,
) -> Result<Option<PasswordVerified>, Error> {
    let settings = &user.settings;
    let needs_code = user.has_second_factor();
    // Names of local users are never looked up in directories.
    if settings.has_directories && !user.is_local() {
        let Some((id, permit)) = ldap::check_password(auth, settings, credentials, cache_use).await? else {
            return Ok(None);
        };
        // What the directory says of the user has just been written.
        let Some(actor) = UserRow::by_id(auth, id).await?.actor() else {
            reject(auth, settings, credentials, permit).await?;
            return Ok(None);
        };
        return Ok(Some(PasswordVerified { actor, needs_code, permit }));
    }
    let stored = user.id().map(|id| (id, user.password_hash()));
    let (permit, needs_rehash) = match compare_password(auth, settings, stored, credentials).await? {
        CheckedPassword::Wrong(permit) => {
            reject(auth, settings, credentials, Some(permit)).await?;
            return Ok(None);
        }
        CheckedPassword::Correct(permit) => (permit, false),
        CheckedPassword::CorrectNeedsRehash(permit) => (Some(permit), true),
    };
    let actor = if settings.local_auth_disabled { None } else { user.actor() };
    let Some(actor) = actor else {
        // Rejected like a wrong password: a user who may not sign in does not learn that the password is right.
        reject(auth, settings, credentials, permit).await?;
        return Ok(None);
    };
    if let (true, Some((id, hash))) = (needs_rehash, stored) {
        rehash(auth, id, credentials.password, hash).await;
    }
    Ok(Some(PasswordVerified { actor, needs_code, permit }))
}

/// Compares a password with the stored hash of a user, if there is one.
///
/// # Errors
/// [`Error::TooManyAttempts`], whether or not there is such a user and the password is right; and errors of the database.
pub(crate) async fn compare_password(
    auth: &Authenticator,
    settings: &Settings,
    user: Option<(i64, &str)>,
    credentials: PasswordCredentials<'_>,
) -> Result<CheckedPassword, Error> {
    let PasswordCredentials { username, password, address } = credentials;
    let network = auth.rate_limiter.network_digest(address);
    if let Some((_, hash)) = user
        && auth.password_cache.contains(&network, username, password, hash)
        && !auth.rate_limiter.was_locked(username)
    {
        return Ok(CheckedPassword::Correct(None));
    }
    let subject = AttemptSubject { username, user: user.map(|(id, _)| id), address };
    let permit = admit(auth, settings, subject).await?;
    let hash = user.map(|(_, hash)| hash);
    let django_cost = auth.django_hashes.cost(&auth.engine.database, hash.unwrap_or_default()).await?;
    let stored = hash.map(str::to_owned);
    Ok(match passwords().verify_constant_work(password.to_owned(), stored, django_cost).await {
        PasswordCheck::Wrong => CheckedPassword::Wrong(permit),
        PasswordCheck::CorrectNeedsRehash => CheckedPassword::CorrectNeedsRehash(permit),
        PasswordCheck::Correct => {
            if let Some(hash) = hash {
                auth.password_cache.insert(&network, username, password, hash);
            }
            CheckedPassword::Correct(Some(permit))
        }
    })
}

/// Waits until an attempt may be checked.
///
/// # Errors
/// [`Error::TooManyAttempts`], and errors of the database.
pub(crate) async fn admit(
    auth: &Authenticator,
    settings: &Settings,
    subject: AttemptSubject<'_>,
) -> Result<AttemptPermit, Error> {
    let admitted = auth.rate_limiter.admit(&auth.engine, LoginLimits::new(settings), subject).await;
    admitted.map_err(refusal)
}

/// The error for an attempt that is not checked.
pub(super) fn refusal(refused: AttemptRefused) -> Error {
    match refused {
        AttemptRefused::RetryAfter(duration) => Error::TooManyAttempts(whole_seconds(duration)),
        AttemptRefused::Database(error) => error.into(),
    }
}

/// Rounded up: an earlier attempt would be refused again.
fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

/// Counts a failed attempt, and with directories takes as long as they do.
async fn reject(
    auth: &Authenticator,
    settings: &Settings,
    credentials: PasswordCredentials<'_>,
    permit: Option<AttemptPermit>,
) -> Result<(), Error> {
    let started = permit.as_ref().map_or_else(Instant::now, AttemptPermit::started);
    if let Some(permit) = permit {
        permit.failed().await?;
    }
    if settings.has_directories {
        ldap::simulate_rejection(auth, settings, credentials.username, started).await;
    }
    Ok(())
}

/// Replaces the hash of a password by one in today's form. A failure does not reject the sign-in.
async fn rehash(auth: &Authenticator, id: i64, password: &str, old_hash: &str) {
    let old_hash = old_hash.to_owned();
    let outcome = async {
        let hash = passwords().hash(password.to_owned()).await.map_err(|error| Error::Internal(error.to_string()))?;
        let mut tx = auth.engine.database.begin().await?;
        let update = Query::update()
            .table(Alias::new("users"))
            .value(Alias::new("password"), hash.as_str())
            .and_where(column("users", "id").eq(id))
            // Unless it was changed meanwhile.
            .and_where(column("users", "password").eq(old_hash.as_str()))
            .to_owned();
        if tx.execute(&update).await? == 0 {
            return Ok(());
        }
        // The password is the same, so its sessions stay.
        let rebind = Query::update()
            .table(Alias::new("sessions"))
            .value(Alias::new("binding"), binding(&auth.engine.secret, id, &hash))
            .and_where(column("sessions", "user_id").eq(id))
            .to_owned();
        tx.execute(&rebind).await?;
        tx.commit().await.map_err(Error::from)
    };
    if let Err(error) = outcome.await {
        tracing::warn!(user = id, ?error, "could not rehash password");
    }
}
