//! Bearer tokens. A token is shown once, to the user who created it; only a digest is stored.

use async_trait::async_trait;
use hostler_database::{Transaction, Value};
use hostler_engine::{Edit, Engine, Error, Hooks, RenderContext, ResponseObject};
use hostler_identity::token::{digest, new_token, parse_scope};
use hostler_schema::{Access, Action, Actor, DefaultValue, Draft, Field, OnDelete, Resource, Rule, column, fields};
use jiff::{SignedDuration, Timestamp};
use sea_query::{Alias, Condition, Expr, ExprTrait, Query, UnionType};
use serde_json::{Map, Value as Json};

use crate::common::{CREATED, MODIFIED, activity_stream};
use crate::{APPLICATION, USER};

const DESCRIPTION: Field =
    fields::text("description").label("Description").default(DefaultValue::Text("")).help("What the token is for.");
const USER_LINK: Field = fields::link("user", "user_id", || &USER)
    .label("User")
    .read_only()
    .recorded()
    .summarized()
    .reverse("main_oauth2accesstoken")
    .help("The user that the token acts as.");
const TOKEN_FIELD: Field = fields::digest("token")
    .column("digest")
    .label("Token")
    .read_only()
    .recorded()
    .help("The token itself, shown once.");
const REFRESH_TOKEN: Field = fields::computed("refresh_token")
    .label("Refresh token")
    .help("The token with which an application gets its next token, shown once; personal tokens have none.");
const APPLICATION_LINK: Field = fields::link("application", "application_id", || &APPLICATION)
    .label("Application")
    .nullable()
    .create_only()
    .summarized()
    .on_delete(OnDelete::Cascade)
    .help("The application that uses the token; none for a personal one.");
const EXPIRES: Field = fields::time("expires")
    .label("Expires")
    .create_only()
    .help("When the token expires. The default is the server's token lifetime from now.");
const SCOPE: Field = fields::text("scope")
    .label("Scope")
    .default(DefaultValue::Text("write"))
    .help("Whether the token may only read or also write: the words read and write, separated by spaces.");
/// A filter; like in AWX, responses do not show it.
const LAST_USED: Field = fields::time("last_used")
    .label("Last used")
    .nullable()
    .read_only()
    .filter_unlisted()
    .hidden()
    .help("When the token was last used, to the minute.");

/// Replaces a secret in responses.
pub(crate) const MASK: &str = "************";

/// Tokens.
pub static TOKEN: Resource = Resource {
    type_label: "Access Token",
    list_title: "OAuth2 Tokens",
    detail_title: "OAuth2 Token Detail",
    description: "Tokens act as their user, as far as their scope allows. Everybody sees and revokes their own; admins \
                  of an organization see and revoke those of its applications; superusers see all.",
    unimplemented_relations: &["id_token", "refresh_token", "source_refresh_token"],
    sublists: &[activity_stream("o_auth2_access_token", "Access Token Activity Stream List")],
    table: "tokens",
    summarized_as: &["description", "scope"],
    search: &["description"],
    capabilities: false,
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
            APPLICATION_LINK,
            EXPIRES,
            SCOPE,
            LAST_USED,
        ],
        &TokenAccess,
    )
};

struct TokenAccess;

impl Access for TokenAccess {
    fn rows(&self, actor: &Actor, action: Action, row: &str) -> Rule {
        if actor.is_superuser {
            return Rule::All;
        }
        let own = Rule::When(column(row, "user_id").eq(actor.id));
        match action {
            // The admin of an application must not widen the scope that its users granted.
            Action::Change => own,
            Action::Read | Action::Delete => {
                // A subquery, so that a list reads these tokens and not all.
                let among = |condition: Expr| {
                    Query::select()
                        .expr(column("seen", "id"))
                        .from_as(Alias::new(TOKEN.table), Alias::new("seen"))
                        .and_where(condition)
                        .to_owned()
                };
                match APPLICATION.access.rows(actor, Action::Change, "administered") {
                    administered @ Rule::When(_) => {
                        let applications = administered.ids(APPLICATION.table, "administered");
                        let mut seen = among(column("seen", "user_id").eq(actor.id));
                        seen.union(UnionType::All, among(column("seen", "application_id").in_subquery(applications)));
                        Rule::When(column(row, "id").in_subquery(seen))
                    }
                    rule => own.or(rule),
                }
            }
        }
    }

    fn activity(&self, actor: &Actor, row: &str) -> Rule {
        self.rows(actor, Action::Read, row)
    }

    /// Users create tokens for themselves, of applications that they can see. The hooks
    /// reject an application that does not exist.
    fn create(&self, actor: &Actor, draft: Draft<'_>) -> Rule {
        let Some(id) = draft(APPLICATION_LINK.name) else { return Rule::All };
        let hidden = match APPLICATION.access.rows(actor, Action::Read, "wanted") {
            Rule::All => return Rule::All,
            Rule::None => Condition::all(),
            Rule::When(visible) => Condition::all().add(visible.not()),
        };
        let hidden = Query::select()
            .expr(Expr::val(1))
            .from_as(Alias::new(APPLICATION.table), Alias::new("wanted"))
            .and_where(column("wanted", "id").eq(id))
            .cond_where(hidden)
            .to_owned();
        Rule::When(Expr::exists(hidden).not())
    }
}

/// The body of a POST to one of a user's lists of tokens.
pub(crate) fn body_below(list: &str, body: &Map<String, Json>) -> Result<Map<String, Json>, Error> {
    let mut body = body.clone();
    match list {
        "personal_tokens" => {
            body.shift_remove(APPLICATION_LINK.name);
        }
        "authorized_tokens" if body.get(APPLICATION_LINK.name).is_none_or(Json::is_null) => {
            return Err(Error::field(APPLICATION_LINK.name, "This field is required."));
        }
        _ => {}
    }
    Ok(body)
}

/// Generates, expires and masks tokens.
pub struct TokenHooks;

#[async_trait]
impl Hooks for TokenHooks {
    async fn prepare(&self, engine: &Engine, edit: &mut Edit<'_>) -> Result<(), Error> {
        // A change never replaces the token.
        if !edit.is_new() {
            return Ok(());
        }
        if let (Some(account), false) = (&edit.actor.external_account, edit.actor.policy.tokens_for_external_users) {
            return Err(Error::Forbidden(Some(format!(
                "(access_denied) OAuth2 Tokens cannot be created by users associated with an external authentication \
                 provider ({account})"
            ))));
        }
        let secret = new_token();
        edit.digests.insert(TOKEN_FIELD.name, secret.digest);
        edit.revealed.insert(TOKEN_FIELD.name, secret.plain);
        if let Some(application) = edit.new.integer(&APPLICATION_LINK) {
            if !exists(engine, application).await? {
                return Err(Error::BadRequest("OAuth2Application matching query does not exist.".into()));
            }
            edit.revealed.insert(REFRESH_TOKEN.name, new_token().plain);
        }
        let now = engine.clock.now();
        let user = edit.actor.id;
        edit.new.set(&USER_LINK, Value::Integer(user));
        if *edit.new.get(&EXPIRES) == Value::Null {
            edit.new.set(&EXPIRES, Value::Time(after(now, edit.actor.policy.token_seconds)));
        }
        if matches!(edit.new.get(&EXPIRES), Value::Time(expires) if *expires <= now) {
            return Err(Error::field(EXPIRES.name, "The token would have expired already."));
        }
        Ok(())
    }

    async fn validate(&self, _engine: &Engine, _tx: &mut Transaction, edit: &mut Edit<'_>) -> Result<(), Error> {
        parse_scope(edit.new.text(&SCOPE)).map_err(|error| Error::field(SCOPE.name, error.to_string()))?;
        Ok(())
    }

    async fn after_save(&self, engine: &Engine, tx: &mut Transaction, edit: &Edit<'_>, id: i64) -> Result<(), Error> {
        let Some(refresh_token) = edit.revealed.get(REFRESH_TOKEN.name) else { return Ok(()) };
        let now = engine.clock.now();
        let insert = Query::insert()
            .into_table(Alias::new("refresh_tokens"))
            .columns(["digest", "token_id", "created", "expires"].map(Alias::new))
            .values_panic([
                digest(refresh_token).into(),
                id.into(),
                now.into(),
                after(now, edit.actor.policy.refresh_token_seconds).into(),
            ])
            .to_owned();
        tx.insert(&insert).await?;
        Ok(())
    }

    async fn enrich(
        &self,
        engine: &Engine,
        _view: RenderContext<'_>,
        page: &mut [ResponseObject],
    ) -> Result<(), Error> {
        let ids = page.iter().map(|shown| shown.loaded.record.id);
        let query = Query::select()
            .expr(column("refresh_tokens", "token_id"))
            .from(Alias::new("refresh_tokens"))
            .and_where(column("refresh_tokens", "token_id").is_in(ids))
            .and_where(column("refresh_tokens", "rotated").is_null())
            .to_owned();
        let refreshable: Vec<i64> = engine.database.read_as(&query).await?;
        for shown in page {
            // In the order of AWX's responses.
            for field in [EXPIRES, SCOPE] {
                if let Some(value) = shown.json.shift_remove(field.name) {
                    let position = shown.json.len();
                    shown.json.shift_insert(position, field.name.into(), value);
                }
            }
            shown.json.insert(TOKEN_FIELD.name.into(), MASK.into());
            let mask = refreshable.contains(&shown.loaded.record.id).then_some(MASK);
            shown.json.insert(REFRESH_TOKEN.name.into(), mask.into());
        }
        Ok(())
    }

    fn extend_created(&self, edit: &Edit<'_>, json: &mut Map<String, Json>) {
        for (name, secret) in &edit.revealed {
            json.insert((*name).into(), secret.as_str().into());
        }
    }
}

async fn exists(engine: &Engine, application: i64) -> Result<bool, Error> {
    let query = Query::select()
        .expr(column(APPLICATION.table, "id"))
        .from(Alias::new(APPLICATION.table))
        .and_where(column(APPLICATION.table, "id").eq(application))
        .to_owned();
    Ok(engine.database.read_first::<i64>(&query).await?.is_some())
}

/// The time this many seconds later, at most the latest possible one.
fn after(now: Timestamp, seconds: i64) -> Timestamp {
    now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}
