//! The cost of the password hashes in Django's formats that this installation stores.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hostler_database::{Database, Error, Type};
use hostler_identity::password::DjangoHashCost;
use hostler_schema::column;
use sea_query::{Alias, ExprTrait, Query};

/// How long the cost is cached. Such hashes come from AWX, and are replaced one by one as users log in.
const CACHE_TTL: Duration = Duration::from_secs(300);
/// How many hashes are read: an installation made all of them with nearly the same settings.
const SAMPLE: u64 = 100;

/// A cache of the cost.
#[derive(Default)]
pub(crate) struct DjangoHashes(Mutex<Option<(DjangoHashCost, Instant)>>);

impl DjangoHashes {
    /// The cost, with this stored hash taken into account.
    pub(super) async fn cost(&self, database: &Database, hash: &str) -> Result<DjangoHashCost, Error> {
        let cached = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (mut cost, read_at) = match cached {
            Some((cost, at)) if at.elapsed() < CACHE_TTL => (cost, at),
            _ => (read(database).await?, Instant::now()),
        };
        cost.include(hash);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((cost.clone(), read_at));
        Ok(cost)
    }
}

async fn read(database: &Database) -> Result<DjangoHashCost, Error> {
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
