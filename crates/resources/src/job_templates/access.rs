//! Permissions on job templates.

use hostler_access::{has_role_or_permission, has_role_or_permission_on};
use hostler_schema::{Access, Action, Actor, Draft, Field, Join, Resource, Rule, column};
use sea_query::{Alias, Expr, ExprTrait, Query};

use super::{
    ASK_CREDENTIAL, ASK_INVENTORY, ASK_JOB_TYPE, ASK_SKIP_TAGS, ASK_TAGS, ASK_VARIABLES, DESCRIPTION, DIFF_MODE,
    ENVIRONMENT, EXTRA_VARS, FORCE_HANDLERS, FORKS, INVENTORY_LINK, JOB_SLICE_COUNT, JOB_TAGS, JOB_TEMPLATE, LIMIT,
    NAME, PROJECT_LINK, SKIP_TAGS, SURVEY_ENABLED, TIMEOUT, VERBOSITY, WEBHOOK_CREDENTIAL,
};
use crate::attached::CREDENTIALS_OF_TEMPLATE;
use crate::common::rows_by_roles;
use crate::credential_access::{can_use, usable_credentials};
use crate::{CREDENTIAL, INVENTORY, PROJECT, execution_environments};

/// The fields that an admin of the template may change without the permission to use its project and inventory, as in
/// AWX: they do not change what is run.
pub const CHANGED_BY_ADMINS: [Field; 19] = [
    NAME,
    DESCRIPTION,
    FORKS,
    LIMIT,
    VERBOSITY,
    EXTRA_VARS,
    JOB_TAGS,
    FORCE_HANDLERS,
    SKIP_TAGS,
    ASK_VARIABLES,
    ASK_TAGS,
    ASK_JOB_TYPE,
    ASK_SKIP_TAGS,
    ASK_INVENTORY,
    ASK_CREDENTIAL,
    SURVEY_ENABLED,
    DIFF_MODE,
    TIMEOUT,
    JOB_SLICE_COUNT,
];

/// The permissions on job templates.
pub struct JobTemplateAccess;

impl Access for JobTemplateAccess {
    fn rows(&self, actor: &Actor, action: Action, row: &str) -> Rule {
        rows_by_roles(&JOB_TEMPLATE, actor, action, row)
    }

    fn activity(&self, actor: &Actor, row: &str) -> Rule {
        self.rows(actor, Action::Read, row)
    }

    /// Users who may use the project and the inventory.
    fn create(&self, actor: &Actor, draft: Draft<'_>) -> Rule {
        let links = [INVENTORY_LINK, ENVIRONMENT, WEBHOOK_CREDENTIAL];
        let rules = links.iter().map(|link| self.relink(actor, link.name, None, draft(link.name)));
        rules.fold(may_use(&PROJECT, actor, draft(PROJECT_LINK.name)), Rule::and)
    }

    fn create_needs(&self, actor: &Actor, draft: Draft<'_>) -> Vec<(&'static str, &'static str, Rule)> {
        let needs = [
            (INVENTORY_LINK.name, "You do not have use permission on Inventory"),
            (ENVIRONMENT.name, "You do not have read permission on Execution Environment"),
            (PROJECT_LINK.name, "You do not have use permission on Project"),
        ];
        needs.map(|(link, message)| (link, message, self.relink(actor, link, None, draft(link)))).into()
    }

    fn relink(&self, actor: &Actor, name: &str, _from: Option<i64>, to: Option<i64>) -> Rule {
        match (name, to) {
            (_, None) => Rule::All,
            ("project", project) => may_use(&PROJECT, actor, project),
            ("inventory", inventory) => may_use(&INVENTORY, actor, inventory),
            ("execution_environment", Some(environment)) => execution_environments::can_read(actor, environment),
            (_, Some(credential)) => can_use(actor, credential),
        }
    }
}

/// Whether the actor may use this object in a template, or any if none is named.
pub fn may_use(resource: &'static Resource, actor: &Actor, id: Option<i64>) -> Rule {
    has_role_or_permission_on(resource, "use_role", "use", actor, id)
}

/// The projects that the actor may use.
pub fn usable_projects(actor: &Actor, row: &str) -> Rule {
    has_role_or_permission(&PROJECT, "use_role", "use", actor, row)
}

/// The inventories that the actor may use.
pub fn usable_inventories(actor: &Actor, row: &str) -> Rule {
    has_role_or_permission(&INVENTORY, "use_role", "use", actor, row)
}

/// The templates that the actor may change.
pub fn changeable(actor: &Actor, row: &str) -> Rule {
    JOB_TEMPLATE.access.rows(actor, Action::Change, row)
}

/// The templates that the actor may launch.
pub fn can_launch(actor: &Actor, row: &str) -> Rule {
    has_role_or_permission(&JOB_TEMPLATE, "execute_role", "execute", actor, row)
}

/// The templates whose project, inventory and credentials the actor may use.
pub fn can_copy(actor: &Actor, row: &str) -> Rule {
    const USED: &str = "used";
    if actor.is_superuser {
        return Rule::All;
    }
    let (projects, inventories) = (usable_projects(actor, USED), usable_inventories(actor, USED));
    let credentials = usable_credentials(actor, USED);
    let inventory = || column(row, INVENTORY_LINK.column);
    let Join::JoinTable { table, left, right, .. } = CREDENTIALS_OF_TEMPLATE else { return Rule::None };
    let forbidden = Query::select()
        .expr(Expr::val(1))
        .from(Alias::new(table))
        .and_where(column(table, left).eq(column(row, "id")))
        // Not the negated rule, which can be NULL.
        .and_where(column(table, right).not_in_subquery(credentials.ids(CREDENTIAL.table, USED)))
        .to_owned();
    Rule::When(column(row, PROJECT_LINK.column).in_subquery(projects.ids(PROJECT.table, USED)))
        .and(Rule::When(inventory().is_null().or(inventory().in_subquery(inventories.ids(INVENTORY.table, USED)))))
        .and(Rule::When(Expr::exists(forbidden).not()))
}
