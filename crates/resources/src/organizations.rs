//! Organizations: users, teams and the objects that they share.

use async_trait::async_trait;
use hostler_database::{Row, Transaction, Type};
use hostler_engine::{Edit, Engine, Error, Hooks, Record, RenderContext, ResponseObject};
use hostler_schema::{
    Access, Action, Actor, Association, DefaultValue, Draft, Field, HideDeleted, ImpliedBy, Join, NaturalKeyPart,
    ObjectRole, Post, Relation, Resource, ResourceAction, Rule, Singleton, Sublist, UniqueConstraint, column, fields,
};
use sea_query::{Alias, Asterisk, Expr, ExprTrait, Func, Query, UnionType};
use serde_json::json;

use crate::common::{
    CREATED, CREATED_BY, InheritedAccess, MODIFIED, MODIFIED_BY, activity_stream, identity, in_audited_organization,
    roles_of, rows_by_roles, users_with_role,
};
use crate::credential_access::usable_credentials;
use crate::credential_inputs::TypeDefinition;
use crate::{
    APPLICATION, CREDENTIAL, EXECUTION_ENVIRONMENT, HOST, INSTANCE_GROUP, INVENTORY, JOB_TEMPLATE,
    NOTIFICATION_TEMPLATE, PROJECT, ROLE, TEAM, UNIFIED_JOB, USER, access_paths, execution_environments,
    instance_groups, notification_lists,
};

const NAME: Field =
    fields::text("name").label("Name").max(512).required().help("The name of the organization; unique.");
const DESCRIPTION: Field = fields::text("description")
    .label("Description")
    .default(DefaultValue::Text(""))
    .help("What the organization is for.");
const MAX_HOSTS: Field = fields::integer("max_hosts")
    .label("Max hosts")
    .range(0, 2_147_483_647)
    .default(DefaultValue::Integer(0))
    .help("How many hosts the organization may have; 0 for any number.");
const CUSTOM_VIRTUALENV: Field = fields::text("custom_virtualenv")
    .label("Custom virtualenv")
    .nullable()
    .read_only()
    .help("Kept for old clients; execution environments took its place.");
const DEFAULT_ENVIRONMENT: Field =
    fields::link("default_environment", "default_environment_id", || &EXECUTION_ENVIRONMENT)
        .label("Default environment")
        .nullable()
        .summarized()
        .help("The execution environment for jobs that name none.");

/// Each of these roles allows to see the organization.
const READ_IMPLIED_BY: &[ImpliedBy] = &[
    ImpliedBy::Own("member_role"),
    ImpliedBy::Own("auditor_role"),
    ImpliedBy::Own("execute_role"),
    ImpliedBy::Own("project_admin_role"),
    ImpliedBy::Own("inventory_admin_role"),
    ImpliedBy::Own("workflow_admin_role"),
    ImpliedBy::Own("notification_admin_role"),
    ImpliedBy::Own("credential_admin_role"),
    ImpliedBy::Own("job_template_admin_role"),
    ImpliedBy::Own("approval_role"),
    ImpliedBy::Own("execution_environment_admin_role"),
];
const BY_ADMIN: &[ImpliedBy] = &[ImpliedBy::Own("admin_role")];

/// The roles, in the order in which an organization gets them. Names and
/// descriptions are part of AWX's API: clients look roles up by them.
const ROLES: &[ObjectRole] = &[
    ObjectRole::new(
        "admin_role",
        "Admin",
        "Can manage all aspects of the organization",
        &[ImpliedBy::System(Singleton::Administrator)],
    )
    .user_only(),
    ObjectRole::new("execute_role", "Execute", "May run any executable resources in the organization", BY_ADMIN)
        .compatible(&["awx.execute_jobtemplate", "shared.view_organization", "awx.execute_workflowjobtemplate"]),
    ObjectRole::new("project_admin_role", "Project Admin", "Can manage all projects of the organization", BY_ADMIN),
    ObjectRole::new(
        "inventory_admin_role",
        "Inventory Admin",
        "Can manage all inventories of the organization",
        BY_ADMIN,
    ),
    ObjectRole::new(
        "credential_admin_role",
        "Credential Admin",
        "Can manage all credentials of the organization",
        BY_ADMIN,
    ),
    ObjectRole::new("workflow_admin_role", "Workflow Admin", "Can manage all workflows of the organization", BY_ADMIN),
    ObjectRole::new(
        "notification_admin_role",
        "Notification Admin",
        "Can manage all notifications of the organization",
        BY_ADMIN,
    ),
    ObjectRole::new(
        "job_template_admin_role",
        "Job Template Admin",
        "Can manage all job templates of the organization",
        BY_ADMIN,
    ),
    ObjectRole::new(
        "execution_environment_admin_role",
        "Execution Environment Admin",
        "Can manage all execution environments of the organization",
        BY_ADMIN,
    ),
    ObjectRole::new(
        "auditor_role",
        "Auditor",
        "Can view all aspects of the organization",
        &[ImpliedBy::System(Singleton::Auditor)],
    ),
    ObjectRole::new("member_role", "Member", "User is a member of the organization", BY_ADMIN).user_only(),
    ObjectRole::new("read_role", "Read", "May view settings for the organization", READ_IMPLIED_BY),
    ObjectRole::new("approval_role", "Approve", "Can approve or deny a workflow approval node", BY_ADMIN)
        .compatible(&["shared.view_organization", "awx.approve_workflowjobtemplate"]),
];

static IDENTITY: Resource = identity("organizations", &InheritedAccess(|| &ORGANIZATION));

/// The list of the credentials that projects of an organization use to fetch roles and collections.
const GALAXY_CREDENTIALS: &str = "galaxy_credentials";
/// Its table.
const GALAXY_TABLE: &str = "organization_galaxy_credentials";

const ITS_GALAXY_CREDENTIALS: Join =
    Join::JoinTable { table: GALAXY_TABLE, left: "organization_id", right: "credential_id", filter: None };

const SUBLISTS: &[Sublist] = &[
    Sublist::new(
        "users",
        "Organization Users List",
        || &USER,
        Join::Condition(|id, other| users_with_role("organization", "member_role", id, other)),
    )
    .post(Post::Grant("member_role")),
    Sublist::new(
        "admins",
        "Organization Admins List",
        || &USER,
        Join::Condition(|id, other| users_with_role("organization", "admin_role", id, other)),
    )
    .post(Post::Grant("admin_role")),
    Sublist::new("teams", "Organization Teams List", || &TEAM, Join::Reverse("organization_id"))
        .post(Post::Create("organization")),
    Sublist::new("projects", "Organization Projects List", || &PROJECT, Join::Reverse("organization_id"))
        .post(Post::Create("organization")),
    Sublist::new("inventories", "Organization Inventories List", || &INVENTORY, Join::Reverse("organization_id")),
    Sublist::new("credentials", "Organization Credentials List", || &CREDENTIAL, Join::Reverse("organization_id"))
        .post(Post::Create("organization")),
    Sublist::new(GALAXY_CREDENTIALS, "Organization Galaxy Credentials List", || &CREDENTIAL, ITS_GALAXY_CREDENTIALS)
        .reverse("organization_galaxy_credentials")
        .post(Post::Associate(Association::new(
            "awx.main.models.organization.Organization_galaxy_credentials",
            usable_credentials,
        ))),
    execution_environments::OF_ORGANIZATION,
    Sublist::new(
        "instance_groups",
        "Organization Instance Groups List",
        || &INSTANCE_GROUP,
        instance_groups::OF_ORGANIZATION,
    )
    .ordered()
    .post(Post::Associate(
        Association::new("awx.main.models.organization.Organization_instance_groups", instance_groups::usable_groups)
            .permit_removal()
            .or_create(),
    )),
    Sublist::new("applications", "Organization Applications List", || &APPLICATION, Join::Reverse("organization_id"))
        .post(Post::Create("organization")),
    Sublist::new(
        "notification_templates",
        "Organization Notification Templates List",
        || &NOTIFICATION_TEMPLATE,
        Join::Reverse("organization_id"),
    )
    .post(Post::Create("organization")),
    Sublist::new(
        "job_templates",
        "Organization Job Templates List",
        || &JOB_TEMPLATE,
        Join::Reverse("organization_id"),
    )
    .post(Post::Create("organization")),
    notification_lists::ORGANIZATION_STARTED,
    notification_lists::ORGANIZATION_SUCCESS,
    notification_lists::ORGANIZATION_ERROR,
    notification_lists::ORGANIZATION_APPROVALS,
    activity_stream("organization", "Organization Activity Stream List"),
    Sublist::new(
        "object_roles",
        "Organization Object Roles List",
        || &ROLE,
        Join::Condition(|id, other| roles_of("organization", id, other)),
    ),
    Sublist::new(
        "access_list",
        "Organization Access List",
        || &USER,
        Join::Condition(|id, other| access_paths::with_access_to(&ORGANIZATION, id, other)),
    )
    .visible_to_readers(),
];

/// Organizations.
pub static ORGANIZATION: Resource = Resource {
    list_title: "Organization List",
    detail_title: "Organization Detail",
    description: "Organizations have members, teams and the objects that these work with. Only users with a role on an \
                  organization see it.",
    relations: &[Relation::new("resource", || &IDENTITY, Join::SameRow)],
    sublists: SUBLISTS,
    actions: &[ResourceAction::unimplemented("workflow_job_templates")],
    natural_key: &[NaturalKeyPart::Field("name")],
    unique: &[UniqueConstraint {
        fields: &["name"],
        key: "name",
        message: "Organization with this Name already exists.",
    }],
    roles: ROLES,
    deleted_in_steps: true,
    role_resource: Some(|| &crate::ROLE),
    shared_type: Some("shared.organization"),
    ..Resource::new(
        "organization",
        "organizations",
        "Organization",
        &[
            fields::id(),
            CREATED,
            MODIFIED,
            CREATED_BY,
            MODIFIED_BY,
            NAME,
            DESCRIPTION,
            MAX_HOSTS,
            CUSTOM_VIRTUALENV,
            DEFAULT_ENVIRONMENT,
        ],
        &HideDeleted(&OrganizationAccess),
    )
};

struct OrganizationAccess;

impl Access for OrganizationAccess {
    fn rows(&self, actor: &Actor, action: Action, row: &str) -> Rule {
        rows_by_roles(&ORGANIZATION, actor, action, row)
    }

    fn activity(&self, actor: &Actor, row: &str) -> Rule {
        in_audited_organization(actor, row, "id")
    }

    fn create(&self, actor: &Actor, _draft: Draft<'_>) -> Rule {
        Rule::from_bool(actor.is_superuser)
    }

    fn relink(&self, actor: &Actor, name: &str, _from: Option<i64>, to: Option<i64>) -> Rule {
        match (name, to) {
            ("default_environment", Some(environment)) => execution_environments::can_read(actor, environment),
            ("default_environment", None) => Rule::All,
            _ => Rule::None,
        }
    }
}

/// Shows how many objects an organization has, and changes its Galaxy credentials.
pub struct OrganizationHooks;

#[async_trait]
impl Hooks for OrganizationHooks {
    async fn validate(&self, _engine: &Engine, _tx: &mut Transaction, edit: &mut Edit<'_>) -> Result<(), Error> {
        // The limit is set on the organization's admins, not by them.
        if !edit.is_new() && edit.changes(&MAX_HOSTS) && !edit.actor.is_superuser {
            return Err(Error::field("__all__", "Cannot change max_hosts."));
        }
        Ok(())
    }

    fn jobs_that_use(&self, record: &Record) -> Option<Expr> {
        Some(column(UNIFIED_JOB.table, "organization_id").eq(record.id))
    }

    async fn check_association(
        &self,
        _engine: &Engine,
        tx: &mut Transaction,
        _parent: i64,
        sublist: &'static Sublist,
        id: i64,
    ) -> Result<(), Error> {
        if sublist.name == GALAXY_CREDENTIALS {
            let definition = TypeDefinition::load_for_credential(tx, id).await?;
            if definition.kind != "galaxy" {
                let message = format!("Credential must be a Galaxy credential, not {}.", definition.name);
                return Err(Error::BadRequestMsg(message));
            }
        }
        Ok(())
    }

    async fn enrich(&self, engine: &Engine, view: RenderContext<'_>, page: &mut [ResponseObject]) -> Result<(), Error> {
        let ids: Vec<i64> = page.iter().map(|shown| shown.loaded.record.id).collect();
        let counts = related_counts(engine, &ids, view.detail).await?;
        for shown in page {
            let id = Some(shown.loaded.record.id);
            let count = |kind: &str| {
                let row = counts.iter().find(|row| row.integer(0) == id && row.text(1) == Some(kind));
                row.and_then(|row| row.integer(2)).unwrap_or(0)
            };
            let mut counts = json!({
                "users": count("member_role"), "admins": count("admin_role"), "teams": count(TEAM.table),
                "projects": count(PROJECT.table), "inventories": count(INVENTORY.table), "job_templates": count(JOB_TEMPLATE.table),
            });
            if let (true, false, Some(counts)) = (view.detail, view.created, counts.as_object_mut()) {
                counts.insert("hosts".into(), count(HOST.table).into());
            }
            shown.add_summary("related_field_counts", counts);
        }
        Ok(())
    }
}

/// How many members, admins, teams, projects, job templates and inventories, and hosts if wanted, each of these organizations has, in one statement: rows of
/// organization, kind and number.
///
/// Grants are counted by `role_id` alone, so that the database reads an index and not the grants themselves: an
/// organization can have tens of thousands of members.
async fn related_counts(engine: &Engine, ids: &[i64], with_hosts: bool) -> Result<Vec<Row>, Error> {
    let granted = Query::select()
        .expr(Func::count(Expr::col(Asterisk)))
        .from(Alias::new("grants"))
        .and_where(column("grants", "role_id").eq(column("roles", "id")))
        .to_owned();
    let mut counts = Query::select()
        .expr(column("roles", "object_id"))
        .expr(column("roles", "role_field"))
        .expr(Expr::SubQuery(None, Box::new(granted.into())))
        .from(Alias::new("roles"))
        .and_where(column("roles", "content_type").eq(ORGANIZATION.name))
        .and_where(column("roles", "object_id").is_in(ids.iter().copied()))
        .and_where(column("roles", "role_field").is_in(["member_role", "admin_role"]))
        .to_owned();
    for table in [TEAM.table, PROJECT.table, JOB_TEMPLATE.table, INVENTORY.table] {
        let link = "organization_id";
        let linked = Query::select()
            .expr(column(table, link))
            .expr(Expr::Constant(table.into()))
            .expr(Func::count(Expr::col(Asterisk)))
            .from(Alias::new(table))
            .and_where(column(table, link).is_in(ids.iter().copied()))
            .add_group_by([column(table, link)])
            .to_owned();
        counts.union(UnionType::All, linked);
    }
    let read = [Type::Integer, Type::Text, Type::Integer];
    if !with_hosts {
        return Ok(engine.database.read(&counts, &read).await?);
    }
    let hosts = Query::select()
        .expr(column(INVENTORY.table, "organization_id"))
        .expr(Expr::Constant(HOST.table.into()))
        .expr(Func::count(Expr::col(Asterisk)))
        .from(Alias::new(INVENTORY.table))
        .inner_join(Alias::new(HOST.table), column(HOST.table, "inventory_id").eq(column(INVENTORY.table, "id")))
        .and_where(column(INVENTORY.table, "organization_id").is_in(ids.iter().copied()))
        .and_where(column(INVENTORY.table, "is_deleted").eq(false))
        .add_group_by([column(INVENTORY.table, "organization_id")])
        .to_owned();
    counts.union(UnionType::All, hosts);
    Ok(engine.database.read(&counts, &read).await?)
}
