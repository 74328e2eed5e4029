//! `projects/N/copy/`: a project with the same source, which is updated as a new one is.

use async_trait::async_trait;
use hostler_access::{has_role, objects_with_permission};
use hostler_database::Value;
use hostler_engine::{ActionHandler, ActionRequest, ActionResponse, Engine, Error, json_value};
use hostler_schema::{Action, Actor, COPY_NAME, Rule, column};
use sea_query::{Alias, ExprTrait, Query};
use serde_json::Map;

use super::{LOCAL_PATH, ORGANIZATION_LINK, SCM_TYPE};
use crate::{ORGANIZATION, PROJECT};

/// Copying needs permission to change the project and to add projects to its organization. Manual projects cannot be
/// copied: no two of them have the same folder.
pub fn can_copy(actor: &Actor, row: &str) -> Rule {
    let addable = match has_role(&ORGANIZATION, "project_admin_role", actor, "target") {
        Rule::All => Rule::All,
        by_role => by_role.or(Rule::When(column("target", "id").in_subquery(objects_with_permission(
            ORGANIZATION.name,
            &PROJECT.permission("add"),
            actor,
        )))),
    };
    let has_source = column(row, SCM_TYPE.column).ne("");
    let targets = match addable {
        Rule::All => return PROJECT.access.rows(actor, Action::Change, row).within(has_source),
        addable => Query::select()
            .expr(column("target", "id"))
            .from_as(Alias::new(ORGANIZATION.table), Alias::new("target"))
            .cond_where(addable.condition())
            .to_owned(),
    };
    PROJECT
        .access
        .rows(actor, Action::Change, row)
        .within(has_source)
        .and(Rule::When(column(row, ORGANIZATION_LINK.column).in_subquery(targets)))
}

/// Copies projects.
pub struct Copying;

#[async_trait]
impl ActionHandler for Copying {
    async fn act(&self, engine: &Engine, request: ActionRequest<'_>) -> Result<ActionResponse, Error> {
        let original = engine.original(&request).await?;
        let copied = PROJECT.fields.iter().filter(|field| field.writable && *original.get(field) != Value::Null);
        let mut body: Map<_, _> =
            copied.map(|field| (field.name.to_owned(), json_value(field.kind, original.get(field)))).collect();
        body.remove(LOCAL_PATH.name);
        body.insert(COPY_NAME.name.into(), request.input.text(&COPY_NAME).into());
        engine.create(request.actor, &PROJECT, &body, None).await.map(ActionResponse::NewObject)
    }
}
