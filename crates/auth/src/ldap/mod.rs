//! Sign-in through the LDAP directories of the settings.
//!
//! The names of local users are never looked up in a directory. For any other name the directories are asked in turn;
//! the first one that accepts the password determines the user's attributes and roles.

mod store;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hostler_database::{Error as DatabaseError, Row, Type};
use hostler_engine::Error;
use hostler_identity::password_cache::PasswordCache;
use hostler_ldap::{Directory, LdapUser, SignInError, normalize_dn};
use hostler_resources::users::is_username;
use hostler_schema::column;
use hostler_settings::Settings;
use sea_query::{Alias, ExprTrait, Query};
use tokio::time::{Instant, sleep_until};

use crate::authenticator::Authenticator;
use crate::sign_in::{AttemptPermit, AttemptSubject, CacheUse, PasswordCredentials, admit};
use store::{Account, store, wait_for_commits};

/// How long a directory's answer about a password is cached, for clients that send the password with each request. A
/// password that the directory no longer accepts may work this much longer.
const CACHE_TTL: Duration = Duration::from_secs(60);

/// The shortest time of a rejection while directories are configured: its duration must not reveal whether there is such a
/// user here or such an entry there.
const MIN_REJECTION_TIME: Duration = Duration::from_millis(500);

/// The configured directories, and their recent answers.
pub(crate) struct Directories {
    /// With the generation of the settings that they were read from.
    configured: Mutex<(i64, Arc<Vec<Directory>>)>,
    password_cache: PasswordCache,
}

impl Default for Directories {
    fn default() -> Self {
        Directories { configured: Mutex::default(), password_cache: PasswordCache::new(CACHE_TTL) }
    }
}

impl Directories {
    /// The directories in the settings, in the order in which they are tried.
    fn get(&self, auth: &Authenticator, settings: &Settings) -> Arc<Vec<Directory>> {
        let mut configured = self.configured.lock().unwrap_or_else(PoisonError::into_inner);
        if configured.0 != settings.generation() {
            *configured = (settings.generation(), Arc::new(settings.directories(&auth.engine.vault)));
        }
        Arc::clone(&configured.1)
    }
}

/// The user with a name.
struct KnownUser {
    id: i64,
    username: String,
    /// The distinguished name; empty for a user who does not come from a directory.
    dn: String,
    is_active: bool,
}

/// The id of the user whose password a directory accepts. The user is created or updated from the directory's entry.
/// There is no permit if the answer was cached.
///
/// # Errors
/// [`Error::TooManyAttempts`], and errors of the database. A directory that does not answer is logged, and counts as a
/// rejection.
pub(crate) async fn check_password(
    auth: &Authenticator,
    settings: &Settings,
    credentials: PasswordCredentials<'_>,
    cache_use: CacheUse,
) -> Result<Option<(i64, Option<AttemptPermit>)>, Error> {
    let PasswordCredentials { username, password, address } = credentials;
    let name = username.trim();
    let known = if is_username(name) { known_user(auth, name).await? } else { None };
    // Any change of the settings invalidates the cache.
    let cache_key = |id: i64| format!("{} {id}", settings.generation());
    let network = auth.rate_limiter.network_digest(address);
    // Directories ignore case: guesses at such names are counted together.
    let counted_name = known.as_ref().map_or_else(|| name.to_lowercase(), |known| known.username.clone());
    if let (CacheUse::Allowed, Some(known)) = (cache_use, &known)
        && known.is_active
        && auth.directories.password_cache.contains(&network, username, password, &cache_key(known.id))
        && !auth.rate_limiter.was_locked(&counted_name)
    {
        return Ok(Some((known.id, None)));
    }
    let subject = AttemptSubject { username: &counted_name, user: known.as_ref().map(|known| known.id), address };
    let permit = admit(auth, settings, subject).await?;
    let started = permit.started();
    let can_sign_in = is_username(name) && known.as_ref().is_none_or(|known| known.is_active && !known.dn.is_empty());
    let user = match can_sign_in {
        true => sign_in(auth, settings, known.as_ref(), name, password).await?,
        false => {
            simulate_search(auth, settings, name).await;
            None
        }
    };
    let Some(user) = user else {
        permit.failed().await?;
        sleep_until(started + MIN_REJECTION_TIME).await;
        return Ok(None);
    };
    auth.directories.password_cache.insert(&network, username, password, &cache_key(user));
    Ok(Some((user, Some(permit))))
}

/// Makes the rejection of a local user take as long as that of a user whom the directories were asked about.
pub(crate) async fn simulate_rejection(auth: &Authenticator, settings: &Settings, username: &str, started: Instant) {
    simulate_search(auth, settings, username.trim()).await;
    sleep_until(started + MIN_REJECTION_TIME).await;
}

/// The user with this name; if there is none, the one with the name in lower case, as users of directories are stored.
async fn known_user(auth: &Authenticator, name: &str) -> Result<Option<KnownUser>, DatabaseError> {
    let lower = name.to_lowercase();
    let query = Query::select()
        .exprs(["id", "ldap_dn", "is_active", "username"].map(|name| column("users", name)))
        .from(Alias::new("users"))
        .and_where(column("users", "username").is_in([name, lower.as_str()]))
        .to_owned();
    let rows = auth.engine.database.read(&query, &[Type::Integer, Type::Text, Type::Boolean, Type::Text]).await?;
    let row: Option<&Row> = rows.iter().find(|row| row.text(3) == Some(name)).or(rows.first());
    Ok(row.and_then(|row| {
        let (id, is_active) = (row.integer(0)?, row.boolean(2));
        Some(KnownUser { id, username: row.text(3)?.to_owned(), dn: row.text(1)?.to_owned(), is_active })
    }))
}

/// The id of the user whose username and password a directory accepts.
async fn sign_in(
    auth: &Authenticator,
    settings: &Settings,
    known: Option<&KnownUser>,
    username: &str,
    password: &str,
) -> Result<Option<i64>, Error> {
    let directories = auth.directories.get(auth, settings);
    let new_name = username.to_lowercase();
    for directory in directories.iter() {
        let ldap_user = match directory.sign_in(username, password).await {
            Ok(ldap_user) => ldap_user,
            Err(error @ SignInError::Unavailable(_)) => {
                tracing::warn!(directory = directory.prefix, %error, "LDAP directory is unavailable");
                continue;
            }
            Err(error) => {
                // Unknown names are not logged: people type passwords into the username field.
                let is_known = known.is_some() || matches!(error, SignInError::ExcludedByGroup(_));
                let username = if is_known { username } else { "" };
                tracing::info!(directory = directory.prefix, username, %error, "LDAP directory rejected a sign-in");
                continue;
            }
        };
        let account = match known {
            Some(known) if is_same_user(&directories, known, &ldap_user).await => Account::Known(known.id),
            Some(_) => continue,
            None => Account::New(&new_name),
        };
        let (operator, is_new) = (settings.system_actor(), matches!(account, Account::New(_)));
        let mut stored = store(&auth.engine, &operator, account, &ldap_user).await;
        if is_new && stored.is_err() {
            // A concurrent sign-in may have created the user.
            wait_for_commits(&auth.engine).await?;
            stored = match known_user(auth, &new_name).await? {
                Some(created) if normalize_dn(&created.dn) == normalize_dn(&ldap_user.dn) => {
                    store(&auth.engine, &operator, Account::Known(created.id), &ldap_user).await
                }
                _ => stored,
            };
        }
        match stored {
            Ok(id) => {
                tracing::info!(
                    directory = directory.prefix,
                    username,
                    user = id,
                    is_new,
                    "signed in by an LDAP directory"
                );
                return Ok(Some(id));
            }
            Err(Error::Invalid(problems)) => {
                let dn = ldap_user.dn;
                tracing::warn!(
                    username,
                    dn,
                    ?problems,
                    "LDAP directory accepted a sign-in, but the entry cannot become a user"
                );
            }
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Whether the stored user belongs to the entry that a directory accepted.
///
/// A name can be given to another person: a person who can choose the searched attribute, or has the name in a second
/// directory, must not get another person's account. So an account moves to another entry only if no directory contains
/// the old one any more.
async fn is_same_user(directories: &[Directory], known: &KnownUser, ldap_user: &LdapUser) -> bool {
    let username = known.username.as_str();
    if known.dn.is_empty() {
        return false;
    }
    if normalize_dn(&known.dn) == normalize_dn(&ldap_user.dn) {
        return true;
    }
    for directory in directories {
        match directory.is_entry_of_user(&known.dn, username).await {
            Ok(false) => {}
            Ok(true) => {
                tracing::warn!(
                    username,
                    was = known.dn,
                    is = ldap_user.dn,
                    "username belongs to another LDAP entry, which still exists"
                );
                return false;
            }
            Err(error) => {
                tracing::warn!(username, %error, "could not check whether the user's LDAP entry moved");
                return false;
            }
        }
    }
    tracing::info!(username, from = known.dn, to = ldap_user.dn, "the user's LDAP entry moved");
    true
}

/// Searches as [`sign_in`] does, only to take as much time.
async fn simulate_search(auth: &Authenticator, settings: &Settings, username: &str) {
    // A name with invalid characters would end the search earlier.
    let username = if is_username(username) { username } else { "nobody" };
    for directory in auth.directories.get(auth, settings).iter() {
        directory.simulate_sign_in(username).await;
    }
}
