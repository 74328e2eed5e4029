//! Secrets of a job: answers to questions for passwords, and passwords that credentials ask for. They are encrypted and bound
//! to the job.

use std::collections::BTreeMap;

use hostler_database::Transaction;
use hostler_engine::{Engine, Error};
use hostler_schema::{Field, column};
use hostler_vault::{SecretContext, is_encrypted};
use sea_query::{Alias, ExprTrait, Query};
use serde_json::{Map, Value as Json};

use crate::JOB;
use crate::jobs::{CREDENTIAL_PASSWORDS, SURVEY_PASSWORDS};

/// The secrets of a job in plain text. Never logged.
#[derive(Default)]
pub struct JobSecrets {
    /// The answers, by variable.
    pub answers: BTreeMap<String, String>,
    /// The passwords, by name.
    pub passwords: BTreeMap<String, String>,
}

impl JobSecrets {
    /// Stores the secrets of this job.
    ///
    /// # Errors
    /// Vault and database errors.
    pub async fn store(&self, engine: &Engine, tx: &mut Transaction, job: i64) -> Result<(), Error> {
        if self.answers.is_empty() && self.passwords.is_empty() {
            return Ok(());
        }
        let encryptor = engine.vault.encryptor(tx).await?;
        let encrypt = |field: &Field, secrets: &BTreeMap<String, String>| -> String {
            let encrypted: Map<String, Json> = secrets
                .iter()
                .map(|(name, plain)| {
                    let key = key(field, name);
                    (name.clone(), encryptor.encrypt(&SecretContext::new(JOB.name, job, &key), plain).into())
                })
                .collect();
            Json::Object(encrypted).to_string()
        };
        let update = Query::update()
            .table(Alias::new(JOB.stored_in()))
            .value(Alias::new(SURVEY_PASSWORDS.column), encrypt(&SURVEY_PASSWORDS, &self.answers))
            .value(Alias::new(CREDENTIAL_PASSWORDS.column), encrypt(&CREDENTIAL_PASSWORDS, &self.passwords))
            .and_where(column(JOB.stored_in(), "id").eq(job))
            .to_owned();
        tx.execute_deferred(&update).await?;
        Ok(())
    }
}

fn key(field: &Field, name: &str) -> String {
    format!("{}.{name}", field.name)
}

/// The stored answers of a job in plain text, by variable.
///
/// # Errors
/// Vault errors.
pub fn decrypted(engine: &Engine, job: i64, field: &Field, stored: &Json) -> Result<BTreeMap<String, String>, Error> {
    let mut plain = BTreeMap::new();
    for (name, secret) in stored.as_object().into_iter().flatten() {
        if let Some(text) = secret.as_str().filter(|text| is_encrypted(text)) {
            let key = key(field, name);
            let context = SecretContext::new(JOB.name, job, &key);
            plain.insert(name.clone(), engine.vault.decrypt(&context, text)?.to_string());
        }
    }
    Ok(plain)
}

/// The sent passwords: the texts of an object. As in AWX, anything else is no password.
pub fn sent_passwords(sent: Option<&Json>, needed: &[String]) -> BTreeMap<String, String> {
    let given = |name: &String| {
        let text = sent?.get(name.as_str())?.as_str()?;
        (!text.is_empty()).then(|| (name.clone(), text.to_owned()))
    };
    needed.iter().filter_map(given).collect()
}
