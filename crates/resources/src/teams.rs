//! Teams: groups of users that roles are granted to.

use async_trait::async_trait;
use hostler_access::{has_role, has_role_on, has_role_or_permission, implying_roles, objects_with_role};
use hostler_database::Transaction;
use hostler_engine::{ActivityEntry, AssociationRequest, Edit, Engine, Error, Grantee, Hooks};
use hostler_schema::{
    Access, Action, Actor, DefaultValue, Draft, Field, ImpliedBy, Join, NaturalKeyPart, ObjectRole, Post, Relation,
    Resource, Rule, Singleton, Sublist, UniqueConstraint, column, fields,
};
use sea_query::ExprTrait;
use serde_json::{Map, Value as Json, json};

use crate::common::{
    CREATED, CREATED_BY, InheritedAccess, MODIFIED, MODIFIED_BY, activity_stream, granted_roles, identity, roles_of,
    users_with_role,
};
use crate::credential_owners::belongs_to_team;
use crate::{CREDENTIAL, ORGANIZATION, PROJECT, ROLE, USER, access_paths, projects};

const NAME: Field =
    fields::text("name").label("Name").max(512).required().help("The name of the team; unique in its organization.");
const DESCRIPTION: Field =
    fields::text("description").label("Description").default(DefaultValue::Text("")).help("What the team is for.");
const ORGANIZATION_LINK: Field = fields::link("organization", "organization_id", || &ORGANIZATION)
    .label("Organization")
    .required()
    .summarized()
    .reverse("teams")
    .help("The organization that the team belongs to.");

const ROLES: &[ObjectRole] = &[
    ObjectRole::new(
        "admin_role",
        "Admin",
        "Can manage all aspects of the team",
        &[ImpliedBy::Organization("admin_role")],
    ),
    ObjectRole::new("member_role", "Member", "User is a member of the team", &[ImpliedBy::Own("admin_role")]),
    ObjectRole::new(
        "read_role",
        "Read",
        "May view settings for the team",
        &[
            ImpliedBy::Own("admin_role"),
            ImpliedBy::Own("member_role"),
            ImpliedBy::Organization("auditor_role"),
            ImpliedBy::System(Singleton::Auditor),
        ],
    )
    .compatible(&["shared.view_team"]),
];

static IDENTITY: Resource = identity("teams", &InheritedAccess(|| &TEAM));

const RELATIONS: &[Relation] = &[
    Relation::new("resource", || &IDENTITY, Join::SameRow),
    Relation::new("member_roles", || &ROLE, granted_roles("team_id")),
    Relation::new("has_roles", || &ROLE, granted_roles("team_id")),
    Relation::new("role_assignments", || &ROLE, granted_roles("team_id")),
];

/// The list of the roles that the team was granted.
const ROLES_LIST: &str = "roles";

const SUBLISTS: &[Sublist] = &[
    Sublist::new(
        "users",
        "Team Users List",
        || &USER,
        Join::Condition(|id, other| users_with_role("team", "member_role", id, other)),
    )
    .post(Post::Grant("member_role")),
    Sublist::new(ROLES_LIST, "Team Roles List", || &ROLE, granted_roles("team_id")).post(Post::GrantByHook),
    Sublist::new("projects", "Team Projects List", || &PROJECT, Join::Condition(projects::granted_to_team)),
    Sublist::new("credentials", "Team Credentials List", || &CREDENTIAL, Join::Condition(belongs_to_team))
        .post(Post::Create("team")),
    Sublist::new(
        "object_roles",
        "Team Object Roles List",
        || &ROLE,
        Join::Condition(|id, other| roles_of("team", id, other)),
    ),
    activity_stream("team", "Team Activity Stream List"),
    Sublist::new(
        "access_list",
        "Team Access List",
        || &USER,
        Join::Condition(|id, other| access_paths::with_access_to(&TEAM, id, other)),
    )
    .visible_to_readers(),
];

/// Teams.
pub static TEAM: Resource = Resource {
    list_title: "Team List",
    detail_title: "Team Detail",
    description: "A team belongs to one organization. Roles granted to a team apply to its members, to its admins and to \
                  the admins of its organization.",
    relations: RELATIONS,
    sublists: SUBLISTS,
    natural_key: &[NaturalKeyPart::Field("name"), NaturalKeyPart::Link("organization")],
    unique: &[UniqueConstraint {
        fields: &["organization", "name"],
        key: "__all__",
        message: "Team with this Organization and Name already exists.",
    }],
    roles: ROLES,
    role_resource: Some(|| &crate::ROLE),
    shared_type: Some("shared.team"),
    ..Resource::new(
        "team",
        "teams",
        "Team",
        &[fields::id(), CREATED, MODIFIED, CREATED_BY, MODIFIED_BY, NAME, DESCRIPTION, ORGANIZATION_LINK],
        &TeamAccess,
    )
};

/// The role of an organization that shows its teams.
const MEMBER: &str = "member_role";

struct TeamAccess;

impl Access for TeamAccess {
    fn rows(&self, actor: &Actor, action: Action, row: &str) -> Rule {
        match action {
            // The setting shows all users and teams to organization admins, so that they can grant roles to them.
            Action::Read if actor.policy.org_admins_see_all_users && actor.is_organization_admin => Rule::All,
            Action::Read => {
                has_role_or_permission(&TEAM, "read_role", "view", actor, row).or(of_own_organization(actor, row))
            }
            Action::Change if may_manage(actor) => has_role_or_permission(&TEAM, "admin_role", "change", actor, row),
            Action::Delete if may_manage(actor) => has_role_or_permission(&TEAM, "admin_role", "delete", actor, row),
            _ => Rule::None,
        }
    }

    fn organization_roles(&self, action: Action) -> Vec<&'static str> {
        match action {
            Action::Read => vec![MEMBER],
            Action::Change | Action::Delete => vec![],
        }
    }

    /// By role: organization admins and members see teams without having a role on them.
    fn activity(&self, actor: &Actor, row: &str) -> Rule {
        has_role(&TEAM, "read_role", actor, row)
    }

    fn create(&self, actor: &Actor, draft: Draft<'_>) -> Rule {
        if may_manage(actor) {
            has_role_on(&ORGANIZATION, "admin_role", actor, draft("organization"))
        } else {
            Rule::None
        }
    }
}

/// The team belongs to an organization of which the actor is a member.
fn of_own_organization(actor: &Actor, row: &str) -> Rule {
    let organizations = objects_with_role(ORGANIZATION.name, &implying_roles(&ORGANIZATION, MEMBER).own, actor);
    Rule::When(column(row, ORGANIZATION_LINK.column).in_subquery(organizations))
}

fn may_manage(actor: &Actor) -> bool {
    actor.is_superuser || actor.policy.manage_organization_auth
}

/// Refuses to move teams, and grants roles to them.
pub struct TeamHooks;

#[async_trait]
impl Hooks for TeamHooks {
    fn authorize(&self, edit: &Edit<'_>) -> Result<(), Error> {
        // The admins of the new organization would get the team's grants.
        if !edit.is_new() && edit.changes(&ORGANIZATION_LINK) && !edit.actor.is_superuser {
            return Err(Error::Forbidden(Some("Unable to change organization on a team.".into())));
        }
        Ok(())
    }

    async fn after_save(&self, engine: &Engine, tx: &mut Transaction, edit: &Edit<'_>, id: i64) -> Result<(), Error> {
        let Some(left) = edit.old.as_ref().and_then(|old| old.integer(&ORGANIZATION_LINK)) else { return Ok(()) };
        if !edit.changes(&ORGANIZATION_LINK) {
            return Ok(());
        }
        // One entry for each role of the old organization that implied a role of the team.
        let lost =
            ROLES.iter().flat_map(|role| role.implied_by).filter(|cause| matches!(cause, ImpliedBy::Organization(_)));
        for _ in lost {
            let entry = ActivityEntry {
                operation: "disassociate",
                changes: json!({
                    "object1": TEAM.name, "object1_pk": id, "object2": ORGANIZATION.name, "object2_pk": left,
                    "action": "disassociate", "relationship": "awx.main.models.rbac.Role_parents",
                }),
                object1: TEAM.name.into(),
                object2: ORGANIZATION.name.into(),
                association: "role",
                object_type: ORGANIZATION.name.into(),
                links: vec![(ORGANIZATION.name.into(), left), (TEAM.name.into(), id)],
                setting: None,
            };
            entry.write(engine, tx, edit.actor).await?;
        }
        Ok(())
    }

    async fn post_sublist(
        &self,
        engine: &Engine,
        actor: &Actor,
        parent: i64,
        sublist: &'static Sublist,
        body: &Map<String, Json>,
    ) -> Result<Option<Map<String, Json>>, Error> {
        match sublist.name {
            ROLES_LIST => {
                let asked = AssociationRequest::parse(body)?
                    .ok_or_else(|| Error::BadRequestMsg("Role 'id' field is missing.".into()))?;
                engine.change_role_of_grantee(actor, asked.id, Grantee::Team(parent), asked.attach).await?;
                Ok(None)
            }
            _ => Err(Error::MethodNotAllowed),
        }
    }
}
