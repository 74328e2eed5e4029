//! Permissions on ad hoc commands.

use hostler_access::{has_role_or_permission, implying_roles, objects_with_role, rule_on_object};
use hostler_schema::{Access, Action, Actor, Draft, Rule, column};
use sea_query::ExprTrait;

use super::{CREDENTIAL_LINK, INVENTORY_LINK, ORGANIZATION_OF_INVENTORY};
use crate::common::{CREATED_BY, linking_to, rows_by_roles};
use crate::credential_access::{can_use, usable_credentials};
use crate::inventories::can_run_commands;
use crate::{CREDENTIAL, INVENTORY, ORGANIZATION};

/// Users see the commands of the inventories that they see, and run commands with the role `adhoc_role` of the inventory and
/// the use of the credential. The entries of the activity stream are for superusers and auditors, and for those who caused them:
/// with another rule, filters by the activity of users would be too large for SQLite.
pub struct AdHocCommandAccess;

impl Access for AdHocCommandAccess {
    fn rows(&self, actor: &Actor, action: Action, row: &str) -> Rule {
        match action {
            Action::Read => of_inventories(row, rows_by_roles(&INVENTORY, actor, Action::Read, "inventory")),
            Action::Change => Rule::None,
            Action::Delete if actor.is_superuser => Rule::All,
            // As for jobs.
            Action::Delete => {
                let roles = implying_roles(&ORGANIZATION, "admin_role").own;
                let organizations = objects_with_role(ORGANIZATION.name, &roles, actor);
                Rule::When(column(row, ORGANIZATION_OF_INVENTORY.column).in_subquery(organizations))
            }
        }
    }

    fn activity(&self, actor: &Actor, row: &str) -> Rule {
        self.rows(actor, Action::Read, row)
    }

    fn create(&self, actor: &Actor, draft: Draft<'_>) -> Rule {
        let on_inventory = |id| rule_on_object(&INVENTORY, Some(id), |row| can_run_commands(actor, row));
        let inventory = draft(INVENTORY_LINK.name).map(on_inventory);
        let credential = draft(CREDENTIAL_LINK.name).map(|id| can_use(actor, id));
        // What is missing is an error of validation.
        inventory.into_iter().chain(credential).fold(Rule::All, Rule::and)
    }
}

/// The commands of inventories that match a rule over `inventory`.
fn of_inventories(row: &str, rule: Rule) -> Rule {
    linking_to(row, &INVENTORY_LINK, &INVENTORY, "inventory", rule)
}

/// The commands that the actor may run again.
pub(super) fn can_start(actor: &Actor, row: &str) -> Rule {
    let credentials = usable_credentials(actor, "credential");
    of_inventories(row, can_run_commands(actor, "inventory")).and(linking_to(
        row,
        &CREDENTIAL_LINK,
        &CREDENTIAL,
        "credential",
        credentials,
    ))
}

/// The commands that the actor may cancel: the actor's own, and those of inventories that the actor administers.
pub(super) fn can_cancel(actor: &Actor, row: &str) -> Rule {
    match of_inventories(row, has_role_or_permission(&INVENTORY, "admin_role", "change", actor, "inventory")) {
        rule @ Rule::When(_) => Rule::When(column(row, CREATED_BY.column).eq(actor.id)).or(rule),
        rule => rule,
    }
}
