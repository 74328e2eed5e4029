//! Permissions on inventory sources: those of their inventories.

use hostler_access::{ByParent, has_role, has_role_or_permission};
use hostler_schema::{Access, Action, Actor, Draft, Rule, column};
use sea_query::ExprTrait;

use super::{CREDENTIAL_LINK, ENVIRONMENT, INVENTORY_LINK, PROJECT_LINK};
use crate::credential_access::can_use;
use crate::execution_environments::can_read;
use crate::job_templates::may_use;
use crate::{INVENTORY, PROJECT};

const BY_INVENTORY: ByParent = ByParent::same(INVENTORY_LINK);

/// Those who may change an inventory change its sources. Updates read a project and use a credential, so who sets one must be
/// allowed to use it.
pub struct InventorySourceAccess;

impl Access for InventorySourceAccess {
    fn rows(&self, actor: &Actor, action: Action, row: &str) -> Rule {
        match (action, has_role(&INVENTORY, "read_role", actor, row)) {
            // They also see the sources of an inventory that is being deleted. A rule for those few rows would be applied to
            // each row of `unified_job_templates/`.
            (Action::Read, Rule::All) => Rule::All,
            _ => BY_INVENTORY.rows(actor, action, row),
        }
    }

    fn activity(&self, actor: &Actor, row: &str) -> Rule {
        BY_INVENTORY.activity(actor, row)
    }

    fn create(&self, actor: &Actor, draft: Draft<'_>) -> Rule {
        let links = [PROJECT_LINK, CREDENTIAL_LINK, ENVIRONMENT];
        let rules = links.iter().map(|link| self.relink(actor, link.name, None, draft(link.name)));
        rules.fold(BY_INVENTORY.create(actor, draft), Rule::and)
    }

    fn relink(&self, actor: &Actor, name: &str, _from: Option<i64>, to: Option<i64>) -> Rule {
        match (name, to) {
            ("source_project", Some(project)) => may_use(&PROJECT, actor, Some(project)),
            ("credential", Some(credential)) => can_use(actor, credential),
            ("execution_environment", Some(environment)) => can_read(actor, environment),
            _ => Rule::All,
        }
    }
}

/// The sources that the actor may update: those of inventories that the actor may update.
pub fn can_update(actor: &Actor, row: &str) -> Rule {
    match has_role_or_permission(&INVENTORY, "update_role", "update", actor, "inventory") {
        rule @ Rule::When(_) => {
            Rule::When(column(row, INVENTORY_LINK.column).in_subquery(rule.ids(INVENTORY.table, "inventory")))
        }
        rule => rule,
    }
}
