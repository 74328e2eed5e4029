use hostler_schema::{Access, Action, Actor, Draft, Field, FieldKind, Resource, Rule, column};
use sea_query::ExprTrait;

use crate::grants::{objects_with_role, rule_on_object};
use crate::{ImplyingRoles, has_role, has_role_or_permission, implying_roles};

/// Access to objects without roles of their own, such as labels of an organization or hosts of an inventory: what the
/// actor may do with the parent decides.
#[derive(Clone, Copy)]
pub struct ByParent {
    /// The field that links to the parent.
    pub link: Field,
    /// What reading a row needs.
    pub read: OnParent,
    /// What changing and deleting a row needs.
    pub change: OnParent,
    /// What creating a row needs.
    pub create: OnParent,
}

/// A permission on a parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnParent {
    /// To do this with the parent itself.
    Action(Action),
    /// This role.
    Role(&'static str),
    /// This role, or a custom role definition with the permission to do this (`use`, `adhoc`, ...).
    RoleOrPermission(&'static str, &'static str),
}

impl OnParent {
    /// The rows of the parent's resource, under the alias `row`.
    fn rows(self, parent: &'static Resource, actor: &Actor, row: &str) -> Rule {
        match self {
            OnParent::Action(action) => parent.access.rows(actor, action, row),
            OnParent::Role(role) => has_role(parent, role, actor, row),
            OnParent::RoleOrPermission(role, permission) => {
                has_role_or_permission(parent, role, permission, actor, row)
            }
        }
    }
}

/// The alias of the parent's table. A parent with a parent of its own hides the outer alias, which its rule does not use.
const PARENT: &str = "parent";

impl ByParent {
    /// Those who may read the parent read a row; those who may change the parent create, change and delete it.
    pub const fn same(link: Field) -> Self {
        ByParent {
            link,
            read: OnParent::Action(Action::Read),
            change: OnParent::Action(Action::Change),
            create: OnParent::Action(Action::Change),
        }
    }

    fn parent(&self) -> Option<&'static Resource> {
        match self.link.kind {
            FieldKind::Link(parent) => Some(parent()),
            _ => None,
        }
    }

    fn needed(&self, action: Action) -> OnParent {
        match action {
            Action::Read => self.read,
            Action::Change | Action::Delete => self.change,
        }
    }

    /// Whether the actor has this permission on the parent with this id, or on any if there is no id.
    fn on_parent(&self, needed: OnParent, actor: &Actor, id: Option<i64>) -> Rule {
        let Some(parent) = self.parent() else { return Rule::None };
        rule_on_object(parent, id, |row| needed.rows(parent, actor, row))
    }
}

impl Access for ByParent {
    fn rows(&self, actor: &Actor, action: Action, row: &str) -> Rule {
        let Some(parent) = self.parent() else { return Rule::None };
        let needed = self.needed(action);
        let rule = match needed.rows(parent, actor, PARENT) {
            rule @ Rule::When(_) => rule,
            rule => return rule,
        };
        let parents = match needed {
            // The grants name the parents: their table is not needed.
            OnParent::Role(role) if is_granted_on_object_only(&implying_roles(parent, role)) => {
                objects_with_role(parent.name, &implying_roles(parent, role).own, actor)
            }
            _ => rule.ids(parent.table, PARENT),
        };
        Rule::When(column(row, self.link.column).in_subquery(parents))
    }

    /// Those who see the entries about the parent.
    fn activity(&self, actor: &Actor, row: &str) -> Rule {
        let Some(parent) = self.parent() else { return Rule::None };
        match parent.access.activity(actor, PARENT) {
            rule @ Rule::When(_) => {
                Rule::When(column(row, self.link.column).in_subquery(rule.ids(parent.table, PARENT)))
            }
            rule => rule,
        }
    }

    fn organization_roles(&self, action: Action) -> Vec<&'static str> {
        match (self.needed(action), self.parent()) {
            (OnParent::Role(role), Some(parent)) if parent.name == "organization" => vec![role],
            _ => vec![],
        }
    }

    fn create(&self, actor: &Actor, draft: Draft<'_>) -> Rule {
        // A parent that does not exist is then an invalid value, and not a missing permission.
        if actor.is_superuser {
            return Rule::All;
        }
        self.on_parent(self.create, actor, draft(self.link.name))
    }
}

fn is_granted_on_object_only(roles: &ImplyingRoles) -> bool {
    roles.organization.is_empty() && roles.team.is_empty()
}

#[cfg(test)]
mod tests;
