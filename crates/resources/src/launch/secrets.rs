//! Secrets of a job: answers to questions for passwords, and passwords that credentials ask for. They are encrypted and bound
//! to the job.

use hostler_database::Transaction;
use hostler_engine::{Engine, Error};
use hostler_schema::column;
use sea_query::{Alias, ExprTrait, Query};
use serde_json::{Map, Value as Json};

use crate::JOB;
use crate::encrypted_inputs::encrypted;
use crate::jobs::{CREDENTIAL_PASSWORDS, SURVEY_PASSWORDS};

/// The secrets of a job in plain text. Never logged.
#[derive(Default)]
pub struct JobSecrets {
    /// The answers, by variable.
    pub answers: Map<String, Json>,
    /// The passwords, by name.
    pub passwords: Map<String, Json>,
}

impl JobSecrets {
    /// Stores the secrets of this job.
    ///
    /// # Errors
    /// Vault and database errors.
    pub async fn store(self, engine: &Engine, tx: &mut Transaction, job: i64) -> Result<(), Error> {
        if self.answers.is_empty() && self.passwords.is_empty() {
            return Ok(());
        }
        let mut update = Query::update();
        update.table(Alias::new(JOB.stored_in())).and_where(column(JOB.stored_in(), "id").eq(job));
        for (field, plain) in [(&SURVEY_PASSWORDS, self.answers), (&CREDENTIAL_PASSWORDS, self.passwords)] {
            let secrets = encrypted(engine, tx, (&JOB, job), field, plain).await?;
            update.value(Alias::new(field.column), Json::Object(secrets).to_string());
        }
        tx.execute_deferred(&update).await?;
        Ok(())
    }
}

/// The sent passwords among the needed ones: the texts of an object. As in AWX, anything else is no password.
pub fn sent_passwords(sent: Option<&Json>, needed: &[String]) -> Map<String, Json> {
    let given = |name: &String| {
        let text = sent?.get(name.as_str())?.as_str()?;
        (!text.is_empty()).then(|| (name.clone(), text.into()))
    };
    needed.iter().filter_map(given).collect()
}
