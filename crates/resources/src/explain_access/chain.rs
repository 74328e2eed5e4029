//! The chains of grants and implications by which a user comes to a role or permission.

use std::collections::BTreeMap;

use hostler_database::Type;
use hostler_engine::{Engine, Error};
use hostler_schema::{Actor, ImpliedBy, Resource, Singleton, column};
use sea_query::{Alias, Expr, ExprTrait, Query};
use serde_json::{Value as Json, json};

use crate::access_list::object_names;
use crate::access_paths::{AccessPath, access_paths};
use crate::{ORGANIZATION, TEAM, USER};

type Names = BTreeMap<(&'static str, i64), (String, bool)>;

/// What leads to something.
#[derive(Default)]
pub(super) struct Requirement {
    /// This role of the object.
    pub role: Option<(&'static Resource, &'static str)>,
    /// These roles of its organization, each by itself.
    pub organization: Vec<&'static str>,
    /// The permission itself, by a custom definition.
    pub permission: Option<String>,
}

/// Everything that a user was granted and that may lead to an object, as far as
/// whoever asks can see it.
pub(super) struct AccessChains<'a> {
    subject: &'a Actor,
    object: (&'static Resource, i64),
    organization: Option<i64>,
    paths: Vec<AccessPath>,
    names: Names,
}

impl<'a> AccessChains<'a> {
    /// Reads what `subject` was granted, to be told to `actor`.
    pub async fn gather(
        engine: &Engine,
        actor: &Actor,
        subject: &'a Actor,
        resource: &'static Resource,
        id: i64,
    ) -> Result<Self, Error> {
        // What has no roles of its own is explained by those of its organization.
        let organization = match resource.organization_column() {
            Some(link) if resource.roles.is_empty() => organization_of(engine, resource, link, id).await?,
            _ => None,
        };
        let found = match organization {
            Some(organization) => access_paths(engine, &ORGANIZATION, organization, &[subject.id]).await?,
            None => access_paths(engine, resource, id, &[subject.id]).await?,
        };
        let names = object_names(engine, actor, &found).await?;
        let found = found.into_iter().filter(|path| all_visible(path, &names)).collect();
        Ok(AccessChains { subject, object: (resource, id), organization, paths: found, names })
    }

    /// The shortest chain; none if no grant that may be told leads there.
    pub fn shortest(&self, through: &Requirement) -> Option<Vec<Json>> {
        let chains = self.paths.iter().flat_map(|path| self.chains(path, through));
        chains.min_by_key(Vec::len)
    }

    /// The chains that begin with one grant.
    fn chains(&self, path: &AccessPath, through: &Requirement) -> Vec<Vec<Json>> {
        let mut found = vec![];
        let permits = |chain: &mut Vec<Json>| {
            if let Some(permission) = &through.permission {
                chain.push(json!({"permits": permission}));
            }
        };
        if let Some(definition) = &path.definition {
            let gives = through.permission.as_ref().is_some_and(|wanted| definition.permissions.contains(wanted));
            if let (true, Some((mut chain, holder, granted))) = (gives, self.start(path)) {
                chain.push(json!({
                    "holder": holder, "holds": definition.name, "of": granted,
                    "role_definition": format!("/api/v2/role_definitions/{}/", definition.id),
                }));
                permits(&mut chain);
                found.push(chain);
            }
            return found;
        }
        let mut ends = vec![];
        ends.extend(through.role.map(|(resource, field)| (resource, self.object.1, field)));
        if let Some(organization) = self.organization {
            ends.extend(through.organization.iter().map(|field| (&ORGANIZATION, organization, *field)));
        }
        for (resource, id, field) in ends {
            let Some(steps) = steps(path, resource, id, field) else { continue };
            let Some((mut chain, holder, granted)) = self.start(path) else { continue };
            let role = format!("/api/v2/roles/{}/", path.role);
            chain.push(json!({"holder": holder, "holds": path.field, "of": granted, "role": role}));
            for step in &steps[1..] {
                let (of, field) = match step {
                    ImpliedBy::Own(field) => (resource.name, *field),
                    ImpliedBy::Organization(field) => (ORGANIZATION.name, *field),
                    ImpliedBy::Team(field) => (TEAM.name, *field),
                    ImpliedBy::System(singleton) => ("system", singleton.field()),
                };
                chain.push(json!({"implies": field, "of": of}));
            }
            permits(&mut chain);
            found.push(chain);
        }
        // Above all objects, whatever their type.
        let above = |singleton: Singleton| path.content_type.is_none() && path.field == singleton.field();
        let views = through.permission.as_deref() == Some(&self.object.0.permission("view"));
        if found.is_empty() && (above(Singleton::Administrator) || (above(Singleton::Auditor) && views)) {
            let role = format!("/api/v2/roles/{}/", path.role);
            let holder = self.holder();
            let mut chain = vec![json!({"holder": holder, "holds": path.field, "of": null, "role": role})];
            permits(&mut chain);
            found.push(chain);
        }
        found
    }

    fn holder(&self) -> Json {
        json!({"type": USER.name, "id": self.subject.id, "name": self.subject.username})
    }

    /// How the user comes to hold the grant, who then holds it, and on what it is.
    fn start(&self, path: &AccessPath) -> Option<(Vec<Json>, Json, Json)> {
        let mut chain = vec![];
        let mut holder = self.holder();
        if let Some(team) = &path.team {
            let (team_name, _) = self.names.get(&(TEAM.name, team.id))?;
            let what = if team.as_organization_admin { ORGANIZATION.name } else { TEAM.name };
            chain.push(json!({"holder": holder, "holds": team.field, "of": what, "and_so_belongs_to": team_name}));
            holder = json!({"type": TEAM.name, "id": team.id, "name": team_name});
        }
        let granted = match (path.content_type.as_deref(), path.object) {
            (Some(content_type), Some(object)) => {
                let known = self.names.iter().find(|((name, id), _)| *name == content_type && *id == object);
                json!({"type": content_type, "id": object, "name": known?.1.0})
            }
            _ => Json::Null,
        };
        Some((chain, holder, granted))
    }
}

/// Whether the actor may see every object that a path leads through.
fn all_visible(path: &AccessPath, names: &Names) -> bool {
    let known =
        |content_type: &str, id: i64| names.iter().any(|((name, known), _)| *name == content_type && *known == id);
    let object = match (&path.content_type, path.object) {
        (Some(content_type), Some(id)) => known(content_type, id),
        _ => true,
    };
    object && path.team.as_ref().is_none_or(|team| known(TEAM.name, team.id))
}

/// The steps from the role that was granted to this role of the object.
fn steps(path: &AccessPath, resource: &'static Resource, id: i64, field: &'static str) -> Option<Vec<ImpliedBy>> {
    let held = match (path.content_type.as_deref(), path.object) {
        (None, _) if path.field == Singleton::Administrator.field() => ImpliedBy::System(Singleton::Administrator),
        (None, _) => ImpliedBy::System(Singleton::Auditor),
        (Some(name), Some(object)) if name == resource.name && object == id => {
            ImpliedBy::Own(resource.role(&path.field)?.field)
        }
        (Some(name), _) if name == TEAM.name => ImpliedBy::Team(TEAM.role(&path.field)?.field),
        (Some(_), _) => ImpliedBy::Organization(ORGANIZATION.role(&path.field)?.field),
    };
    match hostler_access::implication_path(resource, field, held) {
        // Superusers may do everything, whether or not the graph says so.
        None if held == ImpliedBy::System(Singleton::Administrator) => Some(vec![held, ImpliedBy::Own(field)]),
        steps => steps,
    }
}

/// The organization of an object.
async fn organization_of(
    engine: &Engine,
    resource: &'static Resource,
    link: &'static str,
    id: i64,
) -> Result<Option<i64>, Error> {
    let query = Query::select()
        .expr(column(resource.table, link))
        .from(Alias::new(resource.table))
        .and_where(column(resource.table, "id").eq(Expr::val(id)))
        .to_owned();
    let rows = engine.database.read(&query, &[Type::Integer]).await?;
    Ok(rows.first().and_then(|row| row.integer(0)))
}
