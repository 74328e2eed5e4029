//! Settings as the database holds them, and what is remembered of them.

use std::sync::{Arc, PoisonError, RwLock};

use hostler_database::{Database, Error, Row, Transaction, Type};
use hostler_schema::column;
use sea_query::{Alias, Expr, OnConflict, Query, SelectStatement, Value};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::Settings;
use super::definitions::system::INSTALL_UUID;

/// The table with the one number that tells whether what is remembered is true.
pub(crate) const GENERATION_TABLE: &str = "settings_generation";

const TYPES: [Type; 3] = [Type::Integer, Type::Text, Type::Json];

/// All settings and their generation, of one moment.
fn query() -> SelectStatement {
    Query::select()
        .expr(column(GENERATION_TABLE, "generation"))
        .exprs(["name", "value"].map(|name| column("settings", name)))
        .from(Alias::new(GENERATION_TABLE))
        .left_join(Alias::new("settings"), Expr::Constant(Value::Bool(Some(true))))
        .to_owned()
}

fn settings(rows: &[Row]) -> Settings {
    let generation = rows.first().and_then(|row| row.integer(0)).unwrap_or_default();
    let pairs = rows.iter().filter_map(|row| Some((row.text(1)?.to_owned(), row.json(2)?.clone())));
    Settings::new(generation, pairs.collect::<Map<String, Json>>())
}

impl Settings {
    /// Reads the values in force.
    ///
    /// # Errors
    /// What the database says.
    pub async fn load(database: &Database) -> Result<Settings, Error> {
        Ok(settings(&database.read(&query(), &TYPES).await?))
    }

    /// Reads the values as this transaction sees them.
    pub(super) async fn load_in(tx: &mut Transaction) -> Result<Settings, Error> {
        Ok(settings(&tx.read(&query(), &TYPES).await?))
    }
}

/// Gives the installation its id, unless it has one.
///
/// # Errors
/// What the database says.
pub async fn ensure_install_uuid(database: &Database) -> Result<(), Error> {
    if Settings::load(database).await?.stored.contains_key(INSTALL_UUID.name) {
        return Ok(());
    }
    let insert = Query::insert()
        .into_table(Alias::new("settings"))
        .columns(["name", "value"].map(Alias::new))
        .values_panic([INSTALL_UUID.name.into(), Json::from(Uuid::new_v4().to_string()).to_string().into()])
        // Another server may be starting as well.
        .on_conflict(OnConflict::column(Alias::new("name")).do_nothing().to_owned())
        .to_owned();
    let mut tx = database.begin().await?;
    tx.execute(&insert).await?;
    tx.commit().await
}

/// The settings as last read.
#[derive(Default)]
pub(crate) struct SettingsCache(RwLock<Arc<Settings>>);

impl SettingsCache {
    /// The settings of this generation, which the caller has just read from the database.
    pub(crate) async fn of_generation(&self, generation: i64, database: &Database) -> Result<Arc<Settings>, Error> {
        let remembered = self.last();
        if remembered.generation == generation { Ok(remembered) } else { self.now(database).await }
    }

    /// The settings as they are now, at the price of a statement.
    pub(crate) async fn now(&self, database: &Database) -> Result<Arc<Settings>, Error> {
        let settings = Arc::new(Settings::load(database).await?);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&settings);
        Ok(settings)
    }

    /// The settings as last read, for where the database does not answer. The defaults if they never were.
    pub(crate) fn last(&self) -> Arc<Settings> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}
