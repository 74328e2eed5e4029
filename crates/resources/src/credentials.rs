//! Credentials: passwords, keys and tokens that jobs use.

use hostler_schema::{
    Capability, DefaultValue, Field, ImpliedBy, Join, NaturalKeyPart, ObjectRole, OnDelete, Post, Resource,
    ResourceAction, Singleton, Sublist, UniqueConstraint, fields,
};

use crate::common::{CREATED, CREATED_BY, MODIFIED, MODIFIED_BY, activity_stream, roles_of, users_with_role};
use crate::credential_access::{CredentialAccess, usable_credentials};
use crate::credential_copy::can_copy;
use crate::credential_lookup_test::lookup_test;
use crate::credential_owners::owner_teams;
use crate::{CREDENTIAL_INPUT_SOURCE, CREDENTIAL_TYPE, ORGANIZATION, ROLE, TEAM, USER, access_paths};

/// The name.
pub const NAME: Field = fields::text("name")
    .label("Name")
    .max(512)
    .required()
    .help("The name of the credential; unique within its type and organization.");
/// The description.
pub const DESCRIPTION: Field = fields::text("description")
    .label("Description")
    .default(DefaultValue::Text(""))
    .help("A description of the credential.");
/// The owning organization.
pub const ORGANIZATION_LINK: Field = fields::link("organization", "organization_id", || &ORGANIZATION)
    .label("Organization")
    .nullable()
    .default(DefaultValue::Null)
    .kept_on_put()
    .summarized()
    .reverse("credentials")
    .on_delete(OnDelete::Cascade)
    .help("The organization that owns the credential; null for the credential of a single user.");
/// The credential type.
pub const TYPE: Field = fields::link("credential_type", "credential_type_id", || &CREDENTIAL_TYPE)
    .label("Credential Type")
    .required()
    .summarized()
    .reverse("credentials")
    .on_delete(OnDelete::Restrict)
    .help("The type, which defines the inputs.");
/// Whether the credential is part of the server.
pub const MANAGED: Field = fields::boolean("managed")
    .label("Managed")
    .read_only()
    .help("Whether the credential is part of the server. Managed credentials cannot be changed.");
/// The inputs, secret ones encrypted.
pub const INPUTS: Field =
    fields::inputs("inputs").label("Inputs").default(DefaultValue::EMPTY_OBJECT).kept_on_put().help(
        "The inputs that the type defines. Secret ones are shown as $encrypted$; sending $encrypted$ keeps the stored value.",
    );
/// The namespace of the type.
pub const KIND: Field = fields::text("kind")
    .label("Kind")
    .nullable()
    .read_only()
    .not_filterable()
    .type_name("field")
    .help("The namespace of the credential's type; null for a custom one.");
/// Whether the type is of the kind `cloud`.
pub const CLOUD: Field = fields::boolean("cloud")
    .label("Cloud")
    .read_only()
    .not_filterable()
    .type_name("field")
    .help("Whether the type is of the kind cloud.");
/// Whether the type is of the kind `kubernetes`.
pub const KUBERNETES: Field = fields::boolean("kubernetes")
    .label("Kubernetes")
    .read_only()
    .not_filterable()
    .type_name("field")
    .help("Whether the type is of the kind kubernetes.");
/// The type's id in summaries of the credential.
const TYPE_ID: Field = fields::integer("credential_type_id")
    .label("Credential type id")
    .read_only()
    .hidden()
    .not_filterable()
    .help("The id of the credential's type.");
/// The user who owns a new credential.
pub const OWNING_USER: Field = fields::link("user", "", || &USER)
    .label("User")
    .default(DefaultValue::Null)
    .only_for_creation()
    .help("The user who will own the new credential.");
/// The team that owns a new credential.
pub const OWNING_TEAM: Field = fields::link("team", "", || &TEAM)
    .label("Team")
    .default(DefaultValue::Null)
    .only_for_creation()
    .column("team_id")
    .help("The team that will own the new credential. Its members may use it, its admins administer it.");

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
    activity_stream("credential", "Credential Activity Stream List"),
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
    description: "Passwords, keys and tokens that jobs use. Secret inputs are stored encrypted and never returned. A new \
                  credential is owned by a user, a team or an organization.",
    unimplemented_relations: &[
        "joblaunchconfigs",
        "schedules",
        "workflowjobnodes",
        "workflowjobs",
        "workflowjobtemplatenodes",
        "workflowjobtemplates",
    ],
    sublists: SUBLISTS,
    actions: &[
        ResourceAction::copy("Credential Copy", || &CREDENTIAL, can_copy),
        lookup_test("Credential Test", usable_credentials),
    ],
    other_capabilities: &[Capability { name: "use", permit: usable_credentials }],
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
    ..Resource::new(
        "credential",
        "credentials",
        "Credential",
        &[
            fields::id(),
            CREATED,
            MODIFIED,
            CREATED_BY,
            MODIFIED_BY,
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
