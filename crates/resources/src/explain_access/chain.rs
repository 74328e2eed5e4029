//! Chains of grants and implications that give a user a role or permission.

use hostler_database::Type;
use hostler_engine::{Engine, Error};
use hostler_schema::{Action, Actor, ImpliedBy, Resource, Singleton, column};
use sea_query::{Alias, Expr, ExprTrait, Query};
use serde_json::{Value as Json, json};

use crate::access_list::VisibleNames;
use crate::access_paths::{AccessPath, access_paths};
use crate::{ORGANIZATION, TEAM, USER};

/// What gives a role or permission: any of these.
#[derive(Default)]
pub(super) struct Requirement {
    /// This role of the object.
    pub role: Option<(&'static Resource, &'static str)>,
    /// These roles of its organization, each by itself.
    pub organization: Vec<&'static str>,
    /// The permission itself, by a custom definition.
    pub permission: Option<String>,
}

/// The grants of a user that give access to an object, without those that the actor may not see.
pub(super) struct AccessChains<'a> {
    subject: &'a Actor,
    object: (&'static Resource, i64),
    organization: Option<i64>,
    paths: Vec<AccessPath>,
    names: VisibleNames,
}

impl<'a> AccessChains<'a> {
    /// Reads the grants of `subject` that `actor` may see.
    pub async fn load(
        engine: &Engine,
        actor: &Actor,
        subject: &'a Actor,
        resource: &'static Resource,
        id: i64,
    ) -> Result<Self, Error> {
        let by_organization = [Action::Read, Action::Change, Action::Delete]
            .into_iter()
            .any(|action| !resource.access.organization_roles(action).is_empty());
        let organization = match resource.organization_column() {
            Some(link) if by_organization => organization_of(engine, resource, link, id).await?,
            _ => None,
        };
        let mut found = match organization {
            Some(_) if resource.roles.is_empty() && resource.role_resource.is_none() => vec![],
            _ => access_paths(engine, resource, id, &[subject.id]).await?,
        };
        if let Some(organization) = organization {
            found.extend(access_paths(engine, &ORGANIZATION, organization, &[subject.id]).await?);
        }
        let names = VisibleNames::read(engine, actor, &found).await?;
        let found = found.into_iter().filter(|path| all_visible(path, &names)).collect();
        Ok(AccessChains { subject, object: (resource, id), organization, paths: found, names })
    }

    /// The shortest chain; none if no visible grant meets the requirement.
    pub fn shortest(&self, requirement: &Requirement) -> Option<Vec<Json>> {
        let chains = self.paths.iter().flat_map(|path| self.chains(path, requirement));
        chains.min_by_key(Vec::len)
    }

    /// The chains that begin with one grant.
    fn chains(&self, path: &AccessPath, requirement: &Requirement) -> Vec<Vec<Json>> {
        let mut found = vec![];
        let permits = |chain: &mut Vec<Json>| {
            if let Some(permission) = &requirement.permission {
                chain.push(json!({"permits": permission}));
            }
        };
        if let Some(definition) = &path.definition {
            let gives = requirement.permission.as_ref().is_some_and(|wanted| definition.permissions.contains(wanted));
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
        ends.extend(requirement.role.map(|(resource, field)| (resource, self.object.1, field)));
        if let Some(organization) = self.organization {
            ends.extend(requirement.organization.iter().map(|field| (&ORGANIZATION, organization, *field)));
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
        // System-wide roles apply to every type, with or without an edge in the graph.
        let by_singleton = |singleton: Singleton| path.content_type.is_none() && path.field == singleton.field();
        let views = requirement.permission.as_deref() == Some(&self.object.0.permission("view"));
        if found.is_empty() && (by_singleton(Singleton::Administrator) || (by_singleton(Singleton::Auditor) && views)) {
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

    /// The start of a chain: the membership of a team, if the grant is a team's; the grantee; the object.
    fn start(&self, path: &AccessPath) -> Option<(Vec<Json>, Json, Json)> {
        let mut chain = vec![];
        let mut holder = self.holder();
        if let Some(team) = &path.team {
            let team_name = self.names.name(TEAM.name, team.id)?;
            let what = if team.as_organization_admin { ORGANIZATION.name } else { TEAM.name };
            chain.push(json!({"holder": holder, "holds": team.field, "of": what, "and_so_belongs_to": team_name}));
            holder = json!({"type": TEAM.name, "id": team.id, "name": team_name});
        }
        let granted = match (path.content_type.as_deref(), path.object) {
            (Some(content_type), Some(object)) => {
                json!({"type": content_type, "id": object, "name": self.names.name(content_type, object)?})
            }
            _ => Json::Null,
        };
        Some((chain, holder, granted))
    }
}

/// Whether the actor may see every object on a path.
fn all_visible(path: &AccessPath, names: &VisibleNames) -> bool {
    let object = match (&path.content_type, path.object) {
        (Some(content_type), Some(id)) => names.name(content_type, id).is_some(),
        _ => true,
    };
    object && path.team.as_ref().is_none_or(|team| names.name(TEAM.name, team.id).is_some())
}

/// The steps from the role that was granted to this role of the object.
fn steps(path: &AccessPath, resource: &'static Resource, id: i64, field: &'static str) -> Option<Vec<ImpliedBy>> {
    let granted = match (path.content_type.as_deref(), path.object) {
        (None, _) if path.field == Singleton::Administrator.field() => ImpliedBy::System(Singleton::Administrator),
        (None, _) => ImpliedBy::System(Singleton::Auditor),
        (Some(name), Some(object)) if name == resource.name && object == id => {
            ImpliedBy::Own(resource.role(&path.field)?.field)
        }
        (Some(name), _) if name == TEAM.name => ImpliedBy::Team(TEAM.role(&path.field)?.field),
        (Some(_), _) => ImpliedBy::Organization(ORGANIZATION.role(&path.field)?.field),
    };
    match hostler_access::implication_path(resource, field, granted) {
        // Superusers may do everything, with or without an edge in the graph.
        None if granted == ImpliedBy::System(Singleton::Administrator) => Some(vec![granted, ImpliedBy::Own(field)]),
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
