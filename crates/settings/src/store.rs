//! Reading stored settings, and the cache of the values in force.

use std::sync::{Arc, PoisonError, RwLock};

use hostler_database::{Database, Error, Row, Transaction, Type};
use hostler_schema::column;
use sea_query::{Alias, Expr, OnConflict, Query, SelectStatement, Value};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use crate::definitions::system::INSTALL_UUID;
use crate::values::Settings;

/// The table with the generation, a number that the database raises with each change of a setting.
pub const GENERATION_TABLE: &str = "settings_generation";

const TYPES: [Type; 3] = [Type::Integer, Type::Text, Type::Json];

/// All settings and their generation, in one statement.
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
    /// If the database fails.
    pub async fn load(database: &Database) -> Result<Settings, Error> {
        Ok(settings(&database.read(&query(), &TYPES).await?))
    }

    /// Reads the values within a transaction.
    pub(crate) async fn load_in(tx: &mut Transaction) -> Result<Settings, Error> {
        Ok(settings(&tx.read(&query(), &TYPES).await?))
    }
}

/// Stores a random id of this installation, unless it has one.
///
/// # Errors
/// If the database fails.
pub async fn ensure_install_uuid(database: &Database) -> Result<(), Error> {
    if Settings::load(database).await?.stored.contains_key(INSTALL_UUID.name) {
        return Ok(());
    }
    let insert = Query::insert()
        .into_table(Alias::new("settings"))
        .columns(["name", "value"].map(Alias::new))
        .values_panic([INSTALL_UUID.name.into(), Json::from(Uuid::new_v4().to_string()).to_string().into()])
        // Another server may be starting at the same time.
        .on_conflict(OnConflict::column(Alias::new("name")).do_nothing().to_owned())
        .to_owned();
    let mut tx = database.begin().await?;
    tx.execute(&insert).await?;
    tx.commit().await
}

/// The settings as last read; valid while the generation is the same.
#[derive(Default)]
pub struct SettingsCache(RwLock<Arc<Settings>>);

impl SettingsCache {
    /// The settings of this generation, which the caller has just read from the database. Costs a statement only if
    /// the generation changed.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn at_generation(&self, generation: i64, database: &Database) -> Result<Arc<Settings>, Error> {
        let cached = self.cached();
        if cached.generation == generation { Ok(cached) } else { self.reload(database).await }
    }

    /// Reads the settings, with one statement.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn reload(&self, database: &Database) -> Result<Arc<Settings>, Error> {
        let settings = Arc::new(Settings::load(database).await?);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&settings);
        Ok(settings)
    }

    /// The settings as last read, for when the database does not respond; the defaults if they were never read.
    pub fn cached(&self) -> Arc<Settings> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}
