//! Stores the managed types in the database.

use hostler_database::{Database, Error, Row, Transaction, Type};
use jiff::Timestamp;
use sea_query::{Alias, ExprTrait, Query, SelectStatement};

use super::{MANAGED_TYPES, ManagedType};

const TABLE: &str = "credential_types";
const COLUMNS: [&str; 7] = ["id", "name", "kind", "namespace", "inputs", "injectors", "managed"];
const READ_AS: [Type; 7] = [Type::Integer, Type::Text, Type::Text, Type::Text, Type::Json, Type::Json, Type::Boolean];

/// Creates missing managed types and updates those of an older version, which keep their
/// ids. Only reads if all are up to date.
///
/// As in AWX, a custom type with the name and kind of a managed type becomes that type.
///
/// # Errors
/// Database errors.
pub async fn sync(database: &Database, now: Timestamp) -> Result<(), Error> {
    let rows = database.read(&stored(), &READ_AS).await?;
    if MANAGED_TYPES.iter().all(|managed| find(&rows, managed).is_some_and(|row| is_current(row, managed))) {
        return Ok(());
    }
    let mut tx = database.begin().await?;
    // Several servers may start at the same time.
    tx.lock("managed credential types").await?;
    let rows = tx.read(&stored(), &READ_AS).await?;
    for managed in MANAGED_TYPES {
        match find(&rows, managed) {
            None => insert(&mut tx, managed, now).await?,
            Some(row) if !is_current(row, managed) => update(&mut tx, managed, row, now).await?,
            Some(_) => {}
        }
    }
    tx.commit().await
}

fn stored() -> SelectStatement {
    Query::select().columns(COLUMNS.map(Alias::new)).from(Alias::new(TABLE)).to_owned()
}

/// The row of a type, by its namespace or else by its name and kind.
fn find<'a>(rows: &'a [Row], managed: &ManagedType) -> Option<&'a Row> {
    let named = |row: &&Row| row.text(1) == Some(managed.name) && row.text(2) == Some(managed.kind);
    rows.iter().find(|row| row.text(3) == Some(managed.namespace)).or_else(|| rows.iter().find(named))
}

fn is_current(row: &Row, managed: &ManagedType) -> bool {
    row.text(1) == Some(managed.name)
        && row.text(2) == Some(managed.kind)
        && row.text(3) == Some(managed.namespace)
        && row.json(4) == Some(&managed.inputs())
        && row.json(5) == Some(&managed.injectors())
        && row.boolean(6)
}

async fn insert(tx: &mut Transaction, managed: &ManagedType, now: Timestamp) -> Result<(), Error> {
    let insert = Query::insert()
        .into_table(Alias::new(TABLE))
        .columns(["created", "modified", "name", "kind", "namespace", "managed", "inputs", "injectors"].map(Alias::new))
        .values_panic([
            now.into(),
            now.into(),
            managed.name.into(),
            managed.kind.into(),
            managed.namespace.into(),
            true.into(),
            managed.inputs().to_string().into(),
            managed.injectors().to_string().into(),
        ])
        .to_owned();
    tx.insert(&insert).await.map(drop)
}

async fn update(tx: &mut Transaction, managed: &ManagedType, row: &Row, now: Timestamp) -> Result<(), Error> {
    let id = row.integer(0).unwrap_or_default();
    let update = Query::update()
        .table(Alias::new(TABLE))
        .value(Alias::new("version"), sea_query::Expr::col(Alias::new("version")).add(1))
        .value(Alias::new("modified"), now)
        .value(Alias::new("name"), managed.name)
        .value(Alias::new("kind"), managed.kind)
        .value(Alias::new("namespace"), managed.namespace)
        .value(Alias::new("managed"), true)
        .value(Alias::new("inputs"), managed.inputs().to_string())
        .value(Alias::new("injectors"), managed.injectors().to_string())
        .and_where(sea_query::Expr::col(Alias::new("id")).eq(id))
        .to_owned();
    tx.execute_inline(&update).await.map(drop)
}
