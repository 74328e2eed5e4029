//! Key rotation: all secrets are encrypted again under a new key.
//!
//! 1. A key file of the next generation is created.
//! 2. The database records it as the current key. That waits for the transactions
//!    that encrypt under the old one, so that no secret under the old key can
//!    appear afterwards.
//! 3. All other secrets are encrypted again, in batches of one transaction each.
//! 4. Once no secret uses it, the old key is removed.
//!
//! If it is interrupted, both keys exist and all secrets can be read; the next
//! rotation continues. Servers keep running meanwhile.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::ErrorKind;
use std::sync::Arc;

use hostler_database::{Database, Error};
use hostler_identity::key::make_file;
use sea_query::{Alias, Expr, ExprTrait, LockType, Query};

use crate::cipher::Cipher;
use crate::secret_column::{Reencrypted, SecretColumn, SecretRow};
use crate::vault::{TABLE, Vault};
use crate::{VaultError, key_files};

/// Rows per transaction.
const BATCH: u64 = 50;
/// Attempts at a batch that conflicts with other writers.
const ATTEMPTS: u32 = 10;
/// The file in the folder of the keys whose lock a rotation takes.
const LOCK: &str = "rotation.lock";

/// Progress of a rotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// An interrupted rotation continues; no further key is created.
    Resumed,
    /// This is the current key from now on.
    Current {
        /// Its id.
        key: String,
        /// Its generation.
        generation: u64,
    },
    /// The number of secrets encrypted again so far.
    Encrypted(u64),
    /// This secret could not be decrypted, and was left unchanged.
    Undecryptable {
        /// Its context, table and row.
        location: String,
    },
    /// No secret uses this key any more, and its file was removed.
    Retired {
        /// Its id.
        key: String,
        /// Its generation.
        generation: u64,
    },
}

/// Why keys could not be rotated. The next rotation continues where this one failed.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// Another process rotates the keys.
    #[error("the keys are being rotated by another process: wait for it to end")]
    Busy,
    /// Some secrets cannot be decrypted.
    #[error(
        "{0} secrets cannot be decrypted by the key that encrypted them, so this key stays: set these secrets again (they \
         are listed above), then run this again"
    )]
    Undecryptable(u64),
    /// The folder, a key or the database.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl From<Error> for RotationError {
    fn from(error: Error) -> Self {
        RotationError::Vault(error.into())
    }
}

/// How many secrets a key has encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyUse {
    /// Its id.
    pub key: String,
    /// Its generation; `None` if it is not in the folder.
    pub generation: Option<u64>,
    /// Whether it is the current key.
    pub current: bool,
    /// How many secrets it has encrypted.
    pub texts: u64,
}

impl Vault {
    /// Encrypts everything in these columns under a new key and removes the old one,
    /// or continues an interrupted rotation.
    ///
    /// # Errors
    /// [`RotationError`].
    pub async fn rotate(
        &self,
        database: &Database,
        columns: &[SecretColumn],
        report: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<(), RotationError> {
        let _lock = self.lock()?;
        let current = self.turn(database, report).await?;
        let mut undecryptable = 0;
        for (generation, old) in key_files::read(self.folder())? {
            if old.id() == current.id() {
                continue;
            }
            let mut encrypted = 0;
            let mut left = 0;
            for column in columns {
                left += self.sweep(database, column, &old, &mut encrypted, report).await?;
            }
            if left == 0 {
                key_files::remove(self.folder(), generation)?;
                report(Progress::Retired { key: old.id().to_owned(), generation });
            }
            undecryptable += left;
        }
        if undecryptable == 0 { Ok(()) } else { Err(RotationError::Undecryptable(undecryptable)) }
    }

    /// How many secrets in these columns each key has encrypted: keys in the folder
    /// by generation, then missing ones.
    ///
    /// # Errors
    /// Errors of the folder and the database.
    pub async fn key_uses(&self, database: &Database, columns: &[SecretColumn]) -> Result<Vec<KeyUse>, VaultError> {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for column in columns {
            let mut after = 0;
            loop {
                let rows = database.read(&column.rows(after, None, 10 * BATCH), &SecretColumn::TYPES).await?;
                let Some(last) = rows.last().and_then(|row| row.integer(0)) else { break };
                after = last;
                for key in rows.iter().flat_map(|row| column.keys(&SecretRow::decode(row))) {
                    *counts.entry(key).or_default() += 1;
                }
            }
        }
        let current = Self::current(database).await?;
        let use_of = |key: String, generation, texts| {
            let current = current.as_deref() == Some(key.as_str());
            KeyUse { key, generation, current, texts }
        };
        let known = key_files::read(self.folder())?;
        let mut uses: Vec<KeyUse> = known
            .into_iter()
            .map(|(generation, cipher)| {
                let texts = counts.remove(cipher.id()).unwrap_or_default();
                use_of(cipher.id().to_owned(), Some(generation), texts)
            })
            .collect();
        uses.extend(counts.into_iter().map(|(key, texts)| use_of(key, None, texts)));
        Ok(uses)
    }

    /// Prevents rotations by other processes until the file is closed.
    fn lock(&self) -> Result<File, RotationError> {
        let path = self.folder().join(LOCK);
        let problem = |source| VaultError::Io { doing: "lock", path: path.clone(), source };
        make_file(&path).map_err(problem)?;
        let file = File::options().write(true).open(&path).map_err(problem)?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(std::fs::TryLockError::WouldBlock) => Err(RotationError::Busy),
            Err(std::fs::TryLockError::Error(source)) if source.kind() == ErrorKind::Unsupported => Ok(file),
            Err(std::fs::TryLockError::Error(source)) => Err(problem(source).into()),
        }
    }

    /// Makes the newest key in the folder the current one: a new key, unless
    /// an earlier rotation was interrupted.
    async fn turn(
        &self,
        database: &Database,
        report: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Arc<Cipher>, RotationError> {
        let mut known = key_files::read(self.folder())?;
        match known.last() {
            Some(_) if known.len() > 1 => report(Progress::Resumed),
            Some((newest, _)) => known.push(key_files::create(self.folder(), newest + 1)?),
            // Opening the vault has found the current key in the folder.
            None => return Err(VaultError::Malformed.into()),
        }
        let Some((generation, newest)) = known.pop() else { return Err(VaultError::Malformed.into()) };
        if Self::current(database).await?.as_deref() != Some(newest.id()) {
            let update =
                Query::update().table(Alias::new(TABLE)).value(Alias::new("current_key"), newest.id()).to_owned();
            let mut tx = database.begin().await?;
            tx.execute_inline(&update).await?;
            tx.commit().await?;
        }
        report(Progress::Current { key: newest.id().to_owned(), generation });
        Ok(self.find(newest.id())?)
    }

    /// Encrypts again what `old` has encrypted in a column; answers how many secrets could not be decrypted.
    async fn sweep(
        &self,
        database: &Database,
        column: &SecretColumn,
        old: &Cipher,
        encrypted: &mut u64,
        report: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<u64, RotationError> {
        let (mut after, mut undecryptable) = (0, 0);
        loop {
            let mut attempts = ATTEMPTS;
            let batch = loop {
                attempts -= 1;
                match self.batch(database, column, old, after).await {
                    Err(VaultError::Database(Error::Contended)) if attempts > 0 => {}
                    outcome => break outcome?,
                }
            };
            let Some((last, outcomes)) = batch else { return Ok(undecryptable) };
            after = last;
            for outcome in outcomes {
                *encrypted += outcome.encrypted;
                undecryptable += outcome.undecryptable.len() as u64;
                outcome.undecryptable.into_iter().for_each(|location| report(Progress::Undecryptable { location }));
            }
            report(Progress::Encrypted(*encrypted));
        }
    }

    /// One transaction: the next rows, and the id of the last of them; `None` if there are no more.
    async fn batch(
        &self,
        database: &Database,
        column: &SecretColumn,
        old: &Cipher,
        after: i64,
    ) -> Result<Option<(i64, Vec<Reencrypted>)>, VaultError> {
        let mut tx = database.begin().await?;
        // Waits for concurrent writers of these rows, which may have encrypted under the old key.
        let mut query = column.rows(after, Some(old.id()), BATCH);
        query.lock(LockType::NoKeyUpdate);
        let rows = tx.read(&query, &SecretColumn::TYPES).await?;
        let Some(last) = rows.last().and_then(|row| row.integer(0)) else { return Ok(None) };
        let encryptor = self.encryptor(&mut tx).await?;
        let mut outcomes = vec![];
        for row in &rows {
            let row = SecretRow::decode(row);
            let mut outcome = column.reencrypt(&row, old.id(), &|context, text| {
                old.decrypt(context, text).ok().map(|plain| encryptor.encrypt(context, &plain))
            });
            if let Some(text) = outcome.text.take() {
                // Neither version nor time of change: the secret is the same.
                let update = Query::update()
                    .table(Alias::new(column.stored_in))
                    .value(Alias::new(column.column), text)
                    .and_where(Expr::col(Alias::new("id")).eq(row.id))
                    .to_owned();
                tx.execute_inline(&update).await?;
            }
            outcomes.push(outcome);
        }
        tx.commit().await?;
        Ok(Some((last, outcomes)))
    }
}
