//! Granting roles to users and teams.
//!
//! This module names users, teams and organizations: grantees are users and teams, and the roles of organizations and
//! teams have special rules.

use hostler_access::has_role;
use hostler_database::{Transaction, Type};
use hostler_schema::{Action, Actor, ObjectRole, Resource, Rule, Singleton, column};
use sea_query::{Alias, ExprTrait, Query, SelectStatement};
use serde_json::{Map, Value as Json, json};

use crate::activity::ActivityEntry;
use crate::select::ROW;
use crate::{Engine, Error, ObjectKey, UpdateMethod};

/// The user or team that gets a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grantee {
    /// A user.
    User(i64),
    /// A team, with all its members.
    Team(i64),
}

impl Grantee {
    fn parts(self) -> (&'static str, &'static str, i64) {
        match self {
            Grantee::User(id) => ("user", "user_id", id),
            Grantee::Team(id) => ("team", "team_id", id),
        }
    }
}

/// Which object an activity entry about a grant names first: as in AWX, the one whose list was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NamedFirst {
    /// The object of the role.
    Object,
    /// The user or team.
    Grantee,
}

/// A row of `roles`.
struct RoleRow {
    id: i64,
    /// The object's type and id; none for the system-wide roles.
    object: Option<(&'static Resource, i64)>,
    field: String,
}

/// The prefix of the `role_field` of roles of custom role definitions.
pub const DEFINITION_ROLE_PREFIX: &str = "definition_";

/// The role with all permissions on an object.
pub(crate) const ADMIN: &str = "admin_role";

/// The roles that give power over the members of an organization; AWX calls them participation roles.
const PARTICIPATION: [&str; 2] = ["admin_role", "member_role"];

impl Engine {
    /// Grants a role, or revokes it if `grant` is false. If there is no change, nothing is recorded.
    ///
    /// # Errors
    /// 400 for a role, user or team that does not exist, and for grants that AWX rejects; 403 for actors who do not
    /// administer the role's object.
    pub async fn change_grant(&self, actor: &Actor, role: i64, grantee: Grantee, grant: bool) -> Result<(), Error> {
        self.change_recorded_grant(actor, role, grantee, grant, NamedFirst::Object).await
    }

    /// As [`Engine::change_grant`], for a request to the list of the grantee's roles: the activity entry names the
    /// grantee first.
    ///
    /// # Errors
    /// Those of [`Engine::change_grant`].
    pub async fn change_role_of_grantee(
        &self,
        actor: &Actor,
        role: i64,
        grantee: Grantee,
        grant: bool,
    ) -> Result<(), Error> {
        self.change_recorded_grant(actor, role, grantee, grant, NamedFirst::Grantee).await
    }

    async fn change_recorded_grant(
        &self,
        actor: &Actor,
        role: i64,
        grantee: Grantee,
        grant: bool,
        first: NamedFirst,
    ) -> Result<(), Error> {
        let role = self.role(role).await?;
        let (type_name, _, grantee_id) = grantee.parts();
        self.require_grantee(actor, type_name, grantee_id).await?;
        let Some((resource, object)) = role.object else {
            return self.change_singleton(actor, &role.field, grantee, grant).await;
        };
        let participation = resource.name == "organization" && PARTICIPATION.contains(&role.field.as_str());
        if participation && matches!(grantee, Grantee::Team(_)) {
            let message = "You cannot assign an Organization participation role as a child role for a Team.";
            return Err(Error::BadRequestMsg(message.into()));
        }
        if resource.name == "team" && matches!(grantee, Grantee::Team(_)) {
            let message = "You cannot assign a role of a Team to a Team: teams do not contain each other.";
            return Err(Error::BadRequestMsg(message.into()));
        }
        require_administer_object(self, actor, resource, object).await?;
        if grant {
            self.registry.hooks(resource).authorize_grant(self, actor, object, grantee).await?;
        }
        if let (true, true, Grantee::User(user)) = (participation, grant, grantee) {
            self.check_membership_permission(actor, user).await?;
        }
        let mut tx = self.database.begin().await?;
        write_grant(self, &mut tx, actor, &role, grantee, grant, first).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Grants or revokes the role of a sub-list.
    pub(crate) async fn change_membership(
        &self,
        actor: &Actor,
        parent: (&'static Resource, i64),
        field: &str,
        user: i64,
        grant: bool,
    ) -> Result<(), Error> {
        let role = self.object_role(parent, field).await?;
        self.change_grant(actor, role, Grantee::User(user), grant).await
    }

    /// The role of a custom role definition on one object, created if it does not exist.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for actors who do not administer the object.
    pub async fn definition_role(
        &self,
        actor: &Actor,
        definition: i64,
        (resource, object): (&'static Resource, i64),
    ) -> Result<i64, Error> {
        require_administer_object(self, actor, resource, object).await?;
        let mut tx = self.database.begin().await?;
        tx.lock("role_definitions").await?;
        let found = Query::select()
            .expr(column("roles", "id"))
            .from(Alias::new("roles"))
            .and_where(column("roles", "content_type").eq(resource.name))
            .and_where(column("roles", "object_id").eq(object))
            .and_where(column("roles", "definition_id").eq(definition))
            .to_owned();
        if let Some(id) = tx.read(&found, &[Type::Integer]).await?.first().and_then(|row| row.integer(0)) {
            return Ok(id);
        }
        let insert = Query::insert()
            .into_table(Alias::new("roles"))
            .columns(["content_type", "object_id", "role_field", "definition_id"].map(Alias::new))
            .values_panic([
                resource.name.into(),
                object.into(),
                format!("{DEFINITION_ROLE_PREFIX}{definition}").into(),
                definition.into(),
            ])
            .to_owned();
        let id = tx.insert(&insert).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// The id of a system-wide role by its `role_field`.
    ///
    /// # Errors
    /// [`Error::Internal`] if it is missing in the database.
    pub async fn system_role(&self, field: &str) -> Result<i64, Error> {
        let query = system_role_query(field);
        let rows = self.database.read(&query, &[Type::Integer]).await?;
        rows.first()
            .and_then(|row| row.integer(0))
            .ok_or_else(|| Error::Internal("a system-wide role is missing".into()))
    }

    /// The id of an object's role by its `role_field`.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the object has no such role.
    pub async fn object_role(&self, (resource, object): (&'static Resource, i64), field: &str) -> Result<i64, Error> {
        let query = object_role_query((resource, object), field);
        let rows = self.database.read(&query, &[Type::Integer]).await?;
        rows.first().and_then(|row| row.integer(0)).ok_or(Error::NotFound(Some(resource.label)))
    }

    async fn role(&self, id: i64) -> Result<RoleRow, Error> {
        let query = Query::select()
            .exprs(["id", "content_type", "object_id", "role_field"].map(|name| column("roles", name)))
            .from(Alias::new("roles"))
            .and_where(column("roles", "id").eq(id))
            .to_owned();
        let rows = self.database.read(&query, &[Type::Integer, Type::Text, Type::Integer, Type::Text]).await?;
        let row = rows.first().ok_or_else(|| Error::BadRequest("Role matching query does not exist.".into()))?;
        let object = match (row.text(1).and_then(|name| self.registry.by_name(name)), row.integer(2)) {
            (Some(registered), Some(object)) => Some((registered.resource, object)),
            _ => None,
        };
        Ok(RoleRow { id, object, field: row.text(3).unwrap_or_default().to_owned() })
    }

    /// The user or team must exist, and the actor must be able to see it.
    async fn require_grantee(&self, actor: &Actor, type_name: &str, id: i64) -> Result<(), Error> {
        let registered = self.registry.by_name(type_name).ok_or(Error::NotFound(None))?;
        match crate::read::find_id(self, actor, registered.resource, &ObjectKey::Id(id)).await {
            Err(Error::NotFound(Some(label))) => {
                Err(Error::BadRequest(format!("{label} matching query does not exist.")))
            }
            other => other.map(|_| ()),
        }
    }

    /// Admins of an organization can set the passwords of its members. So an admin may add only themselves and users
    /// whom they may delete: users whom they already administer, and users without grants elsewhere.
    async fn check_membership_permission(&self, actor: &Actor, user: i64) -> Result<(), Error> {
        if user == actor.id {
            return Ok(());
        }
        let users = self.registry.by_name("user").ok_or(Error::NotFound(None))?.resource;
        self.require_on(actor, (users, user), ROW, users.access.rows(actor, Action::Delete, ROW)).await
    }

    /// The system-wide roles are the two flags of a user, with the same rules.
    async fn change_singleton(&self, actor: &Actor, field: &str, grantee: Grantee, grant: bool) -> Result<(), Error> {
        let Grantee::User(user) = grantee else {
            return Err(Error::BadRequestMsg("You cannot grant system-level permissions to a team.".into()));
        };
        if !actor.is_superuser {
            return Err(Error::forbidden());
        }
        let flag = if field == Singleton::Administrator.field() { "is_superuser" } else { "is_system_auditor" };
        let users = self.registry.by_name("user").ok_or(Error::NotFound(None))?.resource;
        let body: Map<String, Json> = [(flag.to_owned(), Json::from(grant))].into_iter().collect();
        self.update(actor, users, &ObjectKey::Id(user), UpdateMethod::Patch, &body, None).await.map(|_| ())
    }
}

/// Whether `actor` may grant the roles of objects of this resource, as a rule over the table `row`.
pub fn can_grant_roles(resource: &'static Resource, actor: &Actor, row: &str) -> Rule {
    let administered = administers(resource, actor, row);
    match resource.not_deleted(row) {
        Some(condition) => administered.within(condition),
        None => administered,
    }
}

fn administers(resource: &'static Resource, actor: &Actor, row: &str) -> Rule {
    // If the setting says so, only superusers change the members of organizations and teams.
    let participation = ["organization", "team"].contains(&resource.name);
    if participation && !actor.policy.manage_organization_auth && !actor.is_superuser {
        return Rule::None;
    }
    // Types without roles of their own have no admin role. Who may only change an object cannot grant more than that.
    if resource.roles.is_empty() && !actor.is_superuser {
        let rows = |action| resource.access.rows(actor, action, row);
        return rows(Action::Change).and(rows(Action::Delete));
    }
    has_role(resource, ADMIN, actor, row)
}

/// Fails unless the actor may grant this role of this object.
pub(crate) async fn require_administer_object(
    engine: &Engine,
    actor: &Actor,
    resource: &'static Resource,
    id: i64,
) -> Result<(), Error> {
    engine.require_on(actor, (resource, id), ROW, can_grant_roles(resource, actor, ROW)).await
}

/// Grants a role of an object that may have been created in the same transaction, without checking the actor's
/// permission.
///
/// # Errors
/// Database errors.
pub async fn grant_in_transaction(
    engine: &Engine,
    tx: &mut Transaction,
    actor: &Actor,
    (resource, object): (&'static Resource, i64),
    field: &str,
    grantee: Grantee,
) -> Result<(), Error> {
    let rows = tx.read(&object_role_query((resource, object), field), &[Type::Integer]).await?;
    let id = rows.first().and_then(|row| row.integer(0)).ok_or(Error::NotFound(Some(resource.label)))?;
    let role = RoleRow { id, object: Some((resource, object)), field: field.to_owned() };
    write_grant(engine, tx, actor, &role, grantee, true, NamedFirst::Object).await
}

/// Updates the grant of a system-wide role after a change of the user's flag.
///
/// # Errors
/// Database errors.
pub async fn set_system_role(
    engine: &Engine,
    tx: &mut Transaction,
    actor: Option<i64>,
    singleton: Singleton,
    user: i64,
    granted: bool,
) -> Result<(), Error> {
    let query = system_role_query(singleton.field());
    let rows = tx.read(&query, &[Type::Integer]).await?;
    let role = rows
        .first()
        .and_then(|row| row.integer(0))
        .ok_or_else(|| Error::Internal("a system-wide role is missing".into()))?;
    set_grant(engine, tx, actor, role, Grantee::User(user), granted).await.map(|_| ())
}

fn object_role_query((resource, object): (&'static Resource, i64), field: &str) -> SelectStatement {
    Query::select()
        .expr(column("roles", "id"))
        .from(Alias::new("roles"))
        .and_where(column("roles", "content_type").eq(resource.name))
        .and_where(column("roles", "object_id").eq(object))
        .and_where(column("roles", "role_field").eq(field))
        .to_owned()
}

fn system_role_query(field: &str) -> SelectStatement {
    Query::select()
        .expr(column("roles", "id"))
        .from(Alias::new("roles"))
        .and_where(column("roles", "content_type").is_null())
        .and_where(column("roles", "role_field").eq(field))
        .to_owned()
}

async fn write_grant(
    engine: &Engine,
    tx: &mut Transaction,
    actor: &Actor,
    role: &RoleRow,
    grantee: Grantee,
    grant: bool,
    first: NamedFirst,
) -> Result<(), Error> {
    // Before the grant, which refers to its definition.
    if let (true, Some((resource, _))) = (grant, role.object)
        && let Some(known) = resource.role(&role.field)
    {
        ensure_definition(engine, tx, resource, known).await?;
    }
    let changed = set_grant(engine, tx, actor.user(), role.id, grantee, grant).await?;
    let (Some((resource, object)), true) = (role.object, changed) else { return Ok(()) };
    let (type_name, _, grantee_id) = grantee.parts();
    let mut named = [(resource.name, object), (type_name, grantee_id)];
    if first == NamedFirst::Grantee {
        named.reverse();
    }
    let [(name1, id1), (name2, id2)] = named;
    let operation = if grant { "associate" } else { "disassociate" };
    let relationship = match grantee {
        Grantee::User(_) => "awx.main.models.rbac.Role_members",
        Grantee::Team(_) => "awx.main.models.rbac.Role_parents",
    };
    let entry = ActivityEntry {
        operation,
        changes: json!({
            "object1": name1, "object1_pk": id1, "object2": name2, "object2_pk": id2,
            "action": operation, "relationship": relationship,
        }),
        object1: name1.into(),
        object2: name2.into(),
        association: "role",
        object_type: resource.name.into(),
        links: vec![(resource.name.into(), object), (type_name.into(), grantee_id), ("role".into(), role.id)],
        setting: None,
    };
    entry.write(engine, tx, actor).await
}

/// Creates the managed role definition of a role, if it is one that is created with the first grant and does not exist
/// yet.
async fn ensure_definition(
    engine: &Engine,
    tx: &mut Transaction,
    resource: &'static Resource,
    role: &'static ObjectRole,
) -> Result<(), Error> {
    if role.compatible.is_empty() {
        return Ok(());
    }
    tx.lock("role_definitions").await?;
    let known = Query::select()
        .expr(column("role_definitions", "id"))
        .from(Alias::new("role_definitions"))
        .and_where(column("role_definitions", "role_type").eq(resource.name))
        .and_where(column("role_definitions", "role_field").eq(role.field))
        .to_owned();
    if !tx.read(&known, &[Type::Integer]).await?.is_empty() {
        return Ok(());
    }
    let now = engine.clock.now();
    let insert = Query::insert()
        .into_table(Alias::new("role_definitions"))
        .columns(
            [
                "created",
                "modified",
                "managed",
                "name",
                "description",
                "content_type",
                "role_type",
                "role_field",
                "permissions",
            ]
            .map(Alias::new),
        )
        .values_panic([
            now.into(),
            now.into(),
            true.into(),
            format!("{} {} Compat", resource.label, role.name).into(),
            format!("{}.", role.description).into(),
            resource.content_type().into(),
            resource.name.into(),
            role.field.into(),
            json!(role.compatible).to_string().into(),
        ])
        .to_owned();
    tx.insert(&insert).await?;
    Ok(())
}

/// Inserts or deletes the grant. Returns whether anything changed.
async fn set_grant(
    engine: &Engine,
    tx: &mut Transaction,
    actor: Option<i64>,
    role: i64,
    grantee: Grantee,
    grant: bool,
) -> Result<bool, Error> {
    let (_, grantee_column, id) = grantee.parts();
    let existing = Query::select()
        .expr(column("grants", "id"))
        .from(Alias::new("grants"))
        .and_where(column("grants", "role_id").eq(role))
        .and_where(column("grants", grantee_column).eq(id))
        .to_owned();
    let row = tx.read(&existing, &[Type::Integer]).await?.first().and_then(|row| row.integer(0));
    match (row, grant) {
        (None, true) => {
            let insert = Query::insert()
                .into_table(Alias::new("grants"))
                .columns(["role_id", grantee_column, "created", "created_by_id"].map(Alias::new))
                .values_panic([role.into(), id.into(), engine.clock.now().into(), actor.into()])
                .to_owned();
            tx.insert(&insert).await?;
            Ok(true)
        }
        (Some(row), false) => {
            let delete =
                Query::delete().from_table(Alias::new("grants")).and_where(column("grants", "id").eq(row)).to_owned();
            tx.execute(&delete).await?;
            Ok(true)
        }
        _ => Ok(false),
    }
}
