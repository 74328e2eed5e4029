//! Who sees, changes and deletes which users.

use hostler_access::{implying_roles, objects_with_role, users_with_role};
use hostler_schema::{Access, Action, Actor, Draft, Rule, column};
use sea_query::{Alias, Expr, ExprTrait, Query, SelectStatement, UnionType};

use crate::common::{administers_any_organization, types_with_roles};
use crate::{ORGANIZATION, TEAM};

/// The roles that make a user a member of an organization or of a team.
const MEMBERSHIP: [&str; 2] = ["member_role", "admin_role"];

/// The rules for users.
pub(super) struct UserAccess;

impl Access for UserAccess {
    fn rows(&self, actor: &Actor, action: Action, row: &str) -> Rule {
        let is_self = || column(row, "id").eq(actor.id);
        match action {
            Action::Read if actor.is_superuser || actor.is_system_auditor => Rule::All,
            Action::Read if actor.policy.org_admins_see_all_users && actor.is_organization_admin => Rule::All,
            Action::Read => Rule::When(column(row, "id").in_subquery(seen_by(actor))),
            Action::Change if actor.is_superuser => Rule::All,
            // Users do not delete themselves: an installation would lose its last admin.
            Action::Delete if actor.is_superuser => Rule::When(is_self().not()),
            _ if !actor.policy.manage_organization_auth => Rule::None,
            Action::Change => Rule::When(is_self()).or(administered(actor, row)),
            Action::Delete => {
                let unattached =
                    administers_any_organization(actor).and(Rule::When(granted_elsewhere(actor, row).not()));
                administered(actor, row).or(ordinary(row).and(unattached)).and(Rule::When(is_self().not()))
            }
        }
    }

    /// Users see the entries about themselves and about the members of organizations that they administer or audit.
    fn activity(&self, actor: &Actor, row: &str) -> Rule {
        let audited = objects_with_role(ORGANIZATION.name, &["admin_role", "auditor_role"], actor);
        let audited = column("roles", "object_id").in_subquery(audited);
        let members = users_with_role(ORGANIZATION.name, &["member_role"], audited);
        Rule::When(column(row, "id").eq(actor.id)).or(Rule::When(column(row, "id").in_subquery(members)))
    }

    fn create(&self, actor: &Actor, _draft: Draft<'_>) -> Rule {
        // Organization admins create users below their organization.
        Rule::from_bool(actor.is_superuser)
    }
}

/// The ids of the users that an actor sees who is not an organization admin: themselves, superusers, and the members of
/// organizations that they can read. The ids are selected first, so that a list looks its rows up by them: with OR the
/// databases would scan all users.
fn seen_by(actor: &Actor) -> SelectStatement {
    let among_users = |condition: Expr| {
        Query::select()
            .expr(column("seen", "id"))
            .from_as(Alias::new("users"), Alias::new("seen"))
            .and_where(condition)
            .to_owned()
    };
    let readable = implying_roles(&ORGANIZATION, "read_role").own;
    let shared = column("roles", "object_id").in_subquery(objects_with_role("organization", &readable, actor));
    let mut seen = among_users(column("seen", "id").eq(actor.id));
    // A constant instead of a parameter, so that PostgreSQL plans for few rows.
    seen.union(UnionType::All, among_users(column("seen", "is_superuser").eq(Expr::Constant(true.into()))));
    seen.union(UnionType::All, users_with_role("organization", &["member_role"], shared));
    seen
}

/// Neither superuser nor system auditor.
fn ordinary(row: &str) -> Rule {
    Rule::When(column(row, "is_superuser").eq(false).and(column(row, "is_system_auditor").eq(false)))
}

/// Whether the actor administers this user: an ordinary user who is in at least one organization, and in no
/// organization, nor in a team of one, that the actor does not administer.
///
/// Membership of a team alone does not let the admins of its organization change the user: any user can be added to a
/// team, whereas only [`UserAccess`]'s rule for deleting lets an admin add a user to an organization.
fn administered(actor: &Actor, row: &str) -> Rule {
    let in_organization = memberships(row).and_where(column("roles", "content_type").eq(ORGANIZATION.name)).to_owned();
    let elsewhere = memberships(row).and_where(organization_is_administered(actor).not()).to_owned();
    ordinary(row).and(Rule::When(Expr::exists(in_organization))).and(Rule::When(Expr::exists(elsewhere).not()))
}

/// The grants, joined with their roles, that make this user a member of organizations and teams. One user has
/// few of them; all users together have many.
fn memberships(row: &str) -> SelectStatement {
    let mut memberships = grants_of(row);
    memberships
        .and_where(column("roles", "content_type").is_in([ORGANIZATION.name, TEAM.name]))
        .and_where(column("roles", "role_field").is_in(MEMBERSHIP));
    memberships
}

/// Whether the user has a role outside of the organizations that the actor administers: the actor could use that role
/// by setting the user's password.
fn granted_elsewhere(actor: &Actor, row: &str) -> Expr {
    Expr::exists(grants_of(row).and_where(organization_is_administered(actor).not()).to_owned())
}

/// The user's grants, joined with their roles.
fn grants_of(row: &str) -> SelectStatement {
    Query::select()
        .expr(Expr::val(1))
        .from(Alias::new("grants"))
        .inner_join(Alias::new("roles"), column("roles", "id").eq(column("grants", "role_id")))
        .and_where(column("grants", "user_id").eq(column(row, "id")))
        .to_owned()
}

/// The role in the query is of an organization that the actor administers, or of an object that belongs to one.
/// Never null: a role of anything else is not.
fn organization_is_administered(actor: &Actor) -> Expr {
    let administered = objects_with_role(ORGANIZATION.name, &["admin_role"], actor);
    let mut organization =
        Expr::case(column("roles", "content_type").eq(ORGANIZATION.name), column("roles", "object_id"));
    for resource in types_with_roles() {
        let Some(link) = resource.organization_column() else { continue };
        let of_object = Query::select()
            .expr(column("granted", link))
            .from_as(Alias::new(resource.table), Alias::new("granted"))
            .and_where(column("granted", "id").eq(column("roles", "object_id")))
            .to_owned();
        let of_object = Expr::SubQuery(None, Box::new(of_object.into()));
        organization = organization.case(column("roles", "content_type").eq(resource.name), of_object);
    }
    let organization = Expr::Case(Box::new(organization));
    let decided = Expr::case(organization.in_subquery(administered), Expr::Constant(true.into()));
    Expr::Case(Box::new(decided.finally(Expr::Constant(false.into()))))
}
