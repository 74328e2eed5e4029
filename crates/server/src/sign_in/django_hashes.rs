//! In which forms this installation holds passwords beside our own.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hostler_database::{Database, Error, Type};
use hostler_identity::password::DjangoHashCost;
use hostler_schema::column;
use sea_query::{Alias, ExprTrait, Query};

/// How long an answer is good. Such hashes come with a migration from AWX, and go one by one as people log in.
const MEMORY: Duration = Duration::from_secs(300);
/// So many tell what they cost: an installation made all of them with the same settings, or nearly so.
const SAMPLE: u64 = 100;

/// What it costs to verify passwords in other forms than ours, as last looked up.
#[derive(Default)]
pub(crate) struct DjangoHashes(Mutex<Option<(DjangoHashCost, Instant)>>);

impl DjangoHashes {
    /// The cost, which takes this stored password into account.
    pub(super) async fn cost(&self, database: &Database, stored: &str) -> Result<DjangoHashCost, Error> {
        let remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (mut cost, looked_up) = match remembered {
            Some((cost, at)) if at.elapsed() < MEMORY => (cost, at),
            _ => (look_up(database).await?, Instant::now()),
        };
        cost.include(stored);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((cost.clone(), looked_up));
        Ok(cost)
    }
}

async fn look_up(database: &Database) -> Result<DjangoHashCost, Error> {
    let password = || column("users", "password");
    let query = Query::select()
        .expr(password())
        .from(Alias::new("users"))
        .and_where(password().like("pbkdf2%").or(password().like("argon2%")))
        .limit(SAMPLE)
        .to_owned();
    let mut cost = DjangoHashCost::default();
    for row in database.read(&query, &[Type::Text]).await? {
        cost.include(row.text(0).unwrap_or_default());
    }
    Ok(cost)
}
