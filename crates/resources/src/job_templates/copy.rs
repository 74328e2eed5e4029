//! Copies of job templates.

use async_trait::async_trait;
use hostler_database::{Transaction, Value};
use hostler_engine::{ActionHandler, ActionRequest, ActionResponse, Engine, Error, SystemWrite};
use hostler_schema::{Actor, COPY_NAME, FieldKind, Join, column};
use sea_query::{Alias, Expr, ExprTrait, Query};
use serde_json::{Map, Value as Json};

use super::{JOB_TEMPLATE, NAME, SURVEY_PASSWORDS, SURVEY_SPEC, survey};
use crate::attached::{CREDENTIALS_OF_TEMPLATE, GROUPS_OF_TEMPLATE, LABELS_OF_TEMPLATE};

/// Copies a job template with its survey, credentials, labels and instance groups.
pub struct Copying;

#[async_trait]
impl ActionHandler for Copying {
    async fn act(&self, engine: &Engine, request: ActionRequest<'_>) -> Result<ActionResponse, Error> {
        let original = engine.original(&request).await?;
        let mut body = Map::new();
        for field in JOB_TEMPLATE.fields.iter().filter(|field| field.writable) {
            let value = match (field.kind, original.get(field)) {
                (FieldKind::Encrypted, _) | (_, Value::Null | Value::Time(_) | Value::Bytes(_)) => continue,
                (_, Value::Text(text)) => Json::from(text.as_str()),
                (_, Value::Integer(number)) => (*number).into(),
                (_, Value::Boolean(boolean)) => (*boolean).into(),
                (_, Value::Json(json)) => json.clone(),
            };
            body.insert(field.name.into(), value);
        }
        body.insert(NAME.name.into(), request.input.text(&COPY_NAME).into());
        let parts = CopyParts { original: original.id };
        engine.create_as_system(request.actor, &JOB_TEMPLATE, &body, &parts).await.map(ActionResponse::NewObject)
    }
}

/// Copies what is attached to the template with this id, and its survey.
struct CopyParts {
    original: i64,
}

#[async_trait]
impl SystemWrite for CopyParts {
    async fn consume(&self, engine: &Engine, tx: &mut Transaction, _actor: &Actor, id: i64) -> Result<(), Error> {
        for join in [CREDENTIALS_OF_TEMPLATE, LABELS_OF_TEMPLATE, GROUPS_OF_TEMPLATE] {
            copy_rows(tx, join, self.original, join, id).await?;
        }
        let table = JOB_TEMPLATE.stored_in();
        let query = Query::select()
            .exprs([SURVEY_SPEC.column, SURVEY_PASSWORDS.column].map(|name| column(table, name)))
            .from(Alias::new(table))
            .and_where(column(table, "id").eq(self.original))
            .to_owned();
        let Some((spec, passwords)) = tx.read_first::<(Json, Json)>(&query).await? else { return Ok(()) };
        if spec.as_object().is_none_or(Map::is_empty) {
            return Ok(());
        }
        let defaults = survey::decrypted_defaults(engine, self.original, &passwords)?;
        let passwords = survey::copied(engine, tx, id, &defaults).await?;
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
