use hostler_schema::{Access, Action, Actor, Draft, Resource, Rule, column};
use sea_query::ExprTrait;

use crate::grants::{objects_with_role, rule_on_object};
use crate::{has_role, implying_roles};

/// Access to objects of an organization that have no roles of their own: roles of the organization decide.
pub struct ByOrganization {
    /// The resource of organizations.
    pub organization: fn() -> &'static Resource,
    /// The column of the row that links to its organization.
    pub column: &'static str,
    /// The role of the organization that allows to read its rows.
    pub read: &'static str,
    /// The role that allows to change and delete them.
    pub change: &'static str,
    /// The role that allows to create them; the draft has the organization as `organization`.
    pub create: &'static str,
}

impl ByOrganization {
    fn role(&self, action: Action) -> &'static str {
        match action {
            Action::Read => self.read,
            Action::Change | Action::Delete => self.change,
        }
    }
}

impl Access for ByOrganization {
    fn rows(&self, actor: &Actor, action: Action, row: &str) -> Rule {
        let role = self.role(action);
        let organization = (self.organization)();
        match has_role(organization, role, actor, row) {
            Rule::When(_) => {
                let roles = implying_roles(organization, role).own;
                Rule::When(column(row, self.column).in_subquery(objects_with_role(organization.name, &roles)))
            }
            rule => rule,
        }
    }

    fn organization_roles(&self, action: Action) -> Vec<&'static str> {
        vec![self.role(action)]
    }

    fn create(&self, actor: &Actor, draft: Draft<'_>) -> Rule {
        has_role_on((self.organization)(), self.create, actor, draft("organization"))
    }
}

/// Whether `actor` has `role` on the object with this id, or on any if the id is `None`. The rule refers to no row.
pub fn has_role_on(resource: &'static Resource, role: &'static str, actor: &Actor, id: Option<i64>) -> Rule {
    rule_on_object(resource, id, |row| has_role(resource, role, actor, row))
}
