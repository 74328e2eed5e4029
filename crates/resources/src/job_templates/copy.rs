//! Copies of job templates.

use async_trait::async_trait;
use hostler_database::{Transaction, Value};
use hostler_engine::{ActionHandler, ActionRequest, ActionResponse, Engine, Error, Record, SystemWrite, json_value};
use hostler_schema::{Actor, COPY_NAME, Join, column};
use sea_query::{Alias, Expr, ExprTrait, Query};
use serde_json::{Map, Value as Json};

use super::{JOB_TEMPLATE, NAME, SURVEY_PASSWORDS, SURVEY_SPEC};
use crate::attached::{CREDENTIALS_OF_TEMPLATE, GROUPS_OF_TEMPLATE, LABELS_OF_TEMPLATE};
use crate::encrypted_inputs::{decrypted, encrypted};

/// Copies a job template with its survey, credentials, labels and instance groups.
pub struct Copying;

#[async_trait]
impl ActionHandler for Copying {
    async fn act(&self, engine: &Engine, request: ActionRequest<'_>) -> Result<ActionResponse, Error> {
        let original = engine.original(&request).await?;
        let copied = JOB_TEMPLATE.fields.iter().filter(|field| field.writable && *original.get(field) != Value::Null);
        let mut body: Map<_, _> =
            copied.map(|field| (field.name.to_owned(), json_value(field.kind, original.get(field)))).collect();
        body.insert(NAME.name.into(), request.input.text(&COPY_NAME).into());
        let parts = CopyParts { original };
        engine.create_as_system(request.actor, &JOB_TEMPLATE, &body, &parts).await.map(ActionResponse::NewObject)
    }
}

/// Copies what is attached to a template, and its survey.
struct CopyParts {
    original: Record,
}

#[async_trait]
impl SystemWrite for CopyParts {
    async fn consume(&self, engine: &Engine, tx: &mut Transaction, _actor: &Actor, id: i64) -> Result<(), Error> {
        for join in [CREDENTIALS_OF_TEMPLATE, LABELS_OF_TEMPLATE, GROUPS_OF_TEMPLATE] {
            copy_rows(tx, join, self.original.id, join, id).await?;
        }
        let Value::Json(spec) = self.original.get(&SURVEY_SPEC) else { return Ok(()) };
        if spec.as_object().is_none_or(Map::is_empty) {
            return Ok(());
        }
        let defaults = decrypted(engine, &self.original, &SURVEY_PASSWORDS)?;
        let passwords = encrypted(engine, tx, (&JOB_TEMPLATE, id), &SURVEY_PASSWORDS, defaults).await?;
        let table = JOB_TEMPLATE.stored_in();
        let update = Query::update()
            .table(Alias::new(table))
            .value(Alias::new(SURVEY_SPEC.column), spec.to_string())
            .value(Alias::new(SURVEY_PASSWORDS.column), Json::Object(passwords).to_string())
            .and_where(column(table, "id").eq(id))
            .to_owned();
        tx.execute_inline(&update).await?;
        Ok(())
    }
}

/// Copies the rows of a join table of one object to that of another, in their order.
///
/// # Errors
/// Database errors.
pub async fn copy_rows(tx: &mut Transaction, from: Join, original: i64, to: Join, id: i64) -> Result<(), Error> {
    let (
        Join::JoinTable { table, left, right, .. },
        Join::JoinTable { table: target, left: target_left, right: target_right, .. },
    ) = (from, to)
    else {
        return Ok(());
    };
    let rows = Query::select()
        .expr(Expr::val(id).cast_as("bigint"))
        .expr(column(table, right))
        .from(Alias::new(table))
        .and_where(column(table, left).eq(original))
        .order_by((Alias::new(table), Alias::new("id")), sea_query::Order::Asc)
        .to_owned();
    let mut insert = Query::insert();
    insert.into_table(Alias::new(target)).columns([target_left, target_right].map(Alias::new));
    if insert.select_from(rows).is_err() {
        return Err(Error::Internal(format!("the columns of {target} do not fit")));
    }
    tx.execute_deferred(&insert).await?;
    Ok(())
}
