//! Owners of credentials: users and teams with the admin role, the team that the
//! credential was created for, and the organization.

use hostler_engine::{Engine, Error, ResponseObject};
use hostler_schema::{Action, Actor, Resource, column};
use sea_query::{Alias, Condition, Expr, ExprTrait, JoinType, Order, Query};
use serde_json::{Value as Json, json};

use crate::credentials::ORGANIZATION_LINK;
use crate::{CREDENTIAL, ORGANIZATION, TEAM, USER};

/// The condition that team `other` owns this credential.
pub fn owner_teams(credential: Expr, other: &str) -> Expr {
    let created_for = Query::select()
        .expr(column("created_for", "team_id"))
        .from_as(Alias::new(CREDENTIAL.table), Alias::new("created_for"))
        .and_where(column("created_for", "id").eq(credential.clone()))
        .and_where(column("created_for", "team_id").is_not_null())
        .to_owned();
    let granted = Query::select()
        .expr(column("grants", "team_id"))
        .from(Alias::new("grants"))
        .inner_join(Alias::new("roles"), column("roles", "id").eq(column("grants", "role_id")))
        .and_where(column("roles", "content_type").eq(CREDENTIAL.name))
        .and_where(column("roles", "role_field").eq("admin_role"))
        .and_where(column("roles", "object_id").eq(credential))
        .and_where(column("grants", "team_id").is_not_null())
        .to_owned();
    column(other, "id").in_subquery(created_for).or(column(other, "id").in_subquery(granted))
}

/// The condition that credential `other` was created for this team, or that the team
/// has its use role or admin role.
pub fn belongs_to_team(team: Expr, other: &str) -> Expr {
    let granted = Query::select()
        .expr(column("roles", "object_id"))
        .from(Alias::new("grants"))
        .inner_join(Alias::new("roles"), column("roles", "id").eq(column("grants", "role_id")))
        .and_where(column("roles", "content_type").eq(CREDENTIAL.name))
        .and_where(column("roles", "role_field").is_in(["admin_role", "use_role"]))
        .and_where(column("grants", "team_id").eq(team.clone()))
        .to_owned();
    column(other, "team_id").eq(team).or(column(other, "id").in_subquery(granted))
}

/// Adds `summary_fields.owners` to the credentials of a page, without owners that the
/// actor may not see. Two statements for the whole page.
///
/// # Errors
/// Database errors.
pub async fn add_owners(engine: &Engine, actor: &Actor, page: &mut [ResponseObject]) -> Result<(), Error> {
    let ids: Vec<i64> = page.iter().map(|shown| shown.loaded.record.id).collect();
    let users = owning_users(engine, actor, &ids).await?;
    let teams = owning_teams(engine, actor, &ids).await?;
    for shown in page {
        let credential = shown.loaded.record.id;
        let mut owners = vec![];
        for (_, id, username, first_name, last_name) in users.iter().filter(|owner| owner.0 == credential) {
            owners.push(owner(&USER, *id, username, &format!("{first_name} {last_name}")));
        }
        for (_, id, name, description) in teams.iter().filter(|owner| owner.0 == credential) {
            owners.push(owner(&TEAM, *id, name, description));
        }
        let organization = shown.json.get("summary_fields").and_then(|summaries| summaries.get(ORGANIZATION.name));
        if let Some(Json::Object(summary)) = organization {
            let mut summary = summary.clone();
            let url = ORGANIZATION.url(summary.get("id").and_then(Json::as_i64).unwrap_or_default());
            summary.insert("type".into(), ORGANIZATION.name.into());
            summary.insert("url".into(), url.into());
            owners.push(summary.into());
        }
        // As in AWX, `related` links to the first owner if there is no organization.
        if shown.loaded.record.integer(&ORGANIZATION_LINK).is_none()
            && let Some(first) = owners.first()
            && let (Some(kind), Some(url)) = (first["type"].as_str(), first["url"].as_str())
        {
            let (kind, url) = (kind.to_owned(), url.to_owned());
            shown.add_related(&kind, url.into());
        }
        shown.add_summary("owners", owners.into());
    }
    Ok(())
}

fn owner(resource: &Resource, id: i64, name: &str, description: &str) -> Json {
    json!({
        "id": id, "type": resource.name, "name": name, "description": description, "url": resource.url(id),
    })
}

/// A credential and its owner: the user's id, username, first and last name.
type OwningUser = (i64, i64, String, String, String);
/// A credential and its owner: the team's id, name and description.
type OwningTeam = (i64, i64, String, String);

async fn owning_users(engine: &Engine, actor: &Actor, ids: &[i64]) -> Result<Vec<OwningUser>, Error> {
    let query = Query::select()
        .expr(column("roles", "object_id"))
        .exprs(["id", "username", "first_name", "last_name"].map(|name| column("owner", name)))
        .from(Alias::new("roles"))
        .inner_join(Alias::new("grants"), column("grants", "role_id").eq(column("roles", "id")))
        .join_as(
            JoinType::InnerJoin,
            Alias::new(USER.table),
            Alias::new("owner"),
            column("owner", "id").eq(column("grants", "user_id")),
        )
        .and_where(column("roles", "content_type").eq(CREDENTIAL.name))
        .and_where(column("roles", "role_field").eq("admin_role"))
        .and_where(column("roles", "object_id").is_in(ids.iter().copied()))
        .cond_where(USER.access.rows(actor, Action::Read, "owner").condition())
        .order_by((Alias::new("grants"), Alias::new("id")), Order::Asc)
        .to_owned();
    Ok(engine.read_with_rules_as(actor, query).await?)
}

async fn owning_teams(engine: &Engine, actor: &Actor, ids: &[i64]) -> Result<Vec<OwningTeam>, Error> {
    let query = Query::select()
        .expr(column("owned", "id"))
        .exprs(["id", "name", "description"].map(|name| column("owner", name)))
        .from_as(Alias::new(CREDENTIAL.table), Alias::new("owned"))
        .join_as(
            JoinType::InnerJoin,
            Alias::new(TEAM.table),
            Alias::new("owner"),
            Condition::all().add(owner_teams(column("owned", "id"), "owner")),
        )
        .and_where(column("owned", "id").is_in(ids.iter().copied()))
        .cond_where(TEAM.access.rows(actor, Action::Read, "owner").condition())
        .order_by((Alias::new("owner"), Alias::new("id")), Order::Asc)
        .to_owned();
    Ok(engine.read_with_rules_as(actor, query).await?)
}
