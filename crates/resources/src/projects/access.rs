//! Permissions on projects.

use hostler_access::{can_create_in_organization, has_role_or_permission};
use hostler_schema::{Access, Action, Actor, Draft, Rule, column};
use sea_query::{Alias, Expr, ExprTrait, Query};

use super::{CREDENTIAL_LINK, DEFAULT_ENVIRONMENT, ORGANIZATION_LINK, SCM_TYPE, SIGNATURE_LINK};
use crate::common::{can_create_beside, rows_by_roles};
use crate::credential_access::can_use;
use crate::execution_environments::can_read;
use crate::{ORGANIZATION, PROJECT};

/// The role of an organization that allows everything with its projects.
const ADMIN: &str = "project_admin_role";

/// The permissions on projects. Updates use the credentials of a project, so who sets one must be allowed to use it.
pub struct ProjectAccess;

impl Access for ProjectAccess {
    fn rows(&self, actor: &Actor, action: Action, row: &str) -> Rule {
        rows_by_roles(&PROJECT, actor, action, row)
    }

    fn activity(&self, actor: &Actor, row: &str) -> Rule {
        self.rows(actor, Action::Read, row)
    }

    fn create(&self, actor: &Actor, draft: Draft<'_>) -> Rule {
        let links = [CREDENTIAL_LINK, SIGNATURE_LINK, DEFAULT_ENVIRONMENT];
        links
            .iter()
            .map(|link| self.relink(actor, link.name, None, draft(link.name)))
            .fold(creates_in(actor, draft(ORGANIZATION_LINK.name)), Rule::and)
    }

    fn relink(&self, actor: &Actor, name: &str, _from: Option<i64>, to: Option<i64>) -> Rule {
        match (name, to) {
            ("organization", Some(_)) => creates_in(actor, to),
            // Only superusers administer projects without organization.
            ("organization", None) => Rule::from_bool(actor.is_superuser),
            ("default_environment", Some(environment)) => can_read(actor, environment),
            (_, Some(credential)) => can_use(actor, credential),
            (_, None) => Rule::All,
        }
    }
}

/// The projects that the actor may update.
pub fn can_update(actor: &Actor, row: &str) -> Rule {
    has_role_or_permission(&PROJECT, "update_role", "update", actor, row)
}

/// The projects with a source that the actor may update.
pub fn can_start(actor: &Actor, row: &str) -> Rule {
    can_update(actor, row).within(column(row, SCM_TYPE.column).ne(""))
}

/// Copying needs permission to change the project and to add projects to its organization. Manual projects cannot be
/// copied: no two of them have the same folder.
pub fn can_copy(actor: &Actor, row: &str) -> Rule {
    let changeable = PROJECT.access.rows(actor, Action::Change, row);
    changeable.and(can_create_beside(&PROJECT, ADMIN, actor, row)).within(column(row, SCM_TYPE.column).ne(""))
}

/// Whether the actor may put projects into this organization, or into any if none is named.
fn creates_in(actor: &Actor, organization: Option<i64>) -> Rule {
    can_create_in_organization(&PROJECT, &ORGANIZATION, ADMIN, actor, organization)
}

/// The condition that this team was granted a role on project `other`.
pub fn granted_to_team(team: Expr, other: &str) -> Expr {
    column(other, "id").in_subquery(
        Query::select()
            .expr(column("roles", "object_id"))
            .from(Alias::new("grants"))
            .inner_join(Alias::new("roles"), column("roles", "id").eq(column("grants", "role_id")))
            .and_where(column("roles", "content_type").eq(PROJECT.name))
            .and_where(column("grants", "team_id").eq(team))
            .to_owned(),
    )
}

/// The condition that team `other` was granted a role on this project.
pub fn teams_with_access(project: Expr, other: &str) -> Expr {
    column(other, "id").in_subquery(
        Query::select()
            .expr(column("grants", "team_id"))
            .from(Alias::new("grants"))
            .inner_join(Alias::new("roles"), column("roles", "id").eq(column("grants", "role_id")))
            .and_where(column("roles", "content_type").eq(PROJECT.name))
            .and_where(column("roles", "object_id").eq(project))
            .and_where(column("grants", "team_id").is_not_null())
            .to_owned(),
    )
}
