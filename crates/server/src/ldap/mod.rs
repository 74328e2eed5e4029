//! Signing in through directories (LDAP), as the settings say.
//!
//! A name that a local user has is none of a directory's business. Every other
//! name is: the directories are asked in turn, and the first that lets somebody
//! in decides what becomes of the user.

mod store;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hostler_database::{Error as DatabaseError, Row, Type};
use hostler_engine::Error;
use hostler_identity::password_cache::PasswordCache;
use hostler_ldap::{Directory, LdapUser, SignInError, normalize_dn};
use hostler_resources::users::is_username;
use hostler_schema::column;
use sea_query::{Alias, ExprTrait, Query};
use tokio::time::{Instant, sleep_until};

use crate::settings::Settings;
use crate::sign_in::{Attempt, AttemptSubject, PasswordCredentials, locked, wait};
use crate::state::App;
use store::{Account, settle, store};

/// How long a directory's word about a password counts. Clients that send their password with each request would ask
/// the directory each time without it; with it, what the directory takes away may still work for so long.
const MEMORY: Duration = Duration::from_secs(60);

/// Every refusal takes at least so long while directories are set up, so that the time does not tell how far it came:
/// whether there is such a user here or an entry there.
const REFUSAL: Duration = Duration::from_millis(500);

/// The directories, as last set up, and what they said lately.
pub(crate) struct Directories {
    /// With the generation of the settings that they were read from.
    configured: Mutex<(i64, Arc<Vec<Directory>>)>,
    verified: PasswordCache,
}

impl Default for Directories {
    fn default() -> Self {
        Directories { configured: Mutex::default(), verified: PasswordCache::new(MEMORY) }
    }
}

impl Directories {
    /// The directories that these settings name, in the order in which they are asked.
    fn of(&self, app: &App, settings: &Settings) -> Arc<Vec<Directory>> {
        let mut configured = self.configured.lock().unwrap_or_else(PoisonError::into_inner);
        if configured.0 != settings.generation() {
            *configured = (settings.generation(), Arc::new(settings.directories(&app.engine.vault)));
        }
        Arc::clone(&configured.1)
    }
}

/// A user of a name.
struct Known {
    id: i64,
    username: String,
    /// What the directory calls the user; "" for one who does not come from a directory.
    dn: String,
    is_active: bool,
}

/// The id of the user that this is, by the directories' word; made, or made what the directory says, by this very call. `remembers` is
/// whether a word of a moment ago will do; there is no attempt then.
///
/// # Errors
/// [`Error::TooManyAttempts`], and what the database says. That a directory cannot be asked is told to the log, and
/// means no.
pub(crate) async fn check(
    app: &App,
    settings: &Settings,
    given: PasswordCredentials<'_>,
    remembers: bool,
) -> Result<Option<(i64, Option<Attempt>)>, Error> {
    let name = given.username.trim();
    let known = if is_username(name) { known(app, name).await? } else { None };
    // With any change of settings the directory is asked again.
    let what = known.as_ref().map(|known| format!("{} {}", settings.generation(), known.id));
    let place = app.rate_limiter.place(given.address);
    // Directories do not tell upper from lower case: such names are one to those who guess.
    let counted = known.as_ref().map_or_else(|| name.to_lowercase(), |known| known.username.clone());
    if let (true, Some(known), Some(what)) = (remembers, &known, &what)
        && known.is_active
        && app.directories.verified.contains(&place, given.username, given.password, what)
    {
        return match locked(app, settings, &counted) {
            Some(failure) => Err(failure),
            None => Ok(Some((known.id, None))),
        };
    }
    let candidate =
        AttemptSubject { username: &counted, user: known.as_ref().map(|known| known.id), address: given.address };
    let attempt = wait(app, settings, candidate).await?;
    let began = attempt.began();
    let may_ask = is_username(name) && known.as_ref().is_none_or(|known| known.is_active && !known.dn.is_empty());
    let user = match may_ask {
        true => sign_in(app, settings, known.as_ref(), name, given.password).await?,
        false => {
            pretend(app, settings, name).await;
            None
        }
    };
    let Some(user) = user else {
        attempt.failed();
        sleep_until(began + REFUSAL).await;
        return Ok(None);
    };
    let what = format!("{} {user}", settings.generation());
    app.directories.verified.insert(&place, given.username, given.password, &what);
    Ok(Some((user, Some(attempt))))
}

/// Makes a refusal of a local user take as long as that of somebody whom directories were asked about.
pub(crate) async fn refuse_alike(app: &App, settings: &Settings, username: &str, began: Instant) {
    pretend(app, settings, username.trim()).await;
    sleep_until(began + REFUSAL).await;
}

/// The user of this name; if there is none, the one of the name in lower case, in which directories' users are made.
async fn known(app: &App, name: &str) -> Result<Option<Known>, DatabaseError> {
    let lower = name.to_lowercase();
    let query = Query::select()
        .exprs(["id", "ldap_dn", "is_active", "username"].map(|name| column("users", name)))
        .from(Alias::new("users"))
        .and_where(column("users", "username").is_in([name, lower.as_str()]))
        .to_owned();
    let rows = app.engine.database.read(&query, &[Type::Integer, Type::Text, Type::Boolean, Type::Text]).await?;
    let row: Option<&Row> = rows.iter().find(|row| row.text(3) == Some(name)).or(rows.first());
    Ok(row.and_then(|row| {
        let (id, is_active) = (row.integer(0)?, row.boolean(2));
        Some(Known { id, username: row.text(3)?.to_owned(), dn: row.text(1)?.to_owned(), is_active })
    }))
}

/// The id of the user to whom a directory says that this name and password belong.
async fn sign_in(
    app: &App,
    settings: &Settings,
    known: Option<&Known>,
    username: &str,
    password: &str,
) -> Result<Option<i64>, Error> {
    let directories = app.directories.of(app, settings);
    let new_name = username.to_lowercase();
    for directory in directories.iter() {
        let person = match directory.sign_in(username, password).await {
            Ok(person) => person,
            Err(refusal @ SignInError::Unavailable(_)) => {
                tracing::warn!(directory = directory.prefix, %refusal, "a directory could not be asked who signs in");
                continue;
            }
            Err(refusal) => {
                // Names that belong to nobody are not told: people type passwords where names belong.
                let is_somebody = known.is_some() || matches!(refusal, SignInError::ExcludedByGroup(_));
                let username = if is_somebody { username } else { "" };
                tracing::info!(directory = directory.prefix, username, %refusal, "a directory let nobody in");
                continue;
            }
        };
        let account = match known {
            Some(known) if is_same(&directories, known, &person).await => Account::Known(known.id),
            Some(_) => continue,
            None => Account::New(&new_name),
        };
        let (operator, is_new) = (settings.system_actor(), matches!(account, Account::New(_)));
        let mut stored = store(&app.engine, &operator, account, &person).await;
        if is_new && stored.is_err() {
            // Another request of theirs may have made the user meanwhile.
            settle(&app.engine).await?;
            stored = match self::known(app, &new_name).await? {
                Some(made) if normalize_dn(&made.dn) == normalize_dn(&person.dn) => {
                    store(&app.engine, &operator, Account::Known(made.id), &person).await
                }
                _ => stored,
            };
        }
        match stored {
            Ok(id) => {
                tracing::info!(directory = directory.prefix, username, user = id, is_new, "signed in by a directory");
                return Ok(Some(id));
            }
            Err(Error::Invalid(problems)) => {
                let dn = person.dn;
                tracing::warn!(username, dn, ?problems, "a directory lets somebody in who cannot be a user here");
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(None)
}

/// Whether the user whom we know by this name is the one that a directory has let in.
///
/// Names can be given to others: whoever may choose the attribute that is searched for, or owns the name in a second
/// directory, must not get the account of somebody else. So an account follows to another entry only when no directory
/// has the old one any more, as after a move.
async fn is_same(directories: &[Directory], known: &Known, person: &LdapUser) -> bool {
    let username = known.username.as_str();
    if known.dn.is_empty() {
        return false;
    }
    if normalize_dn(&known.dn) == normalize_dn(&person.dn) {
        return true;
    }
    for directory in directories {
        match directory.is_entry_of_user(&known.dn, username).await {
            Ok(false) => {}
            Ok(true) => {
                tracing::warn!(
                    username,
                    was = known.dn,
                    is = person.dn,
                    "this name belongs to another entry, which still exists"
                );
                return false;
            }
            Err(refusal) => {
                tracing::warn!(username, %refusal, "could not find out whether a user has moved in the directory");
                return false;
            }
        }
    }
    tracing::info!(username, from = known.dn, to = person.dn, "a user has moved in the directory");
    true
}

/// Looks for somebody as [`sign_in`] does, for nothing but the time that it takes.
async fn pretend(app: &App, settings: &Settings, username: &str) {
    // A name that cannot be one would not get as far.
    let username = if is_username(username) { username } else { "nobody" };
    for directory in app.directories.of(app, settings).iter() {
        directory.simulate_sign_in(username).await;
    }
}
