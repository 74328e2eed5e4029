//! The survey of a job template: `survey_spec/`.

use std::collections::BTreeMap;

use async_trait::async_trait;
use hostler_database::{Transaction, Value};
use hostler_engine::{ActionHandler, ActionInput, ActionRequest, ActionResponse, ActivityEntry, Engine, Error};
use hostler_schema::{Field, HttpMethod, column, fields};
use hostler_survey::{CheckedSpec, check_spec, json_text};
use sea_query::{Alias, Expr, ExprTrait, Query};
use serde_json::{Map, Value as Json, json};

use super::{JOB_TEMPLATE, SURVEY_PASSWORDS, SURVEY_SPEC};
use crate::encrypted_inputs::encrypted;

const NAME: Field =
    fields::json("name").label("Name").nullable().hidden().not_filterable().help("The title of the survey.");
const DESCRIPTION: Field = fields::json("description")
    .label("Description")
    .nullable()
    .hidden()
    .not_filterable()
    .help("What the survey is for.");
const SPEC: Field =
    fields::json("spec").label("Spec").nullable().hidden().not_filterable().help("The questions, a list of objects.");
/// The parts of a survey.
pub const PARTS: &[Field] = &[NAME, DESCRIPTION, SPEC];

/// Shows, replaces and removes the survey.
pub struct SurveySpec;

#[async_trait]
impl ActionHandler for SurveySpec {
    async fn act(&self, engine: &Engine, request: ActionRequest<'_>) -> Result<ActionResponse, Error> {
        if request.method == HttpMethod::Get {
            let query = stored_survey(request.id);
            let (spec, _, _): (Json, Json, i64) =
                engine.database.read_first(&query).await?.ok_or(Error::NotFound(Some(JOB_TEMPLATE.label)))?;
            return Ok(ActionResponse::Fields(spec));
        }
        let mut tx = engine.database.begin().await?;
        let (old, passwords) = lock(&mut tx, request.id).await?;
        let checked = if request.method == HttpMethod::Delete {
            CheckedSpec { spec: Map::new(), passwords: BTreeMap::new() }
        } else {
            match check_spec(&sent(&request.input), |variable| passwords.contains_key(variable)) {
                Ok(checked) => checked,
                Err(message) => return Ok(ActionResponse::Rejected(json!({"error": message}))),
            }
        };
        let new = Json::Object(checked.spec.clone());
        let secrets = secrets(engine, &mut tx, request.id, &passwords, checked.passwords).await?;
        if new != old || secrets != passwords {
            store(engine, &mut tx, &request, &new, secrets).await?;
            let changes = Map::from_iter([(SURVEY_SPEC.name.to_owned(), json!([json_text(&old), json_text(&new)]))]);
            ActivityEntry::about(&JOB_TEMPLATE, request.id, "update", changes)
                .write(engine, &mut tx, request.actor)
                .await?;
        }
        tx.commit().await?;
        Ok(ActionResponse::Fields(Json::Null))
    }
}

/// The parts of the body.
fn sent(input: &ActionInput) -> Map<String, Json> {
    let part = |field: &Field| {
        let value = match input.get(field)? {
            Value::Json(json) => json.clone(),
            _ => Json::Null,
        };
        Some((field.name.to_owned(), value))
    };
    PARTS.iter().filter_map(part).collect()
}

fn stored_survey(id: i64) -> sea_query::SelectStatement {
    let stored = JOB_TEMPLATE.stored_in();
    Query::select()
        .exprs([SURVEY_SPEC.column, SURVEY_PASSWORDS.column, "version"].map(|name| column(stored, name)))
        .from(Alias::new(stored))
        .and_where(column(stored, "id").eq(id))
        .to_owned()
}

/// The stored survey and the encrypted defaults of its passwords; the row is locked.
async fn lock(tx: &mut Transaction, id: i64) -> Result<(Json, Map<String, Json>), Error> {
    let mut query = stored_survey(id);
    query.lock(sea_query::LockType::NoKeyUpdate);
    let row: Option<(Json, Json, i64)> = tx.read_first(&query).await?;
    let (spec, passwords, _) = row.ok_or(Error::NotFound(Some(JOB_TEMPLATE.label)))?;
    let passwords = if let Json::Object(passwords) = passwords { passwords } else { Map::new() };
    Ok((spec, passwords))
}

/// The encrypted defaults to store: new ones, and stored ones that the client keeps.
async fn secrets(
    engine: &Engine,
    tx: &mut Transaction,
    id: i64,
    stored: &Map<String, Json>,
    sent: BTreeMap<String, Option<String>>,
) -> Result<Map<String, Json>, Error> {
    let kept = sent.iter().filter(|(_, default)| default.is_none());
    let mut secrets: Map<String, Json> =
        kept.filter_map(|(variable, _)| Some((variable.clone(), stored.get(variable)?.clone()))).collect();
    let new = sent.into_iter().filter_map(|(variable, default)| Some((variable, default?.into())));
    secrets.extend(encrypted(engine, tx, (&JOB_TEMPLATE, id), &SURVEY_PASSWORDS, new.collect()).await?);
    Ok(secrets)
}

async fn store(
    engine: &Engine,
    tx: &mut Transaction,
    request: &ActionRequest<'_>,
    spec: &Json,
    secrets: Map<String, Json>,
) -> Result<(), Error> {
    let table = JOB_TEMPLATE.stored_in();
    let update = Query::update()
        .table(Alias::new(table))
        .value(Alias::new(SURVEY_SPEC.column), spec.to_string())
        .value(Alias::new(SURVEY_PASSWORDS.column), Json::Object(secrets).to_string())
        .value(Alias::new("version"), Expr::col(Alias::new("version")).add(1))
        .value(Alias::new("modified"), engine.clock.now())
        .value(Alias::new("modified_by_id"), request.actor.user())
        .and_where(column(table, "id").eq(request.id))
        .to_owned();
    tx.execute_inline(&update).await?;
    Ok(())
}
