//! Users: people and machines that log in. The rules here are the contract of
//! *Update a User*, the call that Hostler began with.

use async_trait::async_trait;
use hostler_access::{closure, holders_of, object_ids};
use hostler_database::{Transaction, Type};
use hostler_identity::{
    password::{Verdict, passwords},
    policy::PasswordPolicy,
    session::binding,
};
use hostler_resource::{
    Access, Action, Actor, Charset, Default, Draft, Field, Key, Post, Relation, Resource, Rule, Singleton, Sublist,
    Unique, Via, column, fields, row_count,
};
use hostler_rest::{
    ActivityEntry, Association, Edit, Engine, Failure, Grantee, Hooks, Record, Shown, View, hold_singleton,
};
use sea_query::{Alias, Expr, ExprTrait, Query, SelectStatement, UnionType};
use serde_json::{Map, Value as Json, json};

use crate::common::{PartOf, absent, activity_of, administers_any, held_by, identity, readable_by, roles_held};
use crate::{
    ACTIVITY, APPLICATION, CREDENTIAL, ORGANIZATION, PROJECT, ROLE, SESSION, TEAM, TOKEN, access_list, tokens, ways,
};

const USERNAME_MESSAGE: &str =
    "Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters.";

const LONGEST_USERNAME: u32 = 150;

/// The name to log in with.
pub const USERNAME: Field = fields::text("username")
    .label("Username")
    .max(LONGEST_USERNAME)
    .required()
    .charset(Charset { allows: |c| c.is_alphanumeric() || "@.+-_".contains(c), message: USERNAME_MESSAGE })
    .help("How this person logs in: up to 150 letters, digits and @ . + - _.");
/// Whether this can be the name of a user.
pub fn is_username(name: &str) -> bool {
    !name.is_empty()
        && u32::try_from(name.chars().count()).is_ok_and(|length| length <= LONGEST_USERNAME)
        && USERNAME.charset.is_none_or(|charset| name.chars().all(charset.allows))
}

const FIRST_NAME: Field = fields::text("first_name").label("First name").max(150).help("The given name.");
const LAST_NAME: Field = fields::text("last_name").label("Last name").max(150).help("The family name.");
const EMAIL: Field = fields::email("email").label("Email address").max(254).help("Where mail reaches this person.");
/// May do everything.
pub const IS_SUPERUSER: Field = fields::boolean("is_superuser")
    .label("Superuser status")
    .default(Default::Boolean(false))
    .kept_on_put()
    .nullable()
    .help("May see and change everything.");
const IS_SYSTEM_AUDITOR: Field = fields::boolean("is_system_auditor")
    .label("Is system auditor")
    .default(Default::Boolean(false))
    .kept_on_put()
    .not_filterable()
    .unrecorded()
    .help("May see everything and change nothing.");
/// Whether the user may sign in, by whatever way. Answers, like AWX's, do not show it.
pub const IS_ACTIVE: Field = fields::boolean("is_active")
    .label("Active")
    .default(Default::Boolean(true))
    .kept_on_put()
    .filter_unlisted()
    .hidden()
    .help("Whether this user may sign in. Without it nothing works that acts as the user, tokens included.");
/// The password, of which only a hash is stored.
pub const PASSWORD: Field = fields::digest("password")
    .label("Password")
    .default(Default::Text(""))
    .not_blank()
    .help("A new password. It is never shown; $encrypted$ keeps the one that is set.");
/// The name in the directory.
pub const LDAP_DN: Field = fields::text("ldap_dn")
    .label("Ldap dn")
    .read_only()
    .not_filterable()
    .help("The name in the directory, for a user who comes from one.");
const LAST_LOGIN: Field =
    fields::time("last_login").label("Last login").nullable().read_only().help("When this user last opened a session.");
/// Where the user comes from.
pub const EXTERNAL_ACCOUNT: Field = fields::text("external_account")
    .label("External account")
    .nullable()
    .read_only()
    .not_filterable()
    .type_name("field")
    .help("Where the user comes from, if not from here: ldap, social or enterprise.");
const CREATED: Field = crate::common::CREATED.filter_unlisted();
/// As in AWX, a user counts as modified when they last logged in.
const MODIFIED: Field = crate::common::MODIFIED.column("last_login").nullable().filter_unlisted();

const USER_FIELDS: &[Field] = &[
    fields::id(),
    CREATED,
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

/// The roles that make somebody belong to an organization, held on it or on one of its teams.
const BELONGING: [&str; 2] = ["member_role", "admin_role"];

static IDENTITY: Resource = identity("users", &PartOf(|| &USER));
/// What AWX keeps in a table of its own beside the user.
static PROFILE: Resource = {
    const FIELDS: &[Field] = &[fields::id(), fields::text("ldap_dn").read_only()];
    let mut resource = Resource::new("profile", "users", "Profile", FIELDS, &PartOf(|| &USER));
    resource.search = &["ldap_dn"];
    resource
};

const RELATIONS: &[Relation] = &[
    Relation::new("roles", || &ROLE, roles_held("user_id")),
    Relation::new("has_roles", || &ROLE, roles_held("user_id")),
    Relation::new("role_assignments", || &ROLE, roles_held("user_id")),
    Relation::new("profile", || &PROFILE, Via::Same),
    Relation::new("resource", || &IDENTITY, Via::Same),
    Relation::new("activity_stream", || &ACTIVITY, activity_of("user")),
    Relation::new("main_oauth2accesstoken", || &TOKEN, Via::Reverse("user_id")),
    // AWX's API never makes a user the owner of an application.
    absent("main_oauth2application", || &APPLICATION),
    absent("oauth2_provider_grant", || &TOKEN),
    absent("oauth2_provider_idtoken", || &TOKEN),
    absent("oauth2_provider_refreshtoken", || &TOKEN),
    absent("enterprise_auth", || &TOKEN),
    absent("social_auth", || &TOKEN),
];

const SUBLISTS: &[Sublist] = &[
    Sublist::new(
        "teams",
        "User Teams List",
        || &TEAM,
        Via::Condition(|id, other| held_by("team", &["member_role", "admin_role"], id, other)),
    ),
    Sublist::new(
        "organizations",
        "User Organizations List",
        || &ORGANIZATION,
        Via::Condition(|id, other| held_by("organization", &["member_role"], id, other)),
    ),
    Sublist::new(
        "admin_of_organizations",
        "User Admin of Organizations List",
        || &ORGANIZATION,
        Via::Condition(|id, other| held_by("organization", &["admin_role"], id, other)),
    ),
    Sublist::new("roles", "User Roles List", || &ROLE, roles_held("user_id")).post(Post::Attach),
    Sublist::new(
        "projects",
        "User Projects List",
        || &PROJECT,
        Via::Condition(|id, other| readable_by(&PROJECT, id, other)),
    ),
    Sublist::new(
        "credentials",
        "User Credentials List",
        || &CREDENTIAL,
        Via::Condition(|id, other| readable_by(&CREDENTIAL, id, other)),
    )
    .post(Post::Create("user")),
    Sublist::new("activity_stream", "User Activity Stream List", || &ACTIVITY, activity_of("user")),
    Sublist::new(
        "access_list",
        "User Access List",
        || &USER,
        Via::Condition(|_, other| {
            // Nobody is granted roles on a user: those above all objects have access.
            ways::is_above_all(other)
        }),
    ),
    Sublist::new("tokens", "User Tokens List", || &TOKEN, Via::Reverse("user_id")).post(Post::Hook),
    Sublist::new(
        "authorized_tokens",
        "User Authorized Tokens List",
        || &TOKEN,
        Via::Condition(|id, other| column(other, "user_id").eq(id).and(column(other, "application_id").is_not_null())),
    )
    .post(Post::Hook),
    Sublist::new(
        "personal_tokens",
        "User Personal Tokens List",
        || &TOKEN,
        Via::Condition(|id, other| column(other, "user_id").eq(id).and(column(other, "application_id").is_null())),
    )
    .post(Post::Hook),
    // Beyond AWX, so that nothing in a user's `related` is unknown to its clients.
    Sublist::new("sessions", "User Sessions List", || &SESSION, Via::Reverse("user_id")).unlinked(),
];

/// Users.
pub static USER: Resource = Resource {
    list_title: "User List",
    detail_title: "User Detail",
    description: "Users log in and are granted roles, by themselves or through teams. One sees oneself, the members of \
                  one's organizations, and superusers; organization admins see everybody unless a setting forbids it.",
    relations: RELATIONS,
    sublists: SUBLISTS,
    summarized_as: &["username", "first_name", "last_name"],
    search: &["username", "first_name", "last_name", "email"],
    natural_key: &[Key::Field("username")],
    unique: &[Unique { fields: &["username"], key: "username", message: "A user with that username already exists." }],
    audited: false,
    shared_type: Some("shared.user"),
    total: Some(|| row_count("users")),
    ..Resource::new("user", "users", "User", USER_FIELDS, &UserAccess)
};

/// Who sees and changes whom; section 1 of the contract.
struct UserAccess;

impl Access for UserAccess {
    fn rows(&self, actor: &Actor, action: Action, row: &str) -> Rule {
        let is_self = || column(row, "id").eq(actor.id);
        match action {
            Action::Read if actor.is_superuser || actor.is_system_auditor => Rule::All,
            Action::Read if actor.policy.org_admins_see_all_users && actor.is_organization_admin => Rule::All,
            Action::Read => Rule::When(column(row, "id").in_subquery(seen_by(actor))),
            Action::Change if actor.is_superuser => Rule::All,
            // Nobody deletes themselves: that is how installations lose their last admin.
            Action::Delete if actor.is_superuser => Rule::When(is_self().not()),
            _ if !actor.policy.manage_organization_auth => Rule::None,
            Action::Change => {
                Rule::When(is_self()).or(administered(actor, row).and(Rule::When(belongs_somewhere(row))))
            }
            Action::Delete => {
                let orphan = administers_any(actor).and(Rule::When(holds_anything(row).not()));
                administered(actor, row)
                    .and(Rule::When(belongs_somewhere(row)))
                    .or(ordinary(row).and(orphan))
                    .and(Rule::When(is_self().not()))
            }
        }
    }

    fn create(&self, actor: &Actor, _draft: Draft<'_>) -> Rule {
        // Organization admins create users below their organization.
        Rule::from_bool(actor.is_superuser)
    }
}

/// The ids of the users whom one sees who administers nothing: oneself, superusers, and the
/// members of organizations that one can read. They are gathered first, so that the rows of
/// a list are looked up by them: an OR would have the databases look at every user there is.
fn seen_by(actor: &Actor) -> SelectStatement {
    let among_users = |condition: Expr| {
        Query::select()
            .expr(column("seen", "id"))
            .from_as(Alias::new("users"), Alias::new("seen"))
            .and_where(condition)
            .to_owned()
    };
    let readable = closure(&ORGANIZATION, "read_role").own;
    let shared = column("roles", "object_id").in_subquery(object_ids("organization", &readable, actor.id));
    let mut seen = among_users(column("seen", "id").eq(actor.id));
    // The constant, unlike a bound value, tells PostgreSQL that these are few.
    seen.union(UnionType::All, among_users(column("seen", "is_superuser").eq(Expr::Constant(true.into()))));
    seen.union(UnionType::All, holders_of("organization", &["member_role"], shared));
    seen
}

/// Neither superuser nor system auditor.
fn ordinary(row: &str) -> Rule {
    Rule::When(column(row, "is_superuser").eq(false).and(column(row, "is_system_auditor").eq(false)))
}

/// The user belongs to no organization that the actor does not administer, and is an ordinary one.
fn administered(actor: &Actor, row: &str) -> Rule {
    let mine = object_ids("organization", &["admin_role"], actor.id);
    let team = Query::select()
        .expr(column("teams", "organization_id"))
        .from(Alias::new("teams"))
        .and_where(column("teams", "id").equals((Alias::new("roles"), Alias::new("object_id"))))
        .to_owned();
    let organization = Expr::case(column("roles", "content_type").eq(ORGANIZATION.name), column("roles", "object_id"))
        .finally(Expr::SubQuery(None, Box::new(team.into())));
    let elsewhere = Expr::Case(Box::new(organization)).not_in_subquery(mine);
    ordinary(row).and(Rule::When(Expr::exists(belongings(row).and_where(elsewhere).to_owned()).not()))
}

/// The user is a member or an admin of at least one organization, or of a team in it.
fn belongs_somewhere(row: &str) -> Expr {
    Expr::exists(belongings(row))
}

/// The grants, joined with their roles, by which this user belongs to organizations
/// and teams: a few for each user, whereas all users' are many.
fn belongings(row: &str) -> SelectStatement {
    Query::select()
        .expr(Expr::val(1))
        .from(Alias::new("grants"))
        .inner_join(Alias::new("roles"), column("roles", "id").eq(column("grants", "role_id")))
        .and_where(column("grants", "user_id").eq(column(row, "id")))
        .and_where(column("roles", "content_type").is_in([ORGANIZATION.name, TEAM.name]))
        .and_where(column("roles", "role_field").is_in(BELONGING))
        .to_owned()
}

/// The user was granted any role on anything: whoever takes such a user over takes that over too.
fn holds_anything(row: &str) -> Expr {
    Expr::exists(
        Query::select()
            .expr(Expr::val(1))
            .from(Alias::new("grants"))
            .and_where(column("grants", "user_id").eq(column(row, "id")))
            .to_owned(),
    )
}

/// Passwords, flags and what follows from them.
pub struct UserHooks;

const LAST_SUPERUSER: &str = "This is the last superuser: make somebody else a superuser first.";

/// Held while the number of superusers may go down, so that two at once cannot remove the last two.
const SUPERUSERS_LOCK: &str = "superusers";

#[async_trait]
impl Hooks for UserHooks {
    async fn prepare(&self, engine: &Engine, edit: &mut Edit<'_>) -> Result<(), Failure> {
        let external = !edit.old.as_ref().unwrap_or(&edit.new).text(&EXTERNAL_ACCOUNT).is_empty();
        if external {
            // The password of such an account is kept elsewhere.
            edit.secrets.remove(PASSWORD.name);
        }
        let Some(password) = edit.secrets.get(PASSWORD.name) else {
            return if edit.is_new() && !external {
                Err(Failure::field(PASSWORD.name, "Password required for new User."))
            } else {
                Ok(())
            };
        };
        if let Some(old) = &edit.old
            && is_password_of(engine, old.id, password).await?
        {
            // Whoever writes what is set already changes nothing, so no session ends: playbooks do at every run.
            edit.secrets.remove(PASSWORD.name);
            return Ok(());
        }
        let policy = &edit.actor.policy;
        PasswordPolicy {
            min_length: policy.password_min_length,
            min_digits: policy.password_min_digits,
            min_upper: policy.password_min_upper,
            min_special: policy.password_min_special,
            refuse_common: policy.password_refuse_common,
        }
        .check(password)
        .map_err(|message| Failure::field(PASSWORD.name, message))?;
        let digest = passwords().hash(password.clone()).await.map_err(|error| Failure::Internal(error.to_string()))?;
        edit.digests.insert(PASSWORD.name, digest);
        Ok(())
    }

    fn permit(&self, edit: &Edit<'_>) -> Result<(), Failure> {
        let actor = edit.actor;
        let is_self = edit.old.as_ref().is_some_and(|old| old.id == actor.id);
        if is_self && edit.changes(&IS_ACTIVE) {
            // Not even a superuser: whoever does that by mistake cannot undo it.
            return Err(cannot_change(&[IS_ACTIVE.name]));
        }
        if actor.is_superuser {
            return Ok(());
        }
        let raised =
            |field: &Field| edit.new.boolean(field) && !edit.old.as_ref().is_some_and(|old| old.boolean(field));
        if raised(&IS_SUPERUSER) || (!is_self && raised(&IS_SYSTEM_AUDITOR)) {
            return Err(Failure::forbidden());
        }
        if edit.is_new() {
            return Ok(());
        }
        let mut refused: Vec<&str> =
            [IS_SUPERUSER, IS_SYSTEM_AUDITOR].iter().filter(|field| edit.changes(field)).map(|f| f.name).collect();
        if is_self && edit.changes(&USERNAME) {
            refused.push(USERNAME.name);
        }
        if refused.is_empty() { Ok(()) } else { Err(cannot_change(&refused)) }
    }

    async fn validate(&self, _engine: &Engine, tx: &mut Transaction, edit: &mut Edit<'_>) -> Result<(), Failure> {
        let Some(old) = &edit.old else { return Ok(()) };
        // The directory's own word is written by nobody.
        if !old.text(&LDAP_DN).is_empty() && edit.actor.user().is_some() {
            for field in [USERNAME, FIRST_NAME, LAST_NAME, EMAIL, IS_SUPERUSER, IS_SYSTEM_AUDITOR] {
                if edit.actor.policy.managed.has(field.name) && edit.changes(&field) {
                    let message = format!("Unable to change {} on user managed by LDAP.", field.name);
                    return Err(Failure::field(field.name, message));
                }
            }
        }
        let lost = [IS_SUPERUSER, IS_ACTIVE].into_iter().find(|field| old.boolean(field) && !edit.new.boolean(field));
        if let Some(field) = lost
            && old.boolean(&IS_SUPERUSER)
            && is_last_superuser(tx, old.id).await?
        {
            return Err(Failure::field(field.name, LAST_SUPERUSER));
        }
        Ok(())
    }

    async fn saved(&self, engine: &Engine, tx: &mut Transaction, edit: &Edit<'_>, id: i64) -> Result<(), Failure> {
        let actor = edit.actor.user();
        if let (false, Some(hash)) = (edit.is_new(), edit.digests.get(PASSWORD.name)) {
            let keep = edit.actor.session.map(|session| (session, binding(&engine.secret, id, hash)));
            end_sessions(tx, id, keep).await?;
        }
        if edit.old.as_ref().is_some_and(|old| old.boolean(&IS_ACTIVE)) && !edit.new.boolean(&IS_ACTIVE) {
            disable(tx, id).await?;
        }
        for (field, singleton) in [(IS_SUPERUSER, Singleton::Administrator), (IS_SYSTEM_AUDITOR, Singleton::Auditor)] {
            let (before, after) = (edit.old.as_ref().is_some_and(|old| old.boolean(&field)), edit.new.boolean(&field));
            if before != after {
                hold_singleton(engine, tx, actor, singleton, id, after).await?;
                if field.name == IS_SYSTEM_AUDITOR.name {
                    let changes: Map<String, Json> =
                        [(field.name.to_owned(), json!([before, after]))].into_iter().collect();
                    ActivityEntry::about(&USER, id, "update", changes).write(engine, tx, edit.actor).await?;
                }
            }
        }
        Ok(())
    }

    async fn deleting(
        &self,
        _engine: &Engine,
        tx: &mut Transaction,
        _actor: &Actor,
        record: &Record,
    ) -> Result<(), Failure> {
        if record.boolean(&IS_SUPERUSER) && is_last_superuser(tx, record.id).await? {
            return Err(Failure::Forbidden(Some(LAST_SUPERUSER.into())));
        }
        Ok(())
    }

    async fn enrich(&self, engine: &Engine, view: View<'_>, page: &mut [Shown]) -> Result<(), Failure> {
        match view.below {
            Some((parent, id, sublist)) if sublist.name == "access_list" => {
                access_list::show(engine, view.actor, parent, id, page).await
            }
            _ => {
                for shown in page {
                    // Accounts elsewhere (provider and uid) come with the sign-in by others.
                    shown.json.insert("auth".into(), json!([]));
                }
                Ok(())
            }
        }
    }

    async fn post_below(
        &self,
        engine: &Engine,
        actor: &Actor,
        parent: i64,
        sublist: &'static Sublist,
        body: &Map<String, Json>,
    ) -> Result<Option<Map<String, Json>>, Failure> {
        match sublist.name {
            "roles" => {
                let asked = Association::parse(body)?
                    .ok_or_else(|| Failure::BadMessage("Role 'id' field is missing.".into()))?;
                engine.change_grant(actor, asked.id, Grantee::User(parent), asked.attach).await?;
                Ok(None)
            }
            "tokens" | "authorized_tokens" | "personal_tokens" => {
                // A token acts as its user, so nobody else can have one made.
                if parent != actor.id {
                    return Err(Failure::forbidden());
                }
                let body = tokens::body_below(sublist.name, body)?;
                Ok(Some(engine.create(actor, &TOKEN, &body, None).await?.json))
            }
            _ => Err(Failure::MethodNotAllowed),
        }
    }
}

/// Whether this is the user's password as it is set.
async fn is_password_of(engine: &Engine, id: i64, password: &str) -> Result<bool, Failure> {
    let stored = Query::select()
        .expr(column("users", "password"))
        .from(Alias::new("users"))
        .and_where(column("users", "id").eq(id))
        .to_owned();
    let rows = engine.database.read(&stored, &[Type::Text]).await?;
    let stored = rows.first().and_then(|row| row.text(0)).unwrap_or_default().to_owned();
    Ok(passwords().verify(password.to_owned(), stored).await != Verdict::Wrong)
}

/// Whether no other active superuser is left.
async fn is_last_superuser(tx: &mut Transaction, id: i64) -> Result<bool, Failure> {
    tx.lock(SUPERUSERS_LOCK).await?;
    let others = Query::select()
        .expr(column("users", "id"))
        .from(Alias::new("users"))
        .and_where(column("users", "is_superuser").eq(true))
        .and_where(column("users", "is_active").eq(true))
        .and_where(column("users", "id").ne(id))
        .limit(1)
        .to_owned();
    Ok(tx.read(&others, &[Type::Integer]).await?.is_empty())
}

/// Ends a user's sessions but the one to keep, which gets this new binding.
async fn end_sessions(tx: &mut Transaction, user: i64, keep: Option<(i64, String)>) -> Result<(), Failure> {
    let delete = Query::delete()
        .from_table(Alias::new("sessions"))
        .and_where(column("sessions", "user_id").eq(user))
        .and_where_option(keep.as_ref().map(|(id, _)| column("sessions", "id").ne(*id)))
        .to_owned();
    tx.execute(&delete).await?;
    if let Some((id, binding)) = keep {
        let rebind = Query::update()
            .table(Alias::new("sessions"))
            .value(Alias::new("binding"), binding)
            .and_where(column("sessions", "user_id").eq(user))
            .and_where(column("sessions", "id").eq(id))
            .to_owned();
        tx.execute(&rebind).await?;
    }
    Ok(())
}

/// Ends what would come back to life with a user who is enabled again: sessions
/// and consents under way. Tokens stay, and are refused while the user is disabled.
async fn disable(tx: &mut Transaction, user: i64) -> Result<(), Failure> {
    end_sessions(tx, user, None).await?;
    let codes = Query::delete()
        .from_table(Alias::new("authorization_codes"))
        .and_where(column("authorization_codes", "user_id").eq(user))
        .and_where(column("authorization_codes", "token_id").is_null())
        .to_owned();
    tx.execute(&codes).await?;
    Ok(())
}

fn cannot_change(fields: &[&str]) -> Failure {
    Failure::Forbidden(Some(format!("Cannot change {}.", fields.join(", "))))
}
