//! The rows of `roles` of objects, which are created with the object.

use hostler_database::{Transaction, Type};
use hostler_schema::{Actor, Resource, column};
use sea_query::{Alias, ExprTrait, Query};
use serde_json::{Map, json};

use crate::grants::{ADMIN, grant_in_transaction};
use crate::hooks::ResponseObject;
use crate::{DEFINITION_ROLE_PREFIX, Engine, Error, Grantee};

/// Inserts the roles of a new object.
///
/// # Errors
/// Database errors.
pub async fn create_roles(
    tx: &mut Transaction,
    resource: &'static Resource,
    id: i64,
) -> Result<(), hostler_database::Error> {
    if resource.roles.is_empty() {
        return Ok(());
    }
    let mut insert = Query::insert();
    insert.into_table(Alias::new("roles")).columns(["content_type", "object_id", "role_field"].map(Alias::new));
    for role in resource.roles {
        insert.values_panic([resource.name.into(), id.into(), role.field.into()]);
    }
    tx.execute_deferred(&insert).await
}

/// Makes the creator of an object its admin, unless their grants already allow to do everything with it. As in AWX: an
/// actor who may only add objects could not see their own otherwise. Of a type without roles of its own the creator is
/// assigned the managed definition.
pub(crate) async fn grant_to_creator(
    engine: &Engine,
    tx: &mut Transaction,
    actor: &Actor,
    resource: &'static Resource,
    id: i64,
) -> Result<(), Error> {
    let Some(user) = actor.user() else { return Ok(()) };
    let role = match resource.role(ADMIN) {
        Some(_) => ADMIN.to_owned(),
        None => create_definition_role(tx, resource, id).await?,
    };
    grant_in_transaction(engine, tx, actor, (resource, id), &role, Grantee::User(user)).await
}

/// Inserts the role of the managed definition for this type and a new object, and returns its `role_field`.
async fn create_definition_role(tx: &mut Transaction, resource: &'static Resource, id: i64) -> Result<String, Error> {
    let definition = |name| column("role_definitions", name);
    let query = Query::select()
        .expr(definition("id"))
        .from(Alias::new("role_definitions"))
        .and_where(definition("content_type").eq(resource.content_type()))
        .and_where(definition("managed").eq(true))
        .and_where(definition("role_field").is_null())
        .to_owned();
    let definition: i64 = tx
        .read_first(&query)
        .await?
        .ok_or_else(|| Error::Internal(format!("there is no managed role definition for {}", resource.name)))?;
    let field = format!("{DEFINITION_ROLE_PREFIX}{definition}");
    let role = [resource.name.into(), id.into(), field.as_str().into(), definition.into()];
    tx.insert_rows("roles", ["content_type", "object_id", "role_field", "definition_id"], [role]).await?;
    Ok(field)
}

/// Adds `summary_fields.object_roles` to all objects of a page with one query.
pub(crate) async fn show(
    engine: &Engine,
    resource: &'static Resource,
    page: &mut [ResponseObject],
) -> Result<(), Error> {
    let query = Query::select()
        .exprs(["id", "object_id", "role_field"].map(|name| column("roles", name)))
        .from(Alias::new("roles"))
        .and_where(column("roles", "content_type").eq(resource.name))
        .and_where(column("roles", "object_id").is_in(page.iter().map(|shown| shown.loaded.record.id)))
        .order_by((Alias::new("roles"), Alias::new("id")), sea_query::Order::Asc)
        .to_owned();
    let rows = engine.database.read(&query, &[Type::Integer, Type::Integer, Type::Text]).await?;
    for shown in page {
        let id = Some(shown.loaded.record.id);
        let mut roles = Map::new();
        for row in rows.iter().filter(|row| row.integer(1) == id) {
            if let Some(role) = row.text(2).and_then(|field| resource.role(field)) {
                let mut summary = json!({"description": role.description, "name": role.name, "id": row.integer(0)});
                if let (true, Some(summary)) = (role.user_only, summary.as_object_mut()) {
                    summary.insert("user_only".into(), true.into());
                }
                roles.insert(role.field.into(), summary);
            }
        }
        shown.add_summary("object_roles", roles.into());
    }
    Ok(())
}
