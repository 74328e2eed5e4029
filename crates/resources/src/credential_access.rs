//! Permissions on credentials.

use hostler_access::{can_create_in_organization, has_role_or_permission, has_role_or_permission_on, rule_on_object};
use hostler_schema::{Access, Action, Actor, Draft, Resource, Rule, column};
use sea_query::ExprTrait;

use crate::common::rows_by_roles;
use crate::credentials::ORGANIZATION_LINK;
use crate::{CREDENTIAL, ORGANIZATION, TEAM, USER};

/// The role of an organization that allows everything with its credentials.
pub const ORGANIZATION_ADMIN: &str = "credential_admin_role";

/// The permissions on credentials. Managed credentials cannot be changed or deleted.
pub struct CredentialAccess;

impl Access for CredentialAccess {
    fn rows(&self, actor: &Actor, action: Action, row: &str) -> Rule {
        let rule = rows_by_roles(&CREDENTIAL, actor, action, row);
        match action {
            Action::Read => rule,
            Action::Change | Action::Delete => rule.and(Rule::When(column(row, "managed").eq(false))),
        }
    }

    fn activity(&self, actor: &Actor, row: &str) -> Rule {
        self.rows(actor, Action::Read, row)
    }

    /// Users create credentials for themselves. For another owner they need change
    /// permission on the user or team, or may add credentials to the organization.
    fn create(&self, actor: &Actor, draft: Draft<'_>) -> Rule {
        let changes = |resource: &'static Resource, id| {
            rule_on_object(resource, Some(id), |row| resource.access.rows(actor, Action::Change, row))
        };
        let mut rule = Rule::All;
        if let Some(user) = draft("user").filter(|user| *user != actor.id) {
            rule = rule.and(changes(&USER, user));
        }
        if let Some(team) = draft("team") {
            rule = rule.and(changes(&TEAM, team));
        }
        if let Some(organization) = draft("organization") {
            rule = rule.and(creates_in(actor, organization));
        }
        rule
    }

    /// A move needs permission to add credentials in both organizations.
    fn relink(&self, actor: &Actor, name: &str, from: Option<i64>, to: Option<i64>) -> Rule {
        if name != ORGANIZATION_LINK.name {
            return Rule::All;
        }
        from.into_iter().chain(to).map(|organization| creates_in(actor, organization)).fold(Rule::All, Rule::and)
    }
}

/// Whether the actor may add credentials to this organization.
fn creates_in(actor: &Actor, organization: i64) -> Rule {
    can_create_in_organization(&CREDENTIAL, &ORGANIZATION, ORGANIZATION_ADMIN, actor, Some(organization))
}

/// The credentials that the actor may use.
pub fn usable_credentials(actor: &Actor, row: &str) -> Rule {
    has_role_or_permission(&CREDENTIAL, "use_role", "use", actor, row)
}

/// Whether the actor may use this credential.
pub fn can_use(actor: &Actor, credential: i64) -> Rule {
    has_role_or_permission_on(&CREDENTIAL, "use_role", "use", actor, Some(credential))
}
