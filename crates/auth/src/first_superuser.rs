//! The first superuser.

use hostler_database::{Database, Error as DatabaseError, Type};
use hostler_engine::{Engine, Error, set_system_role};
use hostler_identity::common_passwords::is_common;
use hostler_identity::password::{HashError, passwords};
use hostler_identity::username::normalize_username;
use hostler_schema::{Singleton, column};
use sea_query::{Alias, Query};
use tokio::task::JoinHandle;

/// The result of [`create_first_superuser`].
#[derive(Debug, PartialEq, Eq)]
pub enum FirstUser {
    /// The database already has users.
    Exists,
    /// The superuser was created.
    Created,
}

/// Why the first superuser could not be created.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// The database failed.
    #[error("the first user could not be created: {0}")]
    Database(#[from] DatabaseError),
    /// The password could not be hashed.
    #[error("the first user's password could not be hashed: {0}")]
    Hash(#[from] HashError),
    /// Any other error.
    #[error("the first user could not be created: {0}")]
    Other(String),
}

/// A shorter password is weak (NIST SP 800-63B, section 3.1.1.2).
const MIN_STRONG_LENGTH: usize = 8;

/// Whether the database has any user.
async fn has_users(database: &Database) -> Result<bool, DatabaseError> {
    let query = Query::select().expr(column("users", "id")).from(Alias::new("users")).limit(1).to_owned();
    Ok(!database.read(&query, &[Type::Integer]).await?.is_empty())
}

/// The password for the first superuser, if there is none yet.
pub struct FirstPassword {
    plain: String,
    hashed: Option<JoinHandle<Result<String, HashError>>>,
}

impl FirstPassword {
    /// A password that is hashed when it is needed, or right now in the background: creating a new database takes as
    /// long.
    pub fn new(plain: String, hash_now: bool) -> Self {
        let hashed = hash_now.then(|| tokio::spawn(passwords().hash(plain.clone())));
        FirstPassword { plain, hashed }
    }

    async fn hash(self) -> Result<String, BootstrapError> {
        Ok(match self.hashed {
            Some(hashed) => hashed.await.map_err(|_| BootstrapError::Other("interrupted".into()))??,
            None => passwords().hash(self.plain).await?,
        })
    }
}

/// Creates a superuser in a database without users.
///
/// # Errors
/// [`BootstrapError`]. A user created by another server at the same moment counts as existing.
pub async fn create_first_superuser(
    engine: &Engine,
    username: &str,
    password: FirstPassword,
) -> Result<FirstUser, BootstrapError> {
    if has_users(&engine.database).await? {
        return Ok(FirstUser::Exists);
    }
    if is_common(&password.plain) || password.plain.chars().count() < MIN_STRONG_LENGTH {
        // Accepted all the same: the administrator decides.
        tracing::warn!(user = username, "the password of the first superuser is easily guessed: change it soon");
    }
    let hash = password.hash().await?;
    let username = &*normalize_username(username);
    let mut tx = engine.database.begin().await?;
    let insert = Query::insert()
        .into_table(Alias::new("users"))
        .columns(["ansible_id", "created", "username", "email", "is_superuser", "password"].map(Alias::new))
        .values_panic([
            uuid::Uuid::new_v4().to_string().into(),
            engine.clock.now().into(),
            username.into(),
            format!("{username}@localhost").into(),
            true.into(),
            hash.into(),
        ])
        .to_owned();
    let id = match tx.insert(&insert).await {
        Err(DatabaseError::Unique(_)) => return Ok(FirstUser::Exists),
        other => other?,
    };
    let granted = set_system_role(engine, &mut tx, Some(id), Singleton::Administrator, id, true).await;
    granted.map_err(|failure: Error| BootstrapError::Other(format!("{failure:?}")))?;
    tx.commit().await?;
    Ok(FirstUser::Created)
}
