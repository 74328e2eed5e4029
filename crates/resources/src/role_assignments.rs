//! Role assignments: the grants in AWX's newer view. Two database views read them; writes change the same grants as
//! the older view.

use async_trait::async_trait;
use hostler_access::rule_on_object;
use hostler_engine::{
    Engine, Error, Grantee, Hooks, ObjectKey, RenderContext, ResponseObject, can_grant_roles, find_id, summarize,
};
use hostler_schema::{Access, Action, Actor, Draft, Field, Resource, Rule, column, fields};
use sea_query::{Alias, Expr, ExprTrait, Query, UnionType};
use serde_json::{Map, Value as Json};

use crate::common::{CREATED, CREATOR, types_with_roles};
use crate::role_definitions::CONTENT_TYPES;
use crate::{ROLE_DEFINITION, TEAM, USER};

const CONTENT_TYPE: Field = fields::choice("content_type", CONTENT_TYPES)
    .type_name("id")
    .label("Content type")
    .nullable()
    .read_only()
    .help("The type of the object.");
const OBJECT_ID: Field =
    fields::text("object_id").label("Object id").nullable().help("The object on which the role is assigned.");
const OBJECT_TYPE: Field = fields::text("object_type")
    .label("Object type")
    .nullable()
    .read_only()
    .hidden()
    .help("The type of the object, as the engine names it.");
const OBJECT_NUMBER: Field = fields::integer("object_number")
    .label("Object number")
    .nullable()
    .read_only()
    .hidden()
    .help("The object's id as a number.");
const OBJECT_ANSIBLE_ID: Field = fields::computed("object_ansible_id")
    .type_name("string")
    .label("Object ansible id")
    .sent_to_hooks()
    .help("The object's identity across systems.");
const DEFINITION: Field = fields::link("role_definition", "role_definition_id", || &ROLE_DEFINITION)
    .label("Role definition")
    .required()
    .summarized()
    .help("The role that is assigned.");
/// POST takes `user_ansible_id` instead.
const USER_LINK: Field =
    fields::link("user", "user_id", || &USER).label("User").summarized().help("Who is assigned the role.");
/// POST takes `team_ansible_id` instead.
const TEAM_LINK: Field =
    fields::link("team", "team_id", || &TEAM).label("Team").summarized().help("Which team is assigned the role.");
const USER_ANSIBLE_ID: Field = fields::computed("user_ansible_id")
    .type_name("string")
    .label("User ansible id")
    .sent_to_hooks()
    .help("The user's identity across systems.");
const TEAM_ANSIBLE_ID: Field = fields::computed("team_ansible_id")
    .type_name("string")
    .label("Team ansible id")
    .sent_to_hooks()
    .help("The team's identity across systems.");

/// Assignments to users.
pub static USER_ASSIGNMENT: Resource = Resource {
    type_label: "Role User Assignment",
    list_title: "Role User Assignment List",
    detail_title: "Role User Assignment Detail",
    description: "Roles assigned to users. Users see their own, and those on objects that they administer.",
    ..assignment(
        "role_user_assignment",
        "role_user_assignments",
        "RoleUserAssignment",
        &[
            fields::id(),
            CREATED,
            CREATOR,
            CONTENT_TYPE,
            OBJECT_ID,
            OBJECT_ANSIBLE_ID,
            DEFINITION,
            USER_LINK,
            USER_ANSIBLE_ID,
            OBJECT_TYPE,
            OBJECT_NUMBER,
        ],
        &AssignmentAccess { grantee: "user_id" },
    )
};

/// Assignments to teams.
pub static TEAM_ASSIGNMENT: Resource = Resource {
    type_label: "Role Team Assignment",
    list_title: "Role Team Assignment List",
    detail_title: "Role Team Assignment Detail",
    description: "Roles assigned to teams. Users see those of their own teams, and those on objects that they administer.",
    ..assignment(
        "role_team_assignment",
        "role_team_assignments",
        "RoleTeamAssignment",
        &[
            fields::id(),
            CREATED,
            CREATOR,
            CONTENT_TYPE,
            OBJECT_ID,
            OBJECT_ANSIBLE_ID,
            DEFINITION,
            TEAM_LINK,
            TEAM_ANSIBLE_ID,
            OBJECT_TYPE,
            OBJECT_NUMBER,
        ],
        &AssignmentAccess { grantee: "team_id" },
    )
};

const fn assignment(
    name: &'static str,
    plural: &'static str,
    label: &'static str,
    fields: &'static [Field],
    access: &'static dyn Access,
) -> Resource {
    let mut resource = Resource::new(name, plural, label, fields, access);
    resource.summarized_as = &[];
    resource.search = &[];
    resource.editable = false;
    resource.capabilities = false;
    resource.is_view = true;
    resource.recorded = false;
    resource
}

/// Who sees and revokes assignments. `grantee` is the column of `grants` with the user or team.
struct AssignmentAccess {
    grantee: &'static str,
}

impl Access for AssignmentAccess {
    fn rows(&self, actor: &Actor, action: Action, row: &str) -> Rule {
        if actor.is_superuser || (actor.is_system_auditor && action == Action::Read) {
            return Rule::All;
        }
        // Selected first, so that a list reads these grants instead of testing all.
        let grants = |condition: Expr| {
            Query::select()
                .expr(column("grants", "id"))
                .from(Alias::new("grants"))
                .and_where(column("grants", self.grantee).is_not_null())
                .and_where(condition)
                .to_owned()
        };
        let mut seen = grants(match (action, self.grantee) {
            (Action::Read, "user_id") => column("grants", "user_id").eq(actor.id),
            (Action::Read, _) => column("grants", "team_id").in_subquery(hostler_access::teams_of_user(actor.id)),
            _ => Expr::Constant(false.into()),
        });
        for resource in types_with_roles() {
            let administered = can_grant_roles(resource, actor, "administered_object");
            if matches!(administered, Rule::When(_)) {
                let objects = administered.ids(resource.table, "administered_object");
                let roles = Query::select()
                    .expr(column("administered", "id"))
                    .from_as(Alias::new("roles"), Alias::new("administered"))
                    .and_where(column("administered", "content_type").eq(resource.name))
                    .and_where(column("administered", "object_id").in_subquery(objects))
                    .to_owned();
                seen.union(UnionType::All, grants(column("grants", "role_id").in_subquery(roles)));
            }
        }
        Rule::When(column(row, "id").in_subquery(seen))
    }

    fn create(&self, actor: &Actor, _draft: Draft<'_>) -> Rule {
        // The object is known only from the body; granting checks the permission on it.
        types_with_roles()
            .map(|resource| rule_on_object(resource, None, |row| can_grant_roles(resource, actor, row)))
            .fold(Rule::from_bool(actor.is_superuser), Rule::or)
    }
}

/// Assigns and revokes roles.
pub struct AssignmentHooks {
    /// Whether the assignments are to teams.
    pub to_team: bool,
}

#[async_trait]
impl Hooks for AssignmentHooks {
    async fn create_override(
        &self,
        engine: &Engine,
        actor: &Actor,
        body: &Map<String, Json>,
    ) -> Option<Result<i64, Error>> {
        Some(self.assign(engine, actor, body).await)
    }

    async fn delete_override(&self, engine: &Engine, actor: &Actor, target: &ObjectKey) -> Option<Result<(), Error>> {
        Some(self.unassign(engine, actor, target).await)
    }

    async fn enrich(
        &self,
        engine: &Engine,
        context: RenderContext<'_>,
        page: &mut [ResponseObject],
    ) -> Result<(), Error> {
        let (link, key, target) = self.grantee();
        let holders: Vec<i64> = page.iter().filter_map(|shown| shown.loaded.record.integer(&link)).collect();
        let holders = ansible_ids(engine, target, holders).await?;
        for shown in page.iter_mut() {
            let id = shown.loaded.record.integer(&link);
            let known =
                holders.iter().find(|(holder, _)| Some(*holder) == id).map(|(_, ansible_id)| ansible_id.as_str());
            shown.json.insert(key.into(), known.into());
            shown.json.insert(OBJECT_ANSIBLE_ID.name.into(), Json::Null);
        }
        for resource in types_with_roles() {
            let of_type = |shown: &&mut ResponseObject| shown.loaded.record.text(&OBJECT_TYPE) == resource.name;
            let ids: Vec<i64> = page
                .iter_mut()
                .filter(of_type)
                .filter_map(|shown| shown.loaded.record.integer(&OBJECT_NUMBER))
                .collect();
            if ids.is_empty() {
                continue;
            }
            let summaries = summarize(engine, context.actor, resource, &ids).await?;
            let objects = ansible_ids(engine, resource, ids).await?;
            for shown in page.iter_mut().filter(of_type) {
                let Some(id) = shown.loaded.record.integer(&OBJECT_NUMBER) else { continue };
                shown.add_related("content_object", resource.url(id).into());
                if let Some((_, summary)) = summaries.iter().find(|(object, _)| *object == id) {
                    shown.add_summary("content_object", summary.clone().into());
                }
                if let Some((_, ansible_id)) = objects.iter().find(|(object, _)| *object == id) {
                    shown.json.insert(OBJECT_ANSIBLE_ID.name.into(), ansible_id.as_str().into());
                }
            }
        }
        Ok(())
    }
}

impl AssignmentHooks {
    /// The link to the grantee, the key of its identity across systems, and its type.
    fn grantee(&self) -> (Field, &'static str, &'static Resource) {
        if self.to_team { (TEAM_LINK, TEAM_ANSIBLE_ID.name, &TEAM) } else { (USER_LINK, USER_ANSIBLE_ID.name, &USER) }
    }

    async fn assign(&self, engine: &Engine, actor: &Actor, body: &Map<String, Json>) -> Result<i64, Error> {
        let listed = if self.to_team { &TEAM_ASSIGNMENT } else { &USER_ASSIGNMENT };
        engine.require(actor, listed.access.create(actor, &|_| None)).await?;
        let (link, key, target) = self.grantee();
        let definition =
            number(body, DEFINITION.name)?.ok_or_else(|| Error::field(DEFINITION.name, "This field is required."))?;
        let holder = match number(body, link.name)? {
            Some(id) => id,
            None => by_ansible_id(engine, target, body.get(key))
                .await?
                .ok_or_else(|| Error::field(link.name, "This field is required."))?,
        };
        let role = self.role(engine, actor, definition, body).await?;
        let grantee = if self.to_team { Grantee::Team(holder) } else { Grantee::User(holder) };
        engine.change_grant(actor, role, grantee, true).await.map_err(|failure| match failure {
            Error::BadRequest(_) => {
                Error::field(link.name, format!("Invalid pk \"{holder}\" - object does not exist."))
            }
            other => other,
        })?;
        let query = Query::select()
            .expr(column("grants", "id"))
            .from(Alias::new("grants"))
            .and_where(column("grants", "role_id").eq(role))
            .and_where(column("grants", link.column).eq(holder))
            .to_owned();
        let grant = engine.database.read_first(&query).await?;
        grant.ok_or_else(|| Error::Conflict("The role was revoked at the same moment.".into()))
    }

    /// The role of this definition on the object that the body names.
    async fn role(
        &self,
        engine: &Engine,
        actor: &Actor,
        definition: i64,
        body: &Map<String, Json>,
    ) -> Result<i64, Error> {
        let query = Query::select()
            .exprs(["content_type", "role_field"].map(|name| column("role_definitions", name)))
            .from(Alias::new("role_definitions"))
            .and_where(column("role_definitions", "id").eq(definition))
            .to_owned();
        let found: Option<(Option<String>, Option<String>)> = engine.database.read_first(&query).await?;
        let (content_type, older) = found.ok_or_else(|| {
            Error::field(DEFINITION.name, format!("Invalid pk \"{definition}\" - object does not exist."))
        })?;
        let Some(content_type) = content_type else {
            // The only definition without a type is the system auditor.
            return engine.system_role(&older.unwrap_or_default()).await;
        };
        let resource = types_with_roles().find(|resource| resource.content_type() == content_type);
        let resource = resource.ok_or_else(|| Error::NotImplemented(format!("objects of type {content_type}")))?;
        let object = match number(body, OBJECT_ID.name)? {
            Some(id) => id,
            None => by_ansible_id(engine, resource, body.get(OBJECT_ANSIBLE_ID.name))
                .await?
                .ok_or_else(|| Error::field(OBJECT_ID.name, "Name the object on which to assign the role."))?,
        };
        find_id(engine, actor, resource, &ObjectKey::Id(object)).await.map_err(|failure| match failure {
            Error::NotFound(_) => {
                Error::field(OBJECT_ID.name, format!("Invalid pk \"{object}\" - object does not exist."))
            }
            other => other,
        })?;
        match older {
            Some(field) => engine.object_role((resource, object), &field).await,
            None => engine.definition_role(actor, definition, (resource, object)).await,
        }
    }

    async fn unassign(&self, engine: &Engine, actor: &Actor, target: &ObjectKey) -> Result<(), Error> {
        let (link, _, _) = self.grantee();
        let listed = if self.to_team { &TEAM_ASSIGNMENT } else { &USER_ASSIGNMENT };
        let id = find_id(engine, actor, listed, target).await?;
        let query = Query::select()
            .exprs(["role_id", link.column].map(|name| column("grants", name)))
            .from(Alias::new("grants"))
            .and_where(column("grants", "id").eq(id))
            .to_owned();
        let grant: Option<(i64, i64)> = engine.database.read_first(&query).await?;
        let (role, holder) = grant.ok_or(Error::NotFound(Some(listed.label)))?;
        let grantee = if self.to_team { Grantee::Team(holder) } else { Grantee::User(holder) };
        engine.change_grant(actor, role, grantee, false).await
    }
}

/// A number in a body; none if the key is absent or null.
fn number(body: &Map<String, Json>, key: &str) -> Result<Option<i64>, Error> {
    let number = match body.get(key) {
        None | Some(Json::Null) => return Ok(None),
        Some(Json::String(text)) => text.trim().parse().ok(),
        Some(other) => other.as_i64(),
    };
    number.map(Some).ok_or_else(|| Error::field(key, "A valid integer is required."))
}

/// The identities across systems of these objects, if the type has them.
async fn ansible_ids(engine: &Engine, resource: &'static Resource, ids: Vec<i64>) -> Result<Vec<(i64, String)>, Error> {
    if ids.is_empty() || resource.shared_type.is_none() {
        return Ok(vec![]);
    }
    let query = Query::select()
        .exprs(["id", "ansible_id"].map(|name| column(resource.table, name)))
        .from(Alias::new(resource.table))
        .and_where(column(resource.table, "id").is_in(ids))
        .to_owned();
    Ok(engine.database.read_as(&query).await?)
}

/// The id of the object with this identity.
async fn by_ansible_id(
    engine: &Engine,
    resource: &'static Resource,
    sent: Option<&Json>,
) -> Result<Option<i64>, Error> {
    // PostgreSQL does not take a NUL in a text.
    let sent = sent.and_then(Json::as_str).filter(|text| !text.contains('\0'));
    let (Some(wanted), true) = (sent, resource.shared_type.is_some()) else { return Ok(None) };
    let query = Query::select()
        .expr(column(resource.table, "id"))
        .from(Alias::new(resource.table))
        .and_where(column(resource.table, "ansible_id").eq(wanted))
        .to_owned();
    Ok(engine.database.read_first(&query).await?)
}
