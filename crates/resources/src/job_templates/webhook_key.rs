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
        let query = Query::select()
            .exprs([COLUMN.column, WEBHOOK_SERVICE.column].map(|name| column(JOB_TEMPLATE.table, name)))
            .from(Alias::new(JOB_TEMPLATE.table))
            .and_where(column(JOB_TEMPLATE.table, "id").eq(request.id))
            .to_owned();
        let row: Option<(String, String)> = engine.database.read_first(&query).await?;
        let (stored, service) = row.ok_or(Error::NotFound(Some(JOB_TEMPLATE.label)))?;
        if request.method == HttpMethod::Get {
            let key = match stored.as_str() {
                "" => String::new(),
                stored => engine.vault.decrypt(&context(request.id), stored)?.to_string(),
            };
            return Ok(ActionResponse::Fields(json!({"webhook_key": key})));
        }
        let mut tx = engine.database.begin().await?;
        let key = replace(engine, &mut tx, request.id, !service.is_empty()).await?;
        tx.commit().await?;
        Ok(ActionResponse::NewFields(json!({"webhook_key": key})))
    }
}
