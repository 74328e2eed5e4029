//! Settings that Hostler honours, kept in the database, read through a short memory.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use hostler_database::{Database, Error, Type};
use hostler_resource::{Actor, Policy, column};
use hostler_rest::Failure;
use sea_query::{Alias, ExprTrait, OnConflict, Query};
use serde_json::{Map, Value as Json, json};

use crate::dispatch::Request;
use crate::reply::Reply;
use crate::state::App;

/// How long another node's change may go unnoticed.
const MEMORY: Duration = Duration::from_secs(1);

/// The values in force.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    pub(crate) manage_organization_auth: bool,
    pub(crate) org_admins_see_all_users: bool,
    pub(crate) auth_basic_enabled: bool,
    /// In seconds.
    pub(crate) session_cookie_age: i64,
    /// In seconds.
    pub(crate) access_token_expire: i64,
    /// In seconds.
    pub(crate) authorization_code_expire: i64,
    /// In seconds.
    pub(crate) refresh_token_expire: i64,
    pub(crate) password_min_length: u32,
    pub(crate) password_min_digits: u32,
    pub(crate) password_min_upper: u32,
    pub(crate) password_min_special: u32,
}

impl Settings {
    /// Reads the values in force.
    ///
    /// # Errors
    /// What the database says.
    pub async fn load(database: &Database) -> Result<Settings, Error> {
        Ok(Settings::from_values(&stored(database).await?))
    }

    /// Whoever works on the data itself, without being a user: may do
    /// everything, and leaves no actor in the activity stream.
    pub fn operator(&self) -> Actor {
        Actor {
            id: 0,
            username: "operator".into(),
            is_superuser: true,
            is_system_auditor: false,
            can_write: true,
            session: None,
            policy: self.policy(),
        }
    }

    pub(crate) fn policy(&self) -> Policy {
        Policy {
            manage_organization_auth: self.manage_organization_auth,
            org_admins_see_all_users: self.org_admins_see_all_users,
            password_min_length: self.password_min_length,
            password_min_digits: self.password_min_digits,
            password_min_upper: self.password_min_upper,
            password_min_special: self.password_min_special,
            token_seconds: self.access_token_expire,
            refresh_token_seconds: self.refresh_token_expire,
        }
    }

    fn from_values(values: &Map<String, Json>) -> Self {
        let value = |name: &str| {
            let known = KNOWN.iter().find(|setting| setting.name == name);
            values
                .get(name)
                .cloned()
                .or_else(|| known.map(|setting| setting.kind.default_value()))
                .unwrap_or(Json::Null)
        };
        let boolean = |name| value(name).as_bool().unwrap_or_default();
        let integer = |name| value(name).as_i64().unwrap_or_default();
        // A value stored before a lifetime was known lacks it.
        let lifetime = |name: &str| {
            let default = LIFETIMES.iter().find(|(known, ..)| *known == name).map_or(1, |(_, default, ..)| *default);
            value("OAUTH2_PROVIDER")[name].as_i64().unwrap_or(default)
        };
        let count = |name| integer(name).try_into().unwrap_or(u32::MAX);
        Settings {
            manage_organization_auth: boolean("MANAGE_ORGANIZATION_AUTH"),
            org_admins_see_all_users: boolean("ORG_ADMINS_CAN_SEE_ALL_USERS"),
            auth_basic_enabled: boolean("AUTH_BASIC_ENABLED"),
            session_cookie_age: integer("SESSION_COOKIE_AGE"),
            access_token_expire: lifetime("ACCESS_TOKEN_EXPIRE_SECONDS"),
            authorization_code_expire: lifetime("AUTHORIZATION_CODE_EXPIRE_SECONDS"),
            refresh_token_expire: lifetime("REFRESH_TOKEN_EXPIRE_SECONDS"),
            password_min_length: count("LOCAL_PASSWORD_MIN_LENGTH"),
            password_min_digits: count("LOCAL_PASSWORD_MIN_DIGITS"),
            password_min_upper: count("LOCAL_PASSWORD_MIN_UPPER"),
            password_min_special: count("LOCAL_PASSWORD_MIN_SPECIAL"),
        }
    }
}

/// What values a setting takes.
enum Kind {
    Boolean(bool),
    /// Default, least, greatest.
    Integer(i64, i64, i64),
    /// An object of whole numbers: of each the name, default, least and greatest.
    Integers(&'static [(&'static str, i64, i64, i64)]),
}

impl Kind {
    fn default_value(&self) -> Json {
        match self {
            Kind::Boolean(value) => Json::from(*value),
            Kind::Integer(value, _, _) => Json::from(*value),
            Kind::Integers(parts) => {
                parts.iter().map(|(name, value, _, _)| ((*name).to_owned(), Json::from(*value))).collect()
            }
        }
    }

    /// The values as JSON Schema.
    fn schema(&self) -> Json {
        match self {
            Kind::Boolean(value) => json!({"type": "boolean", "default": value}),
            Kind::Integer(value, least, greatest) => {
                json!({"type": "integer", "minimum": least, "maximum": greatest, "default": value})
            }
            Kind::Integers(parts) => {
                let parts = parts.iter().map(|(name, value, least, greatest)| {
                    ((*name).to_owned(), Kind::Integer(*value, *least, *greatest).schema())
                });
                json!({"type": "object", "properties": parts.collect::<Map<_, _>>(), "additionalProperties": false})
            }
        }
    }

    fn check(&self, value: &Json) -> Result<Json, String> {
        match self {
            Kind::Boolean(_) => match value {
                Json::Bool(_) => Ok(value.clone()),
                Json::String(word) if word.eq_ignore_ascii_case("true") => Ok(true.into()),
                Json::String(word) if word.eq_ignore_ascii_case("false") => Ok(false.into()),
                _ => Err("Must be a valid boolean.".into()),
            },
            Kind::Integer(_, least, greatest) => integer(value, *least, *greatest).map(Json::from),
            Kind::Integers(parts) => {
                let sent = value.as_object().ok_or_else(|| "Expected a dictionary of items.".to_owned())?;
                if let Some(name) = sent.keys().find(|name| !parts.iter().any(|(known, ..)| known == name)) {
                    return Err(format!("{name} is not known here."));
                }
                let mut values = Map::new();
                for (name, default, least, greatest) in *parts {
                    let number = match sent.get(*name) {
                        Some(value) => {
                            integer(value, *least, *greatest).map_err(|message| format!("{name}: {message}"))?
                        }
                        None => *default,
                    };
                    values.insert((*name).to_owned(), number.into());
                }
                Ok(values.into())
            }
        }
    }
}

fn integer(value: &Json, least: i64, greatest: i64) -> Result<i64, String> {
    let number = match value {
        Json::Number(number) => number.as_i64(),
        Json::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    match number {
        None => Err("A valid integer is required.".into()),
        Some(number) if number < least => Err(format!("Ensure this value is greater than or equal to {least}.")),
        Some(number) if number > greatest => Err(format!("Ensure this value is less than or equal to {greatest}.")),
        Some(number) => Ok(number),
    }
}

struct Setting {
    name: &'static str,
    category: &'static str,
    kind: Kind,
    help: &'static str,
}

impl Setting {
    /// What OPTIONS tells of the setting.
    fn describe(&self, writing: bool) -> Json {
        let mut words = match self.kind {
            Kind::Boolean(_) => json!({"type": "boolean"}),
            Kind::Integer(_, least, greatest) => json!({"type": "integer", "min_value": least, "max_value": greatest}),
            Kind::Integers(_) => json!({"type": "nested object"}),
        };
        if let Some(words) = words.as_object_mut() {
            words.insert("label".into(), self.name.replace('_', " ").to_lowercase().into());
            words.insert("help_text".into(), self.help.into());
            words.insert("category_slug".into(), self.category.into());
            words.insert("default".into(), self.kind.default_value());
            if writing {
                words.insert("required".into(), false.into());
            }
        }
        words
    }
}

const fn setting(name: &'static str, category: &'static str, kind: Kind, help: &'static str) -> Setting {
    Setting { name, category, kind, help }
}

const YEAR: i64 = 31_536_000;

/// For how long what OAuth2 hands out is good: of each its default, least and greatest number of seconds. None can be
/// made endless, as AWX's refresh tokens once were (CVE-2020-10709); RFC 6749, section 4.1.2, wants codes short-lived.
const LIFETIMES: &[(&str, i64, i64, i64)] = &[
    ("ACCESS_TOKEN_EXPIRE_SECONDS", YEAR, 1, 100 * YEAR),
    ("AUTHORIZATION_CODE_EXPIRE_SECONDS", 600, 1, 86_400),
    ("REFRESH_TOKEN_EXPIRE_SECONDS", 2_628_000, 1, 100 * YEAR),
];

/// Every setting that Hostler honours; no other is listed or taken.
const KNOWN: &[Setting] = &[
    setting(
        "MANAGE_ORGANIZATION_AUTH",
        "system",
        Kind::Boolean(true),
        "Whether organization admins may change users, and who is in which organization or team.",
    ),
    setting(
        "ORG_ADMINS_CAN_SEE_ALL_USERS",
        "system",
        Kind::Boolean(true),
        "Whether organization admins see all users and teams.",
    ),
    setting(
        "AUTH_BASIC_ENABLED",
        "authentication",
        Kind::Boolean(true),
        "Whether a name and a password may come with each request.",
    ),
    setting(
        "SESSION_COOKIE_AGE",
        "authentication",
        Kind::Integer(1800, 60, 30 * YEAR),
        "For how many seconds a session of a browser lasts.",
    ),
    setting(
        "OAUTH2_PROVIDER",
        "authentication",
        Kind::Integers(LIFETIMES),
        "For how many seconds tokens, codes and refresh tokens are good.",
    ),
    setting(
        "LOCAL_PASSWORD_MIN_LENGTH",
        "authentication",
        Kind::Integer(0, 0, 128),
        "Fewest characters of a new password.",
    ),
    setting(
        "LOCAL_PASSWORD_MIN_DIGITS",
        "authentication",
        Kind::Integer(0, 0, 128),
        "Fewest digits in a new password.",
    ),
    setting(
        "LOCAL_PASSWORD_MIN_UPPER",
        "authentication",
        Kind::Integer(0, 0, 128),
        "Fewest upper-case letters in a new password.",
    ),
    setting(
        "LOCAL_PASSWORD_MIN_SPECIAL",
        "authentication",
        Kind::Integer(0, 0, 128),
        "Fewest characters in a new password that are neither letter nor digit.",
    ),
];

const CATEGORIES: [(&str, &str); 4] =
    [("all", "All"), ("changed", "Changed"), ("authentication", "Authentication"), ("system", "System")];

/// The categories, as paths name them.
pub(crate) fn slugs() -> impl Iterator<Item = &'static str> {
    CATEGORIES.iter().map(|(slug, _)| *slug)
}

/// The settings of any category as JSON Schema.
pub(crate) fn schema() -> Json {
    let properties: Map<String, Json> =
        KNOWN.iter().map(|setting| (setting.name.to_owned(), setting.kind.schema())).collect();
    json!({"type": "object", "description": "Settings, as far as they belong to the category.", "properties": properties})
}

/// The settings as last read.
#[derive(Default)]
pub(crate) struct SettingsStore(Mutex<Option<(Settings, Instant)>>);

impl SettingsStore {
    /// The values in force, at most [`MEMORY`] old.
    pub(crate) async fn current(&self, database: &Database) -> Result<Settings, Error> {
        let remembered = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((settings, _)) = remembered.filter(|(_, read)| read.elapsed() < MEMORY) {
            return Ok(settings);
        }
        let settings = Settings::load(database).await?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((settings, Instant::now()));
        Ok(settings)
    }

    fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// The settings that differ from their defaults.
async fn stored(database: &Database) -> Result<Map<String, Json>, Error> {
    let query = Query::select()
        .exprs(["name", "value"].map(|name| column("settings", name)))
        .from(Alias::new("settings"))
        .to_owned();
    let rows = database.read(&query, &[Type::Text, Type::Json]).await?;
    Ok(rows.iter().filter_map(|row| Some((row.text(0)?.to_owned(), row.json(1)?.clone()))).collect())
}

/// A value kept beside the settings that no client sees, made when first asked for.
pub(crate) async fn installation_id(app: &App) -> Result<String, Failure> {
    const NAME: &str = "install_uuid";
    let known = |values: Map<String, Json>| values.get(NAME).and_then(Json::as_str).map(str::to_owned);
    if let Some(id) = known(stored(&app.engine.database).await?) {
        return Ok(id);
    }
    let insert = Query::insert()
        .into_table(Alias::new("settings"))
        .columns(["name", "value"].map(Alias::new))
        .values_panic([NAME.into(), Json::from(uuid::Uuid::new_v4().to_string()).to_string().into()])
        .on_conflict(OnConflict::column(Alias::new("name")).do_nothing().to_owned())
        .to_owned();
    let mut tx = app.engine.database.begin().await?;
    tx.execute(&insert).await?;
    tx.commit().await?;
    known(stored(&app.engine.database).await?).ok_or_else(|| Failure::Internal("the installation has no id".into()))
}

fn in_category(setting: &Setting, category: &str) -> bool {
    category == "all" || category == "changed" || setting.category == category
}

/// `GET /api/v2/settings/`: the categories, for superusers and system auditors.
pub(crate) fn list(actor: &Actor) -> Reply {
    let may_see = actor.is_superuser || actor.is_system_auditor;
    let results: Vec<Json> = CATEGORIES
        .iter()
        .filter(|_| may_see)
        .map(|(slug, name)| json!({"url": format!("/api/v2/settings/{slug}/"), "slug": slug, "name": name}))
        .collect();
    Reply::json(StatusCode::OK, json!({"count": results.len(), "next": null, "previous": null, "results": results}))
}

/// The answer to OPTIONS of the list of categories.
pub(crate) fn describe_list() -> Map<String, Json> {
    let field =
        |label: &str, help: &str| json!({"type": "string", "label": label, "help_text": help, "filterable": false});
    let fields = json!({
        "url": field("Url", "Where the settings of the category are."),
        "slug": field("Slug", "The last part of that path."),
        "name": field("Name", "What the category is called."),
    });
    document("Setting Categories", "The categories of settings.", json!({"GET": fields}))
}

/// The answer to OPTIONS of one category.
fn describe(category: &str, changeable: bool) -> Map<String, Json> {
    let settings = || KNOWN.iter().filter(|setting| in_category(setting, category));
    let fields = |writing: bool| -> Map<String, Json> {
        settings().map(|setting| (setting.name.to_owned(), setting.describe(writing))).collect()
    };
    let mut actions = json!({"GET": fields(false)});
    if let (true, Some(actions)) = (changeable, actions.as_object_mut()) {
        actions.insert("PUT".into(), fields(true).into());
    }
    document("Setting Detail", "Settings that Hostler honours; each has effect at once.", actions)
}

fn document(name: &str, description: &str, actions: Json) -> Map<String, Json> {
    let mut document = Map::new();
    document.insert("name".into(), name.into());
    document.insert("description".into(), description.into());
    document.insert("renders".into(), json!(["application/json", "text/html"]));
    document.insert("parses".into(), json!(["application/json"]));
    document.insert("actions".into(), actions);
    document
}

/// `/api/v2/settings/CATEGORY/`.
pub(crate) async fn category(app: &App, actor: &Actor, category: &str, request: &Request) -> Result<Reply, Failure> {
    if !CATEGORIES.iter().any(|(slug, _)| *slug == category) {
        return Ok(Reply::detail(StatusCode::NOT_FOUND, "Not found."));
    }
    let writes = !crate::authenticate::is_safe(&request.method);
    if !(actor.is_superuser || (actor.is_system_auditor && !writes)) {
        return Err(Failure::forbidden());
    }
    match request.method.as_str() {
        "GET" | "HEAD" => {}
        "OPTIONS" => {
            let changeable = category != "changed" && actor.is_superuser && actor.can_write;
            return Ok(Reply::ok(describe(category, changeable)));
        }
        "PATCH" | "PUT" if category != "changed" => {
            let body = match request.object() {
                Ok(body) => body,
                Err(reply) => return Ok(reply),
            };
            change(app, category, &body).await?;
        }
        "DELETE" if category != "changed" => {
            reset(app, category).await?;
            return Ok(Reply::no_content());
        }
        _ => return Err(Failure::MethodNotAllowed),
    }
    let values = stored(&app.engine.database).await?;
    let shown = KNOWN.iter().filter(|setting| in_category(setting, category));
    let body: Map<String, Json> = shown
        .filter(|setting| category != "changed" || values.contains_key(setting.name))
        .map(|setting| {
            (setting.name.to_owned(), values.get(setting.name).cloned().unwrap_or_else(|| setting.kind.default_value()))
        })
        .collect();
    Ok(Reply::ok(body))
}

async fn change(app: &App, category: &str, body: &Map<String, Json>) -> Result<(), Failure> {
    let mut problems = vec![];
    let mut accepted = vec![];
    for setting in KNOWN.iter().filter(|setting| in_category(setting, category)) {
        match body.get(setting.name).map(|value| setting.kind.check(value)) {
            Some(Ok(value)) => accepted.push((setting.name, value)),
            Some(Err(message)) => problems.push((setting.name.to_owned(), vec![message])),
            None => {}
        }
    }
    if !problems.is_empty() {
        return Err(Failure::Invalid(problems));
    }
    let mut tx = app.engine.database.begin().await?;
    for (name, value) in accepted {
        let upsert = Query::insert()
            .into_table(Alias::new("settings"))
            .columns(["name", "value"].map(Alias::new))
            .values_panic([name.into(), value.to_string().into()])
            .on_conflict(OnConflict::column(Alias::new("name")).update_column(Alias::new("value")).to_owned())
            .to_owned();
        tx.execute(&upsert).await?;
    }
    tx.commit().await?;
    app.settings.forget();
    Ok(())
}

async fn reset(app: &App, category: &str) -> Result<(), Failure> {
    let names = KNOWN.iter().filter(|setting| in_category(setting, category)).map(|setting| setting.name);
    let delete = Query::delete()
        .from_table(Alias::new("settings"))
        .and_where(column("settings", "name").is_in(names))
        .to_owned();
    let mut tx = app.engine.database.begin().await?;
    tx.execute(&delete).await?;
    tx.commit().await?;
    app.settings.forget();
    Ok(())
}
