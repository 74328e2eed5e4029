use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use hostler_database::{Database, Transaction, Type};
use sea_query::{Alias, LockType, OnConflict, Query, SelectStatement};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::cipher::{Cipher, key_id};
use crate::{SecretContext, VaultError, key_files};

/// The table with the id of the current key.
pub(crate) const TABLE: &str = "vault";

/// Encrypts and decrypts secrets with the keys of the installation.
pub struct Vault {
    folder: PathBuf,
    /// By id. A key stays in memory until the process ends, so that a request that
    /// runs while a key is removed can still decrypt what it has loaded.
    keys: RwLock<BTreeMap<String, Arc<Cipher>>>,
}

/// Encrypts for one transaction, which must be the one that stores the secrets.
pub struct Encryptor(Arc<Cipher>);

impl Vault {
    /// Opens the vault whose keys are in `folder`. On a new installation it creates the first key.
    ///
    /// # Errors
    /// [`VaultError::MissingKey`] if the current key of the database is not
    /// in the folder: with another one the secrets would stay unreadable.
    /// Otherwise errors of the folder and the database.
    pub async fn open(folder: &Path, database: &Database) -> Result<Vault, VaultError> {
        let vault = Vault { folder: folder.to_owned(), keys: RwLock::default() };
        vault.reload()?;
        let current = match Self::current(database).await? {
            Some(id) => id,
            None => vault.begin(database).await?,
        };
        vault.find(&current)?;
        Ok(vault)
    }

    /// Creates the first key, and records it in the database. If several servers do
    /// so at once, the first one's key is the current key of all.
    async fn begin(&self, database: &Database) -> Result<String, VaultError> {
        let (_, newest) = match key_files::read(&self.folder)?.pop() {
            Some(newest) => newest,
            None => key_files::create(&self.folder, 1)?,
        };
        let insert = Query::insert()
            .into_table(Alias::new(TABLE))
            .columns(["id", "current_key"].map(Alias::new))
            .values_panic([1i64.into(), newest.id().into()])
            .on_conflict(OnConflict::column(Alias::new("id")).do_nothing().to_owned())
            .to_owned();
        let mut tx = database.begin().await?;
        tx.execute(&insert).await?;
        let current = current_key(&tx.read(&current_query(), &[Type::Text]).await?);
        tx.commit().await?;
        current.ok_or(VaultError::Malformed)
    }

    /// The folder of the keys.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The id of the current key, if there is one yet.
    pub(crate) async fn current(database: &Database) -> Result<Option<String>, VaultError> {
        Ok(current_key(&database.read(&current_query(), &[Type::Text]).await?))
    }

    /// Checks that the current key is in the folder.
    ///
    /// # Errors
    /// [`VaultError::MissingKey`], and errors of the database.
    pub async fn check(&self, database: &Database) -> Result<(), VaultError> {
        let current = Self::current(database).await?;
        self.find(&current.ok_or(VaultError::Malformed)?).map(drop)
    }

    /// Encrypts in this transaction. A rotation of keys waits until the transaction ends.
    ///
    /// # Errors
    /// [`VaultError::MissingKey`], and errors of the database.
    pub async fn encryptor(&self, tx: &mut Transaction) -> Result<Encryptor, VaultError> {
        let mut query = current_query();
        query.lock(LockType::Share);
        let current = current_key(&tx.read(&query, &[Type::Text]).await?).ok_or(VaultError::Malformed)?;
        Ok(Encryptor(self.find(&current)?))
    }

    /// Encrypts one secret, which the same transaction must store.
    ///
    /// # Errors
    /// As [`Vault::encryptor`].
    pub async fn encrypt(
        &self,
        tx: &mut Transaction,
        context: &SecretContext<'_>,
        plain: &str,
    ) -> Result<String, VaultError> {
        Ok(self.encryptor(tx).await?.encrypt(context, plain))
    }

    /// Decrypts a secret.
    ///
    /// # Errors
    /// [`VaultError::Malformed`], [`VaultError::DecryptionFailed`], [`VaultError::MissingKey`].
    pub fn decrypt(&self, context: &SecretContext<'_>, encrypted: &str) -> Result<Zeroizing<String>, VaultError> {
        let id = key_id(encrypted).ok_or(VaultError::Malformed)?;
        self.find(id)?.decrypt(context, encrypted)
    }

    /// The encrypted texts of a JSON object in plain text, by name. The field of each is that of the object, a dot and its name.
    ///
    /// # Errors
    /// The name of a text, and why it cannot be decrypted, as [`Vault::decrypt`].
    pub fn decrypt_members(
        &self,
        kind: &str,
        id: i64,
        field: &str,
        object: &Map<String, Value>,
    ) -> Result<BTreeMap<String, Zeroizing<String>>, (String, VaultError)> {
        let texts = object.iter().filter_map(|(name, value)| Some((name, value.as_str()?)));
        texts
            .filter(|(_, text)| key_id(text).is_some())
            .map(|(name, text)| {
                let field = format!("{field}.{name}");
                let plain = self.decrypt(&SecretContext::new(kind, id, &field), text);
                Ok((name.clone(), plain.map_err(|problem| (name.clone(), problem))?))
            })
            .collect()
    }

    /// The key of this id, from memory or from the folder.
    pub(crate) fn find(&self, id: &str) -> Result<Arc<Cipher>, VaultError> {
        if let Some(known) = self.known(id) {
            return Ok(known);
        }
        self.reload()?;
        self.known(id).ok_or_else(|| VaultError::MissingKey { id: id.to_owned(), folder: self.folder.clone() })
    }

    fn known(&self, id: &str) -> Option<Arc<Cipher>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    fn reload(&self) -> Result<(), VaultError> {
        let found = key_files::read(&self.folder)?;
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        for (_, cipher) in found {
            keys.entry(cipher.id().to_owned()).or_insert_with(|| Arc::new(cipher));
        }
        Ok(())
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Vault").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Encryptor {
    /// Encrypts one secret.
    pub fn encrypt(&self, context: &SecretContext<'_>, plain: &str) -> String {
        self.0.encrypt(context, plain)
    }
}

fn current_query() -> SelectStatement {
    Query::select().column("current_key").from(Alias::new(TABLE)).to_owned()
}

fn current_key(rows: &[hostler_database::Row]) -> Option<String> {
    rows.first().and_then(|row| row.text(0)).map(str::to_owned)
}
