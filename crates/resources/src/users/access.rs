//! Who sees and changes whom; section 1 of the contract.

use hostler_access::{implying_roles, objects_with_role, users_with_role};
use hostler_schema::{Access, Action, Actor, Draft, Rule, column};
use sea_query::{Alias, Expr, ExprTrait, Query, SelectStatement, UnionType};

use crate::common::administers_any_organization;
use crate::{ORGANIZATION, TEAM};

/// The roles that make somebody belong to an organization, held on it or on one of its teams.
const BELONGING: [&str; 2] = ["member_role", "admin_role"];

/// Who sees and changes whom.
pub(super) struct UserAccess;

impl Access for UserAccess {
    fn rows(&self, actor: &Actor, action: Action, row: &str) -> Rule {
        let is_self = || column(row, "id").eq(actor.id);
        match action {
            Action::Read if actor.is_superuser || actor.is_system_auditor => Rule::All,
            Action::Read if actor.policy.org_admins_see_all_users && actor.is_organization_admin => Rule::All,
            Action::Read => Rule::When(column(row, "id").in_subquery(seen_by(actor))),
            Action::Change if actor.is_superuser => Rule::All,
            // Nobody deletes themselves: that is how installations lose their last admin.
            Action::Delete if actor.is_superuser => Rule::When(is_self().not()),
            _ if !actor.policy.manage_organization_auth => Rule::None,
            Action::Change => {
                Rule::When(is_self()).or(administered(actor, row).and(Rule::When(belongs_somewhere(row))))
            }
            Action::Delete => {
                let orphan = administers_any_organization(actor).and(Rule::When(holds_anything(row).not()));
                administered(actor, row)
                    .and(Rule::When(belongs_somewhere(row)))
                    .or(ordinary(row).and(orphan))
                    .and(Rule::When(is_self().not()))
            }
        }
    }

    fn create(&self, actor: &Actor, _draft: Draft<'_>) -> Rule {
        // Organization admins create users below their organization.
        Rule::from_bool(actor.is_superuser)
    }
}

/// The ids of the users whom one sees who administers nothing: oneself, superusers, and the
/// members of organizations that one can read. They are gathered first, so that the rows of
/// a list are looked up by them: an OR would have the databases look at every user there is.
fn seen_by(actor: &Actor) -> SelectStatement {
    let among_users = |condition: Expr| {
        Query::select()
            .expr(column("seen", "id"))
            .from_as(Alias::new("users"), Alias::new("seen"))
            .and_where(condition)
            .to_owned()
    };
    let readable = implying_roles(&ORGANIZATION, "read_role").own;
    let shared = column("roles", "object_id").in_subquery(objects_with_role("organization", &readable, actor.id));
    let mut seen = among_users(column("seen", "id").eq(actor.id));
    // The constant, unlike a bound value, tells PostgreSQL that these are few.
    seen.union(UnionType::All, among_users(column("seen", "is_superuser").eq(Expr::Constant(true.into()))));
    seen.union(UnionType::All, users_with_role("organization", &["member_role"], shared));
    seen
}

/// Neither superuser nor system auditor.
fn ordinary(row: &str) -> Rule {
    Rule::When(column(row, "is_superuser").eq(false).and(column(row, "is_system_auditor").eq(false)))
}

/// The user belongs to no organization that the actor does not administer, and is an ordinary one.
fn administered(actor: &Actor, row: &str) -> Rule {
    let mine = objects_with_role("organization", &["admin_role"], actor.id);
    let team = Query::select()
        .expr(column("teams", "organization_id"))
        .from(Alias::new("teams"))
        .and_where(column("teams", "id").equals((Alias::new("roles"), Alias::new("object_id"))))
        .to_owned();
    let organization = Expr::case(column("roles", "content_type").eq(ORGANIZATION.name), column("roles", "object_id"))
        .finally(Expr::SubQuery(None, Box::new(team.into())));
    let elsewhere = Expr::Case(Box::new(organization)).not_in_subquery(mine);
    ordinary(row).and(Rule::When(Expr::exists(belongings(row).and_where(elsewhere).to_owned()).not()))
}

/// The user is a member or an admin of at least one organization, or of a team in it.
fn belongs_somewhere(row: &str) -> Expr {
    Expr::exists(belongings(row))
}

/// The grants, joined with their roles, by which this user belongs to organizations
/// and teams: a few for each user, whereas all users' are many.
fn belongings(row: &str) -> SelectStatement {
    Query::select()
        .expr(Expr::val(1))
        .from(Alias::new("grants"))
        .inner_join(Alias::new("roles"), column("roles", "id").eq(column("grants", "role_id")))
        .and_where(column("grants", "user_id").eq(column(row, "id")))
        .and_where(column("roles", "content_type").is_in([ORGANIZATION.name, TEAM.name]))
        .and_where(column("roles", "role_field").is_in(BELONGING))
        .to_owned()
}

/// The user was granted any role on anything: whoever takes such a user over takes that over too.
fn holds_anything(row: &str) -> Expr {
    Expr::exists(
        Query::select()
            .expr(Expr::val(1))
            .from(Alias::new("grants"))
            .and_where(column("grants", "user_id").eq(column(row, "id")))
            .to_owned(),
    )
}
