//! Bearer tokens. A token is shown once, to the one who made it; only a digest is stored.

use async_trait::async_trait;
use hostler_database::{Transaction, Value};
use hostler_resource::{
    Access, Action, Actor, Default, Draft, Field, Relation, Resource, Rule, Sublist, Summary, Via, column, fields,
};
use hostler_rest::{Edit, Engine, Failure, Hooks, Shown, View};
use jiff::{SignedDuration, Timestamp};
use sea_query::ExprTrait;
use serde_json::{Map, Value as Json};

use crate::common::{CREATED, MODIFIED, absent, activity_of};
use crate::{ACTIVITY, USER};

const DESCRIPTION: Field = fields::text("description")
    .label("Description")
    .default(Default::Text(""))
    .help("What the token is for, to know it again.");
const USER_LINK: Field = fields::link("user", "user_id", || &USER)
    .label("User")
    .read_only()
    .recorded()
    .help("The user as whom the token acts.");
const TOKEN_FIELD: Field = fields::digest("token")
    .column("digest")
    .label("Token")
    .read_only()
    .recorded()
    .help("The token itself, shown once.");
const REFRESH_TOKEN: Field =
    fields::computed("refresh_token").label("Refresh token").help("Only tokens of applications have one.");
const APPLICATION: Field = fields::reserved("application")
    .label("Application")
    .help("The application that uses the token; none for a personal one.");
const EXPIRES: Field = fields::time("expires")
    .label("Expires")
    .create_only()
    .help("Until when the token is good. Left out, the server's default counts from now.");
const SCOPE: Field = fields::text("scope")
    .label("Scope")
    .default(Default::Text("write"))
    .help("Whether the token may only read or also write: the words read and write, separated by spaces.");

/// What stands in answers in place of a token.
const MASK: &str = "************";

/// Tokens.
pub static TOKEN: Resource = Resource {
    type_label: "Access Token",
    list_title: "OAuth2 Tokens",
    detail_title: "OAuth2 Token Detail",
    description: "Tokens act as their user, as far as their scope allows. Everybody sees and revokes their own; superusers \
                  see all.",
    relations: &[
        Relation::new("user", || &USER, Via::Column("user_id")),
        absent("application", || &TOKEN),
        absent("id_token", || &TOKEN),
        absent("refresh_token", || &TOKEN),
        absent("source_refresh_token", || &TOKEN),
    ],
    sublists: &[Sublist::new(
        "activity_stream",
        "Access Token Activity Stream List",
        || &ACTIVITY,
        Via::Condition(|id, other| activity_of("o_auth2_access_token", id, other)),
    )],
    table: "tokens",
    summaries: &[Summary { name: "user", column: "user_id", target: || &USER, linked: true }],
    summarized_as: &["description", "scope"],
    search: &["description"],
    capabilities: false,
    audited: false,
    ..Resource::new(
        "o_auth2_access_token",
        "tokens",
        "OAuth2AccessToken",
        &[
            fields::id().label("Id"),
            CREATED,
            MODIFIED,
            DESCRIPTION,
            USER_LINK,
            TOKEN_FIELD,
            REFRESH_TOKEN,
            APPLICATION,
            EXPIRES,
            SCOPE,
        ],
        &TokenAccess,
    )
};

struct TokenAccess;

impl Access for TokenAccess {
    fn rows(&self, actor: &Actor, _action: Action, row: &str) -> Rule {
        Rule::from_bool(actor.is_superuser).or(Rule::When(column(row, "user_id").eq(actor.id)))
    }

    fn create(&self, _actor: &Actor, _draft: Draft<'_>) -> Rule {
        Rule::All
    }
}

/// Makes, times and masks tokens.
pub struct TokenHooks;

#[async_trait]
impl Hooks for TokenHooks {
    fn permit(&self, edit: &Edit<'_>) -> Result<(), Failure> {
        if edit.new.integer(&APPLICATION).is_some() {
            return Err(Failure::BadRequest("OAuth2Application matching query does not exist.".into()));
        }
        Ok(())
    }

    async fn prepare(&self, engine: &Engine, edit: &mut Edit<'_>) -> Result<(), Failure> {
        if !edit.is_new() {
            // What is sent as a token is the mask of one that was read.
            return Ok(());
        }
        let secret = hostler_identity::token::new_token();
        edit.digests.insert(TOKEN_FIELD.name, secret.digest);
        edit.revealed = Some(secret.plain);
        let now = engine.clock.now();
        let user = edit.actor.id;
        edit.new.set(&USER_LINK, Value::Integer(user));
        if *edit.new.get(&EXPIRES) == Value::Null {
            edit.new.set(&EXPIRES, Value::Time(after(now, edit.actor.policy.token_seconds)));
        }
        if matches!(edit.new.get(&EXPIRES), Value::Time(expires) if *expires <= now) {
            return Err(Failure::field(EXPIRES.name, "The token would have expired already."));
        }
        Ok(())
    }

    async fn validate(&self, _engine: &Engine, _tx: &mut Transaction, edit: &mut Edit<'_>) -> Result<(), Failure> {
        hostler_identity::token::parse_scope(edit.new.text(&SCOPE))
            .map_err(|error| Failure::field(SCOPE.name, error.to_string()))?;
        Ok(())
    }

    async fn enrich(&self, _engine: &Engine, _view: View<'_>, page: &mut [Shown]) -> Result<(), Failure> {
        for shown in page {
            // In the order of AWX's answers.
            for field in [EXPIRES, SCOPE] {
                if let Some(value) = shown.json.shift_remove(field.name) {
                    let position = shown.json.len();
                    shown.json.shift_insert(position, field.name.into(), value);
                }
            }
            shown.json.insert(TOKEN_FIELD.name.into(), MASK.into());
            shown.json.insert(REFRESH_TOKEN.name.into(), Json::Null);
        }
        Ok(())
    }

    fn just_created(&self, edit: &Edit<'_>, json: &mut Map<String, Json>) {
        if let Some(token) = &edit.revealed {
            json.insert(TOKEN_FIELD.name.into(), token.as_str().into());
        }
    }
}

/// So many seconds later, or the end of time as far as it can be told.
fn after(now: Timestamp, seconds: i64) -> Timestamp {
    now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}
