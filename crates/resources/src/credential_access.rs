//! Who may see, make, move, use and administer credentials.

use hostler_access::{may, may_add, may_with};
use hostler_resource::{Access, Action, Actor, Draft, Resource, Rule, column};
use sea_query::{Alias, Expr, ExprTrait, Query};

use crate::credentials::ORGANIZATION_LINK;
use crate::{CREDENTIAL, ORGANIZATION, TEAM, USER};

/// Who may do what with credentials.
pub struct CredentialAccess;

impl Access for CredentialAccess {
    fn rows(&self, actor: &Actor, action: Action, row: &str) -> Rule {
        let unmanaged = || Rule::When(column(row, "managed").eq(false));
        match action {
            Action::Read => may(&CREDENTIAL, "read_role", "view", actor, row),
            Action::Change => may(&CREDENTIAL, "admin_role", "change", actor, row).and(unmanaged()),
            Action::Delete => may(&CREDENTIAL, "admin_role", "delete", actor, row).and(unmanaged()),
        }
    }

    /// Everybody for themselves; otherwise whoever may administer the user, the
    /// team, or the credentials of the organization.
    fn create(&self, actor: &Actor, draft: Draft<'_>) -> Rule {
        let mut rule = Rule::All;
        if let Some(user) = draft("user").filter(|user| *user != actor.id) {
            rule = rule.and(one(&USER, user, USER.access.rows(actor, Action::Change, "target")));
        }
        if let Some(team) = draft("team") {
            rule = rule.and(one(&TEAM, team, TEAM.access.rows(actor, Action::Change, "target")));
        }
        if let Some(organization) = draft("organization") {
            rule = rule.and(creates_in(actor, organization));
        }
        rule
    }

    /// Whoever moves a credential takes it from one organization and gives it to another.
    fn relink(&self, actor: &Actor, name: &str, from: Option<i64>, to: Option<i64>) -> Rule {
        if name != ORGANIZATION_LINK.name {
            return Rule::All;
        }
        from.into_iter().chain(to).map(|organization| creates_in(actor, organization)).fold(Rule::All, Rule::and)
    }
}

/// Whether the rule, which refers to the table `target`, holds for the object with this id.
fn one(resource: &'static Resource, id: i64, rule: Rule) -> Rule {
    match rule {
        Rule::When(condition) => Rule::When(Expr::exists(
            Query::select()
                .expr(Expr::val(1))
                .from_as(Alias::new(resource.table), Alias::new("target"))
                .and_where(column("target", "id").eq(id))
                .and_where(condition)
                .to_owned(),
        )),
        rule => rule,
    }
}

/// Whether the actor may put credentials into this organization.
fn creates_in(actor: &Actor, organization: i64) -> Rule {
    may_add(&CREDENTIAL, &ORGANIZATION, "credential_admin_role", actor, Some(organization))
}

/// Whether the actor may have work done with this credential.
pub fn may_use(actor: &Actor, credential: i64) -> Rule {
    may_with(&CREDENTIAL, "use_role", "use", actor, Some(credential))
}

/// Whether the actor may change this credential, or any if none is named.
pub fn may_administer(actor: &Actor, credential: Option<i64>) -> Rule {
    may_with(&CREDENTIAL, "admin_role", "change", actor, credential)
}
