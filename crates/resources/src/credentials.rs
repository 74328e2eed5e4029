//! Credentials: the secrets that work is done with, and who may do it.

use async_trait::async_trait;
use hostler_access::{has_role, has_role_or_permission, implying_roles, objects_with_permission, objects_with_role};
use hostler_database::{Transaction, Type, Value};
use hostler_engine::{
    CreatedObject, Edit, Engine, Error, Grantee, Hooks, Record, RenderContext, ResponseObject, SystemWrite,
    grant_in_transaction,
};
use hostler_schema::{
    Action, Actor, DefaultValue, Field, ImpliedBy, Join, NaturalKeyPart, ObjectRole, Post, Relation, Resource, Rule,
    Singleton, Sublist, Summary, UniqueConstraint, column, fields,
};
use sea_query::{Alias, Expr, ExprTrait, Query};
use serde_json::{Map, Value as Json, json};

use crate::common::{
    BY_CREATOR, BY_MODIFIER, CREATED, CREATED_BY, MODIFIED, MODIFIED_BY, absent, activity_of, roles_of, users_with_role,
};
use crate::credential_access::CredentialAccess;
use crate::credential_inputs::{self, TypeDefinition};
use crate::credential_owners::{add_owners, owner_teams};
use crate::{
    ACTIVITY, CREDENTIAL_INPUT_SOURCE, CREDENTIAL_TYPE, ORGANIZATION, PROJECT, ROLE, TEAM, USER, access_paths,
    credential_input_sources,
};

const NAME: Field = fields::text("name")
    .label("Name")
    .max(512)
    .required()
    .help("What the credential is called; unique among those of its type in its organization.");
const DESCRIPTION: Field = fields::text("description")
    .label("Description")
    .default(DefaultValue::Text(""))
    .help("What the credential is for.");
pub const ORGANIZATION_LINK: Field = fields::link("organization", "organization_id", || &ORGANIZATION)
    .label("Organization")
    .nullable()
    .default(DefaultValue::Null)
    .kept_on_put()
    .help("The organization that the credential belongs to; null if it belongs to a user alone.");
const TYPE: Field = fields::link("credential_type", "credential_type_id", || &CREDENTIAL_TYPE)
    .label("Credential Type")
    .required()
    .help("What the credential consists of.");
const MANAGED: Field = fields::boolean("managed")
    .label("Managed")
    .read_only()
    .help("Whether the credential comes with the server: then it cannot be changed.");
/// The values that the credential consists of.
pub const INPUTS: Field =
    fields::inputs("inputs").label("Inputs").default(DefaultValue::EmptyObject).kept_on_put().help(
        "The values, as the type defines them. Secret ones are shown as $encrypted$, which sent back keeps them.",
    );
const KIND: Field = fields::text("kind")
    .label("Kind")
    .nullable()
    .read_only()
    .not_filterable()
    .type_name("field")
    .help("The namespace of the credential's type; null for a custom one.");
const CLOUD: Field = fields::boolean("cloud")
    .label("Cloud")
    .read_only()
    .not_filterable()
    .type_name("field")
    .help("Whether it is for a cloud.");
const KUBERNETES: Field = fields::boolean("kubernetes")
    .label("Kubernetes")
    .read_only()
    .not_filterable()
    .type_name("field")
    .help("Whether it is for Kubernetes.");
/// What summaries show of the type.
const TYPE_ID: Field = fields::integer("credential_type_id")
    .label("Credential type id")
    .read_only()
    .hidden()
    .not_filterable()
    .help("The id of the credential's type.");
const OWNING_USER: Field = fields::link("user", "", || &USER)
    .label("User")
    .default(DefaultValue::Null)
    .only_for_creation()
    .help("The user to whom the new credential shall belong.");
const OWNING_TEAM: Field = fields::link("team", "", || &TEAM)
    .label("Team")
    .default(DefaultValue::Null)
    .only_for_creation()
    .column("team_id")
    .help("The team to which the new credential shall belong: its members use it, its admins administer it.");

const ROLES: &[ObjectRole] = &[
    ObjectRole::new(
        "admin_role",
        "Admin",
        "Can manage all aspects of the credential",
        &[
            ImpliedBy::Organization("credential_admin_role"),
            ImpliedBy::Team("admin_role"),
            ImpliedBy::System(Singleton::Administrator),
        ],
    ),
    ObjectRole::new("use_role", "Use", "Can use the credential in a job template", &[ImpliedBy::Own("admin_role")]),
    ObjectRole::new(
        "read_role",
        "Read",
        "May view settings for the credential",
        &[
            ImpliedBy::Organization("auditor_role"),
            ImpliedBy::System(Singleton::Auditor),
            ImpliedBy::Own("use_role"),
            ImpliedBy::Own("admin_role"),
        ],
    )
    .compatible(&["awx.view_credential"]),
];

const SUBLISTS: &[Sublist] = &[
    Sublist::new("activity_stream", "Credential Activity Stream List", || &ACTIVITY, activity_of("credential")),
    Sublist::new(
        "access_list",
        "Credential Access List",
        || &USER,
        Join::Condition(|id, other| access_paths::with_access_to(&CREDENTIAL, id, other)),
    )
    .visible_to_readers(),
    Sublist::new(
        "object_roles",
        "Credential Object Roles List",
        || &ROLE,
        Join::Condition(|id, other| roles_of("credential", id, other)),
    ),
    Sublist::new(
        "owner_users",
        "Credential Owner Users List",
        || &USER,
        Join::Condition(|id, other| users_with_role("credential", "admin_role", id, other)),
    ),
    Sublist::new("owner_teams", "Credential Owner Teams List", || &TEAM, Join::Condition(owner_teams)),
    Sublist::new(
        "input_sources",
        "Credential Input Sources List",
        || &CREDENTIAL_INPUT_SOURCE,
        Join::Reverse("target_credential_id"),
    )
    .post(Post::Create("target_credential")),
];

/// Credentials.
pub static CREDENTIAL: Resource = Resource {
    list_title: "Credential List",
    detail_title: "Credential Detail",
    description: "The secrets that work is done with: passwords, keys, tokens. Secret values are stored encrypted and \
                  never shown. A new credential belongs to a user, a team or an organization.",
    relations: &[
        BY_CREATOR,
        BY_MODIFIER,
        Relation::new("organization", || &ORGANIZATION, Join::Column("organization_id")),
        Relation::new("credential_type", || &CREDENTIAL_TYPE, Join::Column("credential_type_id")),
        Relation::new("input_sources", || &CREDENTIAL_INPUT_SOURCE, Join::Reverse("target_credential_id")),
        Relation::new("target_input_sources", || &CREDENTIAL_INPUT_SOURCE, Join::Reverse("source_credential_id")),
        Relation::new(
            "organization_galaxy_credentials",
            || &ORGANIZATION,
            Join::JoinTable {
                table: "organization_galaxy_credentials",
                left: "credential_id",
                right: "organization_id",
                filter: None,
            },
        ),
        Relation::new("projects", || &PROJECT, Join::Reverse("credential_id")),
        Relation::new(
            "projects_signature_validation",
            || &PROJECT,
            Join::Reverse("signature_validation_credential_id"),
        ),
        absent("ad_hoc_commands", || &CREDENTIAL),
        absent("executionenvironments", || &CREDENTIAL),
        absent("instancegroups", || &CREDENTIAL),
        absent("joblaunchconfigs", || &CREDENTIAL),
        absent("jobs", || &CREDENTIAL),
        absent("jobtemplates", || &CREDENTIAL),
        absent("projectupdates", || &CREDENTIAL),
        absent("schedules", || &CREDENTIAL),
        absent("unifiedjobs", || &CREDENTIAL),
        absent("unifiedjobtemplates", || &CREDENTIAL),
        absent("workflowjobnodes", || &CREDENTIAL),
        absent("workflowjobs", || &CREDENTIAL),
        absent("workflowjobtemplatenodes", || &CREDENTIAL),
        absent("workflowjobtemplates", || &CREDENTIAL),
    ],
    sublists: SUBLISTS,
    summaries: &[
        Summary { name: "organization", column: "organization_id", target: || &ORGANIZATION, linked: true },
        Summary { name: "credential_type", column: "credential_type_id", target: || &CREDENTIAL_TYPE, linked: true },
        CREATED_BY,
        MODIFIED_BY,
    ],
    summarized_as: &["name", "description", "kind", "cloud", "kubernetes", "credential_type_id"],
    natural_key: &[
        NaturalKeyPart::Field("name"),
        NaturalKeyPart::Link("credential_type"),
        NaturalKeyPart::Link("organization"),
    ],
    unique: &[UniqueConstraint {
        fields: &["organization", "name", "credential_type"],
        key: "__all__",
        message: "Credential with this Organization, Name and Credential type already exists.",
    }],
    roles: ROLES,
    role_resource: Some(|| &crate::ROLE),
    copyable: true,
    ..Resource::new(
        "credential",
        "credentials",
        "Credential",
        &[
            fields::id(),
            CREATED,
            MODIFIED,
            NAME,
            DESCRIPTION,
            ORGANIZATION_LINK,
            TYPE,
            MANAGED,
            INPUTS,
            KIND,
            CLOUD,
            KUBERNETES,
            OWNING_USER,
            OWNING_TEAM,
            TYPE_ID,
        ],
        &CredentialAccess,
    )
};

/// Checks inputs against the type, seals secrets, and tells whose a credential is.
pub struct CredentialHooks;

#[async_trait]
impl Hooks for CredentialHooks {
    async fn prepare(&self, engine: &Engine, edit: &mut Edit<'_>) -> Result<(), Error> {
        if !edit.is_new() {
            return Ok(());
        }
        let owners = [&OWNING_USER, &OWNING_TEAM, &ORGANIZATION_LINK];
        let mut named: Vec<&str> =
            owners.iter().filter(|field| edit.new.integer(field).is_some()).map(|field| field.name).collect();
        if named.len() > 1 {
            named.sort_unstable();
            let message = format!(
                "Only one of 'user', 'team', or 'organization' should be provided, received {} fields.",
                named.join(", ")
            );
            return Err(Error::field("detail", message));
        }
        // What belongs to a team belongs to the team's organization.
        if let Some(team) = edit.new.integer(&OWNING_TEAM) {
            let query = Query::select()
                .expr(column(TEAM.table, "organization_id"))
                .from(Alias::new(TEAM.table))
                .and_where(column(TEAM.table, "id").eq(team))
                .to_owned();
            let rows = engine.database.read(&query, &[Type::Integer]).await?;
            if let Some(organization) = rows.first().and_then(|row| row.integer(0)) {
                edit.new.set(&ORGANIZATION_LINK, Value::Integer(organization));
            }
        }
        Ok(())
    }

    async fn validate(&self, engine: &Engine, tx: &mut Transaction, edit: &mut Edit<'_>) -> Result<(), Error> {
        let owners = [&OWNING_USER, &OWNING_TEAM, &ORGANIZATION_LINK];
        if edit.is_new() && owners.iter().all(|field| edit.new.integer(field).is_none()) {
            return Err(Error::field("detail", "Missing 'user', 'team', or 'organization'."));
        }
        let Some(type_id) = edit.new.integer(&TYPE) else { return Ok(()) };
        if let Some(old) = &edit.old
            && edit.changes(&TYPE)
            && is_referred_to(tx, old.id).await?
        {
            let message = "You cannot change the credential type of the credential, as it may break the functionality \
                           of the resources using it.";
            return Err(Error::field(TYPE.name, message));
        }
        let definition = TypeDefinition::load(tx, type_id).await?;
        if definition.kind == "galaxy" && edit.new.integer(&ORGANIZATION_LINK).is_none() {
            return Err(Error::field(ORGANIZATION_LINK.name, "Galaxy credentials must be owned by an Organization."));
        }
        if edit.changes(&TYPE) {
            edit.new.set(&KIND, definition.namespace.clone().map_or(Value::Null, Value::Text));
            edit.new.set(&CLOUD, Value::Boolean(definition.kind == "cloud"));
            edit.new.set(&KUBERNETES, Value::Boolean(definition.kind == "kubernetes"));
        }
        // A team's own credentials follow it; one that moves elsewhere leaves it.
        if !edit.is_new() && edit.changes(&ORGANIZATION_LINK) {
            edit.new.set(&OWNING_TEAM, Value::Null);
        }
        if edit.changes(&INPUTS) || edit.changes(&TYPE) {
            credential_inputs::prepare(engine, tx, edit, &INPUTS, &definition).await?;
        }
        Ok(())
    }

    async fn after_save(&self, engine: &Engine, tx: &mut Transaction, edit: &Edit<'_>, id: i64) -> Result<(), Error> {
        if !edit.is_new() {
            return Ok(());
        }
        credential_inputs::encrypt_new(engine, tx, edit, &INPUTS, id).await?;
        if let Some(user) = edit.new.integer(&OWNING_USER) {
            grant_in_transaction(engine, tx, edit.actor, (&CREDENTIAL, id), "admin_role", Grantee::User(user)).await?;
        }
        if let Some(team) = edit.new.integer(&OWNING_TEAM) {
            grant_in_transaction(engine, tx, edit.actor, (&CREDENTIAL, id), "use_role", Grantee::Team(team)).await?;
        }
        Ok(())
    }

    async fn enrich(&self, engine: &Engine, view: RenderContext<'_>, page: &mut [ResponseObject]) -> Result<(), Error> {
        let query = Query::select()
            .expr(column("usable", "id"))
            .expr(has_role_or_permission(&CREDENTIAL, "use_role", "use", view.actor, "usable").expression())
            .expr(self.can_copy(view.actor, "usable").expression())
            .from_as(Alias::new(CREDENTIAL.table), Alias::new("usable"))
            .and_where(column("usable", "id").is_in(page.iter().map(|shown| shown.loaded.record.id)))
            .to_owned();
        let rows = engine.database.read(&query, &[Type::Integer, Type::Boolean, Type::Boolean]).await?;
        for shown in page.iter_mut() {
            let id = Some(shown.loaded.record.id);
            let can_write = view.actor.can_write;
            let may = |place: usize| rows.iter().any(|row| row.integer(0) == id && row.boolean(place));
            let capabilities = json!({
                "edit": can_write && shown.loaded.changeable, "delete": can_write && shown.loaded.deletable,
                "copy": can_write && may(2), "use": may(1),
            });
            shown.add_summary("user_capabilities", capabilities);
        }
        add_owners(engine, view.actor, page).await
    }

    async fn authorize_grant(
        &self,
        engine: &Engine,
        actor: &Actor,
        object: i64,
        grantee: Grantee,
    ) -> Result<(), Error> {
        let refused = |message: &str| Err(Error::BadRequestMsg(message.into()));
        let organization = organization_of(engine, object).await?;
        match (grantee, organization) {
            (Grantee::User(_), None) if actor.is_superuser => Ok(()),
            (Grantee::User(_), None) => refused("You cannot grant private credential access to another user"),
            (Grantee::User(user), Some(organization)) if condition_for_id(engine, user, organization).await? => Ok(()),
            (Grantee::User(_), Some(_)) => {
                refused("You cannot grant credential access to a user not in the credentials' organization")
            }
            (Grantee::Team(team), Some(organization)) if is_team_of(engine, team, organization).await? => Ok(()),
            (Grantee::Team(_), _) => refused(
                "You cannot grant credential access to a team when the Organization field isn't set, or belongs to a \
                 different organization",
            ),
        }
    }

    /// Whoever copies a credential must be allowed to change it and to put the copy into its organization.
    fn can_copy(&self, actor: &Actor, row: &str) -> Rule {
        let organizations = has_role(&ORGANIZATION, "credential_admin_role", actor, "home");
        let addable = match organizations {
            Rule::All => return Rule::All,
            by_role => by_role.or(Rule::When(column("home", "id").in_subquery(objects_with_permission(
                ORGANIZATION.name,
                &CREDENTIAL.permission("add"),
                actor.id,
            )))),
        };
        let homes = Query::select()
            .expr(column("home", "id"))
            .from_as(Alias::new(ORGANIZATION.table), Alias::new("home"))
            .cond_where(addable.condition())
            .to_owned();
        CREDENTIAL
            .access
            .rows(actor, Action::Change, row)
            .and(Rule::When(column(row, ORGANIZATION_LINK.column).in_subquery(homes)))
    }

    async fn copy(
        &self,
        engine: &Engine,
        actor: &Actor,
        original: &Record,
        name: &Json,
    ) -> Result<CreatedObject, Error> {
        let mut body = Map::new();
        body.insert(NAME.name.into(), name.clone());
        body.insert(DESCRIPTION.name.into(), original.text(&DESCRIPTION).into());
        body.insert(TYPE.name.into(), original.integer(&TYPE).into());
        match original.integer(&ORGANIZATION_LINK) {
            Some(organization) => body.insert(ORGANIZATION_LINK.name.into(), organization.into()),
            None => body.insert(OWNING_USER.name.into(), actor.id.into()),
        };
        body.insert(INPUTS.name.into(), credential_inputs::decrypted(engine, original, &INPUTS)?);
        engine.create_as_system(actor, &CREDENTIAL, &body, &CopyInputSources(original.id)).await
    }
}

/// Why a credential is created as the copy of another: it gets its sources too.
struct CopyInputSources(i64);

#[async_trait]
impl SystemWrite for CopyInputSources {
    async fn consume(&self, engine: &Engine, tx: &mut Transaction, actor: &Actor, id: i64) -> Result<(), Error> {
        credential_input_sources::copy(engine, tx, actor, self.0, id).await
    }
}

/// Whether something works with the credential that another type may not fit.
async fn is_referred_to(tx: &mut Transaction, id: i64) -> Result<bool, Error> {
    let refers = |table: &'static str, link: &'static str| {
        Expr::exists(
            Query::select().expr(Expr::val(1)).from(Alias::new(table)).and_where(column(table, link).eq(id)).to_owned(),
        )
    };
    let query = Query::select()
        .expr(
            refers(PROJECT.table, "credential_id")
                .or(refers(PROJECT.table, "signature_validation_credential_id"))
                .or(refers("organization_galaxy_credentials", "credential_id"))
                .or(refers(CREDENTIAL_INPUT_SOURCE.table, "target_credential_id"))
                .or(refers(CREDENTIAL_INPUT_SOURCE.table, "source_credential_id")),
        )
        .to_owned();
    Ok(tx.read(&query, &[Type::Boolean]).await?.first().is_some_and(|row| row.boolean(0)))
}

async fn organization_of(engine: &Engine, credential: i64) -> Result<Option<i64>, Error> {
    let query = Query::select()
        .expr(column(CREDENTIAL.table, ORGANIZATION_LINK.column))
        .from(Alias::new(CREDENTIAL.table))
        .and_where(column(CREDENTIAL.table, "id").eq(credential))
        .to_owned();
    Ok(engine.database.read(&query, &[Type::Integer]).await?.first().and_then(|row| row.integer(0)))
}

/// Whether the user is a member of the organization, or a superuser and so of every one.
async fn condition_for_id(engine: &Engine, user: i64, organization: i64) -> Result<bool, Error> {
    let member = implying_roles(&ORGANIZATION, "member_role").own;
    let query = Query::select()
        .expr(column(USER.table, "id"))
        .from(Alias::new(USER.table))
        .and_where(column(USER.table, "id").eq(user))
        .and_where(column(USER.table, "is_superuser").eq(true).or(
            Expr::val(organization).cast_as("bigint").in_subquery(objects_with_role(ORGANIZATION.name, &member, user)),
        ))
        .to_owned();
    Ok(!engine.database.read(&query, &[Type::Integer]).await?.is_empty())
}

async fn is_team_of(engine: &Engine, team: i64, organization: i64) -> Result<bool, Error> {
    let query = Query::select()
        .expr(column(TEAM.table, "id"))
        .from(Alias::new(TEAM.table))
        .and_where(column(TEAM.table, "id").eq(team))
        .and_where(column(TEAM.table, "organization_id").eq(organization))
        .to_owned();
    Ok(!engine.database.read(&query, &[Type::Integer]).await?.is_empty())
}
