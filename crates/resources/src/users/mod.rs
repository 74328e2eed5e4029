//! Users: people and machines that log in.

mod access;
pub mod actions;
mod hooks;

use hostler_identity::username::normalize_username;
use hostler_schema::{
    Charset, DefaultValue, Field, Join, NaturalKeyPart, Post, Relation, Resource, Sublist, UniqueConstraint, column,
    fields,
};
use sea_query::ExprTrait;

use crate::common::{
    InheritedAccess, activity_stream, granted_roles, granted_to_user, identity, readable_by, sees_everything,
};
use crate::{CREDENTIAL, ORGANIZATION, PROJECT, ROLE, SESSION, TEAM, TOKEN, access_paths};
use access::UserAccess;
pub use hooks::UserHooks;

const USERNAME_MESSAGE: &str =
    "Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters.";

const LONGEST_USERNAME: u32 = 150;

/// The username.
pub const USERNAME: Field = fields::text("username")
    .label("Username")
    .max(LONGEST_USERNAME)
    .required()
    .normalize(|name| normalize_username(name).into_owned())
    .charset(Charset { allows: |c| c.is_alphanumeric() || "@.+-_".contains(c), message: USERNAME_MESSAGE })
    .help("The name to log in with: up to 150 letters, digits and @ . + - _.");
/// Whether this can be the name of a user.
pub fn is_username(name: &str) -> bool {
    !name.is_empty()
        && u32::try_from(name.chars().count()).is_ok_and(|length| length <= LONGEST_USERNAME)
        && USERNAME.charset.is_none_or(|charset| name.chars().all(charset.allows))
}

const FIRST_NAME: Field = fields::text("first_name").label("First name").max(150).help("The given name.");
const LAST_NAME: Field = fields::text("last_name").label("Last name").max(150).help("The family name.");
const EMAIL: Field = fields::email("email")
    .label("Email address")
    .max(254)
    .normalize(lowercase_domain)
    .help("The email address of the user.");
/// The address with its domain in lower case: domains are compared without case, names before the `@` are not.
fn lowercase_domain(address: &str) -> String {
    match address.rsplit_once('@') {
        Some((name, domain)) => format!("{name}@{}", domain.to_lowercase()),
        None => address.to_owned(),
    }
}

/// Has all permissions.
pub const IS_SUPERUSER: Field = fields::boolean("is_superuser")
    .label("Superuser status")
    .default(DefaultValue::Boolean(false))
    .kept_on_put()
    .nullable()
    .help("The user may see and change everything.");
const IS_SYSTEM_AUDITOR: Field = fields::boolean("is_system_auditor")
    .label("Is system auditor")
    .default(DefaultValue::Boolean(false))
    .kept_on_put()
    .not_filterable()
    .unrecorded()
    .help("The user may see everything and change nothing.");
/// Whether the user may sign in, by any method. As in AWX, responses do not contain it.
pub const IS_ACTIVE: Field = fields::boolean("is_active")
    .label("Active")
    .default(DefaultValue::Boolean(true))
    .kept_on_put()
    .filter_unlisted()
    .hidden()
    .help("Whether this user may sign in. A disabled user's sessions end and tokens are refused.");
/// The password, of which only a hash is stored.
pub const PASSWORD: Field = fields::digest("password")
    .label("Password")
    .default(DefaultValue::Text(""))
    .not_blank()
    .help("A new password. It is never shown; $encrypted$ keeps the one that is set.");
/// The name in the directory.
pub const LDAP_DN: Field = fields::text("ldap_dn")
    .label("Ldap dn")
    .read_only()
    .not_filterable()
    .help("The name of the user's entry in the LDAP directory.");
const LAST_LOGIN: Field =
    fields::time("last_login").label("Last login").nullable().read_only().help("When this user last opened a session.");
/// The kind of external account.
pub const EXTERNAL_ACCOUNT: Field = fields::text("external_account")
    .label("External account")
    .nullable()
    .read_only()
    .not_filterable()
    .type_name("field")
    .help("The kind of external account: ldap, social or enterprise; null for a local user.");
const CREATED: Field = crate::common::CREATED.filter_unlisted();
/// The name that AWX's filters and orderings know for `created`.
const DATE_JOINED: Field = fields::time("date_joined")
    .column("created")
    .label("Date joined")
    .read_only()
    .filter_unlisted()
    .hidden()
    .help("When this user was created.");
/// As in AWX, a user counts as modified when they last logged in.
const MODIFIED: Field = crate::common::MODIFIED.column("last_login").nullable().filter_unlisted();

const USER_FIELDS: &[Field] = &[
    fields::id(),
    CREATED,
    DATE_JOINED,
    MODIFIED,
    USERNAME,
    FIRST_NAME,
    LAST_NAME,
    EMAIL,
    IS_SUPERUSER,
    IS_SYSTEM_AUDITOR,
    IS_ACTIVE,
    PASSWORD,
    LDAP_DN,
    LAST_LOGIN,
    EXTERNAL_ACCOUNT,
];

static IDENTITY: Resource = identity("users", &InheritedAccess(|| &USER));
/// The profile, which in AWX is a table of its own.
static PROFILE: Resource = {
    const FIELDS: &[Field] = &[fields::id(), fields::text("ldap_dn").read_only()];
    let mut resource = Resource::new("profile", "users", "Profile", FIELDS, &InheritedAccess(|| &USER));
    resource.search = &["ldap_dn"];
    resource
};

const RELATIONS: &[Relation] = &[
    Relation::new("roles", || &ROLE, granted_roles("user_id")),
    Relation::new("has_roles", || &ROLE, granted_roles("user_id")),
    Relation::new("role_assignments", || &ROLE, granted_roles("user_id")),
    Relation::new("profile", || &PROFILE, Join::SameRow),
    Relation::new("resource", || &IDENTITY, Join::SameRow),
];

const SUBLISTS: &[Sublist] = &[
    Sublist::new(
        "teams",
        "User Teams List",
        || &TEAM,
        Join::Condition(|id, other| granted_to_user("team", &["member_role", "admin_role"], id, other)),
    ),
    Sublist::new(
        "organizations",
        "User Organizations List",
        || &ORGANIZATION,
        Join::Condition(|id, other| granted_to_user("organization", &["member_role"], id, other)),
    ),
    Sublist::new(
        "admin_of_organizations",
        "User Admin of Organizations List",
        || &ORGANIZATION,
        Join::Condition(|id, other| granted_to_user("organization", &["admin_role"], id, other)),
    ),
    Sublist::new("roles", "User Roles List", || &ROLE, granted_roles("user_id")).post(Post::GrantByHook),
    Sublist::new(
        "projects",
        "User Projects List",
        || &PROJECT,
        Join::Condition(|id, other| readable_by(&PROJECT, id, other)),
    )
    .whole_if(sees_everything),
    Sublist::new(
        "credentials",
        "User Credentials List",
        || &CREDENTIAL,
        Join::Condition(|id, other| readable_by(&CREDENTIAL, id, other)),
    )
    .whole_if(sees_everything)
    .post(Post::Create("user")),
    activity_stream("user", "User Activity Stream List"),
    Sublist::new(
        "access_list",
        "User Access List",
        || &USER,
        Join::Condition(|_, other| {
            // Users have no roles of their own: only system-wide roles give access.
            access_paths::is_system_wide(other)
        }),
    )
    .visible_to_readers(),
    Sublist::new("tokens", "User Tokens List", || &TOKEN, Join::Reverse("user_id")).post(Post::Hook),
    Sublist::new(
        "authorized_tokens",
        "User Authorized Tokens List",
        || &TOKEN,
        Join::Condition(|id, other| column(other, "user_id").eq(id).and(column(other, "application_id").is_not_null())),
    )
    .post(Post::Hook)
    .requires(&["application"]),
    Sublist::new(
        "personal_tokens",
        "User Personal Tokens List",
        || &TOKEN,
        Join::Condition(|id, other| column(other, "user_id").eq(id).and(column(other, "application_id").is_null())),
    )
    .post(Post::Hook),
    // Not in AWX: left out of `related`, which clients know.
    Sublist::new("sessions", "User Sessions List", || &SESSION, Join::Reverse("user_id")).unlinked(),
];

/// Users.
pub static USER: Resource = Resource {
    list_title: "User List",
    detail_title: "User Detail",
    description: "Users log in and are granted roles, directly or through teams. Users see themselves, the members of \
                  their organizations, and superusers; organization admins see all users unless a setting forbids it.",
    relations: RELATIONS,
    // AWX's API never makes a user the owner of an application.
    unimplemented_relations: &[
        "main_oauth2application",
        "oauth2_provider_grant",
        "oauth2_provider_idtoken",
        "oauth2_provider_refreshtoken",
        "enterprise_auth",
        "social_auth",
    ],
    sublists: SUBLISTS,
    actions: actions::ACTIONS,
    summarized_as: &["username", "first_name", "last_name"],
    search: &["username", "first_name", "last_name", "email"],
    natural_key: &[NaturalKeyPart::Field("username")],
    unique: &[UniqueConstraint {
        fields: &["username"],
        key: "username",
        message: "A user with that username already exists.",
    }],
    shared_type: Some("shared.user"),
    ..Resource::new("user", "users", "User", USER_FIELDS, &UserAccess)
};
