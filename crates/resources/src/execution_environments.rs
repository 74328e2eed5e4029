//! Execution environments: the container images in which jobs run.

use async_trait::async_trait;
use hostler_access::{can_create_in_organization, has_organization_role_or_permission, objects_with_permission};
use hostler_database::{Transaction, Type};
use hostler_engine::{
    ActionHandler, ActionRequest, ActionResponse, Edit, Engine, Error, Grantee, Hooks, ResponseObject, summarize,
};
use hostler_queue::{CONTROL_PLANE_ENVIRONMENT, DEFAULT_IMAGE};
use hostler_schema::{
    Access, Action, Actor, COPY_NAME, DefaultValue, Draft, Field, Join, NaturalKeyPart, OnDelete, Post, Resource,
    ResourceAction, Rule, Sublist, UniqueConstraint, column, fields,
};
use sea_query::{Alias, Expr, ExprTrait, Query, SelectStatement};
use serde_json::Map;

use crate::common::{
    CREATED, CREATED_BY, MODIFIED, MODIFIED_BY, activity_stream, can_create_beside, in_audited_organization,
    readable_by, rows_of, sees_everything,
};
use crate::container_images::is_image_name;
use crate::credential_access::can_use;
use crate::credential_inputs::TypeDefinition;
use crate::{CREDENTIAL, ORGANIZATION, TEAM, UNIFIED_JOB_TEMPLATE};

const PULL_POLICIES: &[(&str, &str)] = &[
    ("", "---------"),
    ("always", "Always pull container before running."),
    ("missing", "Only pull the image if not present before running."),
    ("never", "Never pull container before running."),
];

const NAME: Field =
    fields::text("name").label("Name").max(512).required().help("The name of the execution environment; unique.");
const DESCRIPTION: Field = fields::text("description")
    .label("Description")
    .default(DefaultValue::Text(""))
    .help("What the execution environment contains.");
const ORGANIZATION_LINK: Field = fields::link("organization", "organization_id", || &ORGANIZATION)
    .label("Organization")
    .nullable()
    .summarized()
    .reverse("executionenvironments")
    .on_delete(OnDelete::Cascade)
    .help("The organization whose jobs may use it; null for all organizations. It cannot be changed to another one.");
const IMAGE: Field = fields::text("image")
    .label("Image location")
    .max(1024)
    .required()
    .help("The full name of the image: registry, repository, image and tag.");
const MANAGED: Field = fields::boolean("managed")
    .label("Managed")
    .read_only()
    .help("Whether it is part of the server. Of a managed one only `pull` can be changed.");
const CREDENTIAL_LINK: Field = fields::link("credential", "credential_id", || &CREDENTIAL)
    .label("Credential")
    .nullable()
    .summarized()
    .reverse("executionenvironments")
    .help("The credential of the registry.");
const PULL: Field = fields::choice("pull", PULL_POLICIES)
    .label("Pull")
    .default(DefaultValue::Text(""))
    .help("When the image is pulled before a job runs.");

/// The role of an organization that allows to create, change and delete its execution environments.
const ADMIN: &str = "execution_environment_admin_role";

/// The list of execution environments below their organization, where they can be created.
pub const OF_ORGANIZATION: Sublist = Sublist::new(
    "execution_environments",
    "Organization Execution Environments List",
    || &EXECUTION_ENVIRONMENT,
    Join::Reverse("organization_id"),
)
.post(Post::Create("organization"));

/// Execution environments.
pub static EXECUTION_ENVIRONMENT: Resource = Resource {
    type_label: "Execution Environment",
    list_title: "Execution Environment List",
    detail_title: "Execution Environment Detail",
    description: "Container images in which jobs run. Those without organization are visible to all users; superusers \
                  manage them.",
    unimplemented_relations: &[
        "joblaunchconfig_as_prompt",
        "schedule_as_prompt",
        "workflowjobnode_as_prompt",
        "workflowjobtemplatenode_as_prompt",
    ],
    sublists: &[
        activity_stream("execution_environment", "Execution Environment Activity Stream List"),
        Sublist::new(
            "unified_job_templates",
            "Execution Environment Unified Job Template List",
            || &UNIFIED_JOB_TEMPLATE,
            Join::Reverse("execution_environment_id"),
        ),
    ],
    actions: &[ResourceAction::copy("Execution Environment Copy", || &EXECUTION_ENVIRONMENT, can_copy)],
    summarized_as: &["name", "description", "image"],
    natural_key: &[NaturalKeyPart::Field("name")],
    unique: &[UniqueConstraint {
        fields: &["name"],
        key: "name",
        message: "Execution environment with this Name already exists.",
    }],
    // Role definitions only.
    role_resource: Some(|| &crate::ROLE),
    ..Resource::new(
        "execution_environment",
        "execution_environments",
        "ExecutionEnvironment",
        &[
            fields::id(),
            CREATED,
            MODIFIED,
            CREATED_BY,
            MODIFIED_BY,
            NAME,
            DESCRIPTION,
            ORGANIZATION_LINK,
            IMAGE,
            MANAGED,
            CREDENTIAL_LINK,
            PULL,
        ],
        &ExecutionEnvironmentAccess,
    )
};

struct ExecutionEnvironmentAccess;

impl Access for ExecutionEnvironmentAccess {
    fn rows(&self, actor: &Actor, action: Action, row: &str) -> Rule {
        let unmanaged = || Rule::When(column(row, MANAGED.column).eq(false));
        match action {
            Action::Read if actor.is_superuser || actor.is_system_auditor => Rule::All,
            // Users who see an organization see its execution environments.
            Action::Read => match ORGANIZATION.access.rows(actor, Action::Read, "owner") {
                Rule::All => Rule::All,
                organizations => Rule::When(column(row, ORGANIZATION_LINK.column).is_null())
                    .or(in_organizations(row, organizations.ids(ORGANIZATION.table, "owner")))
                    .or(by_definition(actor, "change", row)),
            },
            Action::Change => administered(actor, "change", row),
            Action::Delete => administered(actor, "delete", row).and(unmanaged()),
        }
    }

    fn organization_roles(&self, action: Action) -> Vec<&'static str> {
        match action {
            Action::Read => vec!["read_role"],
            Action::Change | Action::Delete => vec![ADMIN],
        }
    }

    fn activity(&self, actor: &Actor, row: &str) -> Rule {
        in_audited_organization(actor, row, ORGANIZATION_LINK.column)
    }

    fn create(&self, actor: &Actor, draft: Draft<'_>) -> Rule {
        let used = draft(CREDENTIAL_LINK.name).map_or(Rule::All, |credential| can_use(actor, credential));
        creates_in(actor, draft(ORGANIZATION_LINK.name)).and(used)
    }

    fn relink(&self, actor: &Actor, name: &str, _from: Option<i64>, to: Option<i64>) -> Rule {
        match (name == ORGANIZATION_LINK.name, to) {
            (true, Some(organization)) => creates_in(actor, Some(organization)),
            (true, None) => Rule::from_bool(actor.is_superuser),
            (false, Some(credential)) => can_use(actor, credential),
            (false, None) => Rule::All,
        }
    }
}

/// Whether the actor may create execution environments in this organization, or in any if it is `None`.
fn creates_in(actor: &Actor, organization: Option<i64>) -> Rule {
    can_create_in_organization(&EXECUTION_ENVIRONMENT, &ORGANIZATION, ADMIN, actor, organization)
}

/// The rows on which the actor may do this by a role of their organization or by a role definition.
fn administered(actor: &Actor, action: &str, row: &str) -> Rule {
    has_organization_role_or_permission(&EXECUTION_ENVIRONMENT, &ORGANIZATION, &[ADMIN], action, actor, row)
}

fn in_organizations(row: &str, organizations: SelectStatement) -> Rule {
    Rule::When(column(row, ORGANIZATION_LINK.column).in_subquery(organizations))
}

/// The rows on which a role definition gives the actor this permission.
fn by_definition(actor: &Actor, action: &str, row: &str) -> Rule {
    let permission = EXECUTION_ENVIRONMENT.permission(action);
    let objects = objects_with_permission(EXECUTION_ENVIRONMENT.name, &permission, actor);
    Rule::When(column(row, "id").in_subquery(objects))
}

/// Whether the actor may link to this execution environment.
pub fn can_read(actor: &Actor, id: i64) -> Rule {
    rows_of(&EXECUTION_ENVIRONMENT, Some(id), actor, Action::Read)
}

/// Checks images and credentials, protects managed execution environments, and copies others.
pub struct ExecutionEnvironmentHooks;

#[async_trait]
impl Hooks for ExecutionEnvironmentHooks {
    fn authorize(&self, edit: &Edit<'_>) -> Result<(), Error> {
        let Some(old) = &edit.old else {
            let is_global = edit.new.integer(&ORGANIZATION_LINK).is_none();
            return if is_global && !edit.actor.is_superuser { Err(Error::forbidden()) } else { Ok(()) };
        };
        let protected = [&NAME, &DESCRIPTION, &ORGANIZATION_LINK, &IMAGE, &CREDENTIAL_LINK];
        if old.boolean(&MANAGED) && protected.iter().any(|field| edit.changes(field)) {
            let message = "Only the 'pull' field can be edited for managed execution environments.";
            return Err(Error::Forbidden(Some(message.into())));
        }
        Ok(())
    }

    /// Managed and global execution environments have no organization: only superusers change them. The others are for
    /// users and teams of their organization.
    async fn authorize_grant(
        &self,
        engine: &Engine,
        _actor: &Actor,
        object: i64,
        grantee: Grantee,
    ) -> Result<(), Error> {
        let query = Query::select()
            .expr(column(EXECUTION_ENVIRONMENT.table, ORGANIZATION_LINK.column))
            .from(Alias::new(EXECUTION_ENVIRONMENT.table))
            .and_where(column(EXECUTION_ENVIRONMENT.table, "id").eq(object))
            .and_where(column(EXECUTION_ENVIRONMENT.table, MANAGED.column).eq(false))
            .to_owned();
        let Some(organization) = engine.database.read_first::<Option<i64>>(&query).await?.flatten() else {
            let message = "Roles of managed and global execution environments cannot be granted.";
            return Err(Error::BadRequestMsg(message.into()));
        };
        let (who, sees_organization) = match grantee {
            Grantee::User(user) => ("User", sees_organization(Expr::val(user))),
            Grantee::Team(team) => ("Team", has_team(team)),
        };
        let query = Query::select()
            .expr(column("owner", "id"))
            .from_as(Alias::new(ORGANIZATION.table), Alias::new("owner"))
            .and_where(column("owner", "id").eq(organization))
            .and_where(sees_organization)
            .to_owned();
        if engine.database.read_first::<i64>(&query).await?.is_none() {
            let message = format!("{who} must have view permission to Execution Environment organization");
            return Err(Error::BadRequestMsg(message));
        }
        Ok(())
    }

    async fn validate(&self, _engine: &Engine, tx: &mut Transaction, edit: &mut Edit<'_>) -> Result<(), Error> {
        let mut problems = vec![];
        let mut reject = |field: &Field, message: String| problems.push((field.name.to_owned(), vec![message]));
        let image = edit.new.text(&IMAGE);
        if edit.changes(&IMAGE) && !is_image_name(image) {
            reject(&IMAGE, format!("The container image name {image} is not valid"));
        }
        let organization = edit.new.integer(&ORGANIZATION_LINK);
        if !edit.is_new() && edit.changes(&ORGANIZATION_LINK) && organization.is_some() {
            reject(&ORGANIZATION_LINK, "Cannot change the organization of an execution environment".into());
        }
        if let (true, Some(credential)) = (edit.changes(&CREDENTIAL_LINK), edit.new.integer(&CREDENTIAL_LINK))
            && TypeDefinition::load_for_credential(tx, credential).await?.kind != "registry"
        {
            let message = "Only Container Registry credentials can be associated with an Execution Environment";
            reject(&CREDENTIAL_LINK, message.into());
        }
        if problems.is_empty() { Ok(()) } else { Err(Error::Invalid(problems)) }
    }

    fn action_handler(&self, path: &str) -> Option<&'static dyn ActionHandler> {
        (path == "copy").then_some(&Copying)
    }
}

/// Copying needs permission to create execution environments in the same organization.
fn can_copy(actor: &Actor, row: &str) -> Rule {
    can_create_beside(&EXECUTION_ENVIRONMENT, ADMIN, actor, row)
}

/// Copies an execution environment.
struct Copying;

#[async_trait]
impl ActionHandler for Copying {
    /// The copy has the credential only if the actor may use it.
    async fn act(&self, engine: &Engine, request: ActionRequest<'_>) -> Result<ActionResponse, Error> {
        let (actor, original) = (request.actor, engine.original(&request).await?);
        let mut body = Map::new();
        body.insert(NAME.name.into(), request.input.text(&COPY_NAME).into());
        for field in [&DESCRIPTION, &IMAGE, &PULL] {
            body.insert(field.name.into(), original.text(field).into());
        }
        body.insert(ORGANIZATION_LINK.name.into(), original.integer(&ORGANIZATION_LINK).into());
        if let Some(credential) = original.integer(&CREDENTIAL_LINK) {
            match engine.require(actor, can_use(actor, credential)).await {
                Ok(()) => {
                    body.insert(CREDENTIAL_LINK.name.into(), credential.into());
                }
                Err(Error::Forbidden(_)) => {}
                Err(failure) => return Err(failure),
            }
        }
        engine.create(actor, &EXECUTION_ENVIRONMENT, &body, None).await.map(ActionResponse::NewObject)
    }
}

/// The condition that this user sees the organization `owner`.
fn sees_organization(user: Expr) -> Expr {
    sees_everything(user.clone()).or(readable_by(&ORGANIZATION, user, "owner"))
}

/// The condition that this team belongs to the organization `owner`.
fn has_team(team: i64) -> Expr {
    column("owner", "id").in_subquery(
        Query::select()
            .expr(column(TEAM.table, "organization_id"))
            .from(Alias::new(TEAM.table))
            .and_where(column(TEAM.table, "id").eq(team))
            .to_owned(),
    )
}

/// AWX's name of the default execution environment for jobs.
const DEFAULT: &str = "AWX EE (latest)";

/// Creates AWX's two execution environments unless they were created before.
///
/// # Errors
/// Database errors.
pub async fn preload(engine: &Engine) -> Result<(), hostler_database::Error> {
    let managed = Query::select()
        .expr(column(EXECUTION_ENVIRONMENT.table, "id"))
        .from(Alias::new(EXECUTION_ENVIRONMENT.table))
        .and_where(column(EXECUTION_ENVIRONMENT.table, MANAGED.column).eq(true))
        .to_owned();
    if !engine.database.read(&managed, &[Type::Integer]).await?.is_empty() {
        return Ok(());
    }
    let mut tx = engine.database.begin().await?;
    // Several servers may start at the same time.
    tx.lock("execution environments").await?;
    if !tx.read(&managed, &[Type::Integer]).await?.is_empty() {
        return Ok(());
    }
    let now = engine.clock.now();
    let mut insert = Query::insert();
    insert
        .into_table(Alias::new(EXECUTION_ENVIRONMENT.table))
        .columns(["created", "modified", "name", "image", "managed"].map(Alias::new));
    for (name, managed) in [(CONTROL_PLANE_ENVIRONMENT, true), (DEFAULT, false)] {
        insert.values_panic([now.into(), now.into(), name.into(), DEFAULT_IMAGE.into(), managed.into()]);
    }
    tx.execute(&insert).await?;
    tx.commit().await
}

/// Adds the execution environment in which the jobs of an object run to its summaries: its own, or the default one.
///
/// # Errors
/// Database errors.
pub async fn show_resolved(
    engine: &Engine,
    actor: &Actor,
    shown: &mut ResponseObject,
    own: Option<i64>,
    organization: Option<i64>,
) -> Result<(), Error> {
    let id = match own {
        Some(id) => Some(id),
        None => default_environment(engine, organization).await?,
    };
    let Some(id) = id else { return Ok(()) };
    if let Some((_, environment)) = summarize(engine, actor, &EXECUTION_ENVIRONMENT, &[id]).await?.into_iter().next() {
        shown.add_summary("resolved_environment", environment.into());
    }
    Ok(())
}

/// The default execution environment of jobs: that of their organization, or the server's.
async fn default_environment(engine: &Engine, organization: Option<i64>) -> Result<Option<i64>, Error> {
    let of_organization = Query::select()
        .expr(column(ORGANIZATION.table, "default_environment_id"))
        .from(Alias::new(ORGANIZATION.table))
        .and_where(column(ORGANIZATION.table, "id").eq(organization))
        .to_owned();
    let environment = |name| column(EXECUTION_ENVIRONMENT.table, name);
    let is_chosen = environment("id").in_subquery(of_organization);
    let is_global = environment(ORGANIZATION_LINK.column).is_null().and(environment(MANAGED.column).eq(false));
    let rank = Expr::case(is_chosen.clone(), 0).case(environment(IMAGE.column).eq(DEFAULT_IMAGE), 1).finally(2);
    let query = Query::select()
        .expr(environment("id"))
        .from(Alias::new(EXECUTION_ENVIRONMENT.table))
        .and_where(is_chosen.or(is_global))
        .order_by_expr(rank.into(), sea_query::Order::Asc)
        .order_by_expr(environment("id"), sea_query::Order::Asc)
        .limit(1)
        .to_owned();
    Ok(engine.database.read(&query, &[Type::Integer]).await?.first().and_then(|row| row.integer(0)))
}
