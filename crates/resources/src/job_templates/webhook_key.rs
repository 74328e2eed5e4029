//! The secret of webhooks.

use async_trait::async_trait;
use hostler_database::Transaction;
use hostler_engine::{ActionHandler, ActionRequest, ActionResponse, Engine, Error};
use hostler_schema::{Field, HttpMethod, column, fields};
use hostler_vault::SecretContext;
use sea_query::{Alias, ExprTrait, Query};
use serde_json::json;

use super::{JOB_TEMPLATE, WEBHOOK_KEY as COLUMN, WEBHOOK_SERVICE};

/// The parts of the response.
pub const PARTS: &[Field] =
    &[fields::computed("webhook_key").label("Webhook key").help("The key; empty if there is none.")];

fn context(id: i64) -> SecretContext<'static> {
    SecretContext::new(JOB_TEMPLATE.name, id, COLUMN.name)
}

/// Stores a new key, or none, and returns it.
///
/// # Errors
/// Vault and database errors.
pub async fn replace(engine: &Engine, tx: &mut Transaction, id: i64, exists: bool) -> Result<String, Error> {
    let key = if exists { random_key() } else { String::new() };
    let stored = if exists { engine.vault.encrypt(tx, &context(id), &key).await? } else { String::new() };
    let update = Query::update()
        .table(Alias::new(JOB_TEMPLATE.stored_in()))
        .value(Alias::new(COLUMN.column), stored)
        .and_where(column(JOB_TEMPLATE.stored_in(), "id").eq(id))
        .to_owned();
    tx.execute_inline(&update).await?;
    Ok(key)
}

/// The key of a template; empty if there is none.
///
/// # Errors
/// Vault and database errors.
pub async fn read(engine: &Engine, id: i64) -> Result<String, Error> {
    let query = Query::select()
        .expr(column(JOB_TEMPLATE.table, COLUMN.column))
        .from(Alias::new(JOB_TEMPLATE.table))
        .and_where(column(JOB_TEMPLATE.table, "id").eq(id))
        .to_owned();
    match engine.database.read_first::<String>(&query).await?.as_deref() {
        None => Err(Error::NotFound(Some(JOB_TEMPLATE.label))),
        Some("") => Ok(String::new()),
        Some(stored) => Ok(engine.vault.decrypt(&context(id), stored)?.to_string()),
    }
}

/// 50 characters, as the keys of AWX.
fn random_key() -> String {
    let digits = || uuid::Uuid::new_v4().simple().to_string();
    let mut key = digits() + &digits();
    key.truncate(50);
    key
}

/// Shows and replaces the key.
pub struct WebhookKey;

#[async_trait]
impl ActionHandler for WebhookKey {
    async fn act(&self, engine: &Engine, request: ActionRequest<'_>) -> Result<ActionResponse, Error> {
        if request.method == HttpMethod::Get {
            return Ok(ActionResponse::Fields(json!({"webhook_key": read(engine, request.id).await?})));
        }
        let template = engine.stored_record(&JOB_TEMPLATE, request.id).await?;
        let mut tx = engine.database.begin().await?;
        let key = replace(engine, &mut tx, request.id, !template.text(&WEBHOOK_SERVICE).is_empty()).await?;
        tx.commit().await?;
        Ok(ActionResponse::NewFields(json!({"webhook_key": key})))
    }
}
