//! Applications: programs that act for users through OAuth2 (RFC 6749). The
//! client secret is shown once, when the application is created; only a
//! digest is stored.

use async_trait::async_trait;
use hostler_access::{ByParent, OnParent};
use hostler_database::{Transaction, Value};
use hostler_engine::{Edit, Engine, Error, Hooks, RenderContext, ResponseObject};
use hostler_identity::token::{new_client_id, new_client_secret};
use hostler_schema::{
    Access, Action, Actor, DefaultValue, Draft, Field, Join, NaturalKeyPart, Post, Resource, Rule, Sublist,
    UniqueConstraint, column, fields,
};
use sea_query::{Alias, Expr, ExprTrait, Order, Query};
use serde_json::{Map, Value as Json, json};
use url::Url;

use crate::common::{CREATED, MODIFIED, activity_stream};
use crate::tokens::MASK;
use crate::{ORGANIZATION, TOKEN};

/// The type of an application that can keep a secret (RFC 6749, section 2.1).
pub const CONFIDENTIAL: &str = "confidential";
/// The type of an application that cannot, such as one in a browser.
pub const PUBLIC: &str = "public";
/// The grant by which users consent in their browser.
pub const AUTHORIZATION_CODE: &str = "authorization-code";
/// The grant by which users give their password to the application.
pub const PASSWORD: &str = "password";

const NAME: Field = fields::text("name")
    .label("Name")
    .max(255)
    .required()
    .help("The name of the application; unique in its organization. Users see it on the consent page.");
const DESCRIPTION: Field = fields::text("description")
    .label("Description")
    .default(DefaultValue::Text(""))
    .help("What the application is for.");
const CLIENT_ID: Field = fields::text("client_id")
    .label("Client id")
    .read_only()
    .recorded()
    .help("The public identifier of the application.");
const CLIENT_SECRET: Field = fields::digest("client_secret")
    .label("Client Secret")
    .read_only()
    .recorded()
    .help("The secret with which a confidential application authenticates, shown once.");
const CLIENT_TYPE: Field = fields::choice("client_type", &[(CONFIDENTIAL, "Confidential"), (PUBLIC, "Public")])
    .label("Client Type")
    .required()
    .help("Confidential if the application can keep a secret, public if its users could read it.");
const REDIRECT_URIS: Field = fields::text("redirect_uris")
    .label("Redirect URIs")
    .help("Where users are sent back to after they consented: full http or https addresses, separated by spaces.");
const GRANT_TYPE: Field = fields::choice(
    "authorization_grant_type",
    &[(AUTHORIZATION_CODE, "Authorization code"), (PASSWORD, "Resource owner password-based")],
)
.label("Authorization Grant Type")
.required()
.create_only()
.help("How the application gets tokens: by the user's consent, or with the user's password.");
const SKIP_AUTHORIZATION: Field = fields::boolean("skip_authorization")
    .label("Skip Authorization")
    .default(DefaultValue::Boolean(false))
    .help("Whether the application gets its tokens without asking the user. Only superusers can allow that.");
const ORGANIZATION_LINK: Field = fields::link("organization", "organization_id", || &ORGANIZATION)
    .label("Organization")
    .required()
    .summarized()
    .reverse("applications")
    .help("The organization whose admins manage the application.");

/// Applications.
pub static APPLICATION: Resource = Resource {
    type_label: "Application",
    list_title: "OAuth 2 Applications",
    detail_title: "OAuth 2 Application Detail",
    description: "Applications act for users who let them. Organization admins manage those of their organization; \
                  members and auditors see them.",
    // AWX has an owner here, which its API never sets.
    unimplemented_relations: &["user"],
    sublists: &[
        Sublist::new("tokens", "OAuth2 Application Tokens", || &TOKEN, Join::Reverse("application_id"))
            .post(Post::Create("application")),
        activity_stream("o_auth2_application", "Application Activity Stream List"),
    ],
    summarized_as: &["name"],
    natural_key: &[NaturalKeyPart::Field("name"), NaturalKeyPart::Link("organization")],
    unique: &[UniqueConstraint {
        fields: &["organization", "name"],
        key: "__all__",
        message: "Application with this Name and Organization already exists.",
    }],
    ..Resource::new(
        "o_auth2_application",
        "applications",
        "OAuth2Application",
        &[
            fields::id().label("Id"),
            CREATED,
            MODIFIED.filter_unlisted(),
            NAME,
            DESCRIPTION,
            CLIENT_ID,
            CLIENT_SECRET,
            CLIENT_TYPE,
            REDIRECT_URIS,
            GRANT_TYPE,
            SKIP_AUTHORIZATION,
            ORGANIZATION_LINK,
        ],
        &ApplicationAccess,
    )
};

struct ApplicationAccess;

/// Access by roles of the organization, with one role to read.
const fn by_organization(read: &'static str) -> ByParent {
    ByParent {
        link: ORGANIZATION_LINK,
        read: OnParent::Role(read),
        change: OnParent::Role("admin_role"),
        create: OnParent::Role("admin_role"),
    }
}

const MEMBERS: ByParent = by_organization("member_role");
const AUDITORS: ByParent = by_organization("auditor_role");

impl Access for ApplicationAccess {
    fn rows(&self, actor: &Actor, action: Action, row: &str) -> Rule {
        MEMBERS.rows(actor, action, row).or(AUDITORS.rows(actor, action, row))
    }

    fn organization_roles(&self, action: Action) -> Vec<&'static str> {
        [MEMBERS.organization_roles(action), AUDITORS.organization_roles(action)].concat()
    }

    fn activity(&self, actor: &Actor, row: &str) -> Rule {
        self.rows(actor, Action::Read, row)
    }

    fn create(&self, actor: &Actor, draft: Draft<'_>) -> Rule {
        MEMBERS.create(actor, draft)
    }
}

/// The addresses in the field `redirect_uris`.
pub fn redirect_uris(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace()
}

/// Why an address cannot be registered. Addresses are compared exactly later, so only
/// plain characters are allowed; RFC 6749, section 3.1.2, rejects a fragment.
fn redirect_uri_problem(uri: &str) -> Option<&'static str> {
    let Ok(url) = Url::parse(uri) else { return Some("is no full address") };
    if !["http", "https"].contains(&url.scheme()) {
        return Some("must start with http:// or https://");
    }
    if !uri.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\\"<>^`{|}".contains(&byte)) {
        return Some("contains characters that must be percent-encoded");
    }
    // The parser accepts some addresses with too few or too many slashes.
    if uri.split_once("://").is_none_or(|(_, rest)| rest.starts_with('/')) {
        return Some("is no full address");
    }
    if uri.contains('#') {
        return Some("must not have a fragment");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Some("must not name a user");
    }
    None
}

/// Generates, checks and masks the credentials of applications.
pub struct ApplicationHooks;

#[async_trait]
impl Hooks for ApplicationHooks {
    async fn prepare(&self, _engine: &Engine, edit: &mut Edit<'_>) -> Result<(), Error> {
        if !edit.is_new() {
            return Ok(());
        }
        edit.new.set(&CLIENT_ID, Value::Text(new_client_id()));
        if edit.new.text(&CLIENT_TYPE) == CONFIDENTIAL {
            let secret = new_client_secret();
            edit.digests.insert(CLIENT_SECRET.name, secret.digest);
            edit.revealed.insert(CLIENT_SECRET.name, secret.plain);
        }
        Ok(())
    }

    fn authorize(&self, edit: &Edit<'_>) -> Result<(), Error> {
        // An application without a consent page can act as any user who follows a link, so
        // its settings are not for organization admins.
        let decisive = [&SKIP_AUTHORIZATION, &REDIRECT_URIS, &CLIENT_TYPE, &ORGANIZATION_LINK];
        let skips = edit.new.boolean(&SKIP_AUTHORIZATION) && decisive.iter().any(|field| edit.changes(field));
        if skips && !edit.actor.is_superuser {
            let message = "Only a superuser can let an application act without asking its users.";
            return Err(Error::Forbidden(Some(message.into())));
        }
        Ok(())
    }

    async fn validate(&self, engine: &Engine, tx: &mut Transaction, edit: &mut Edit<'_>) -> Result<(), Error> {
        if !edit.is_new() && edit.changes(&ORGANIZATION_LINK) {
            let organization = edit.new.integer(&ORGANIZATION_LINK);
            let rule = ApplicationAccess.create(edit.actor, &|_| organization);
            engine.require_in(tx, edit.actor, rule).await?;
        }
        if !edit.is_new() && edit.changes(&CLIENT_TYPE) && edit.new.text(&CLIENT_TYPE) == CONFIDENTIAL {
            let message = "A public application has no secret and cannot become confidential: create a new one.";
            return Err(Error::field(CLIENT_TYPE.name, message));
        }
        let uris = edit.new.text(&REDIRECT_URIS);
        if uris.is_empty() && edit.new.text(&GRANT_TYPE) == AUTHORIZATION_CODE {
            let message = format!("redirect_uris cannot be empty with grant_type {AUTHORIZATION_CODE}");
            return Err(Error::field("__all__", message));
        }
        let problems: Vec<String> = redirect_uris(uris)
            .filter_map(|uri| redirect_uri_problem(uri).map(|problem| format!("The redirect URI {uri} {problem}.")))
            .collect();
        match problems.is_empty() || !edit.changes(&REDIRECT_URIS) {
            true => Ok(()),
            false => Err(Error::Invalid(vec![(REDIRECT_URIS.name.into(), problems)])),
        }
    }

    async fn enrich(&self, engine: &Engine, view: RenderContext<'_>, page: &mut [ResponseObject]) -> Result<(), Error> {
        let ids: Vec<i64> = page.iter().map(|shown| shown.loaded.record.id).collect();
        let tokens = first_tokens(engine, view.actor, &ids).await?;
        for shown in page {
            let id = shown.loaded.record.id;
            if shown.loaded.record.text(&CLIENT_TYPE) == CONFIDENTIAL {
                let position = shown.json.keys().position(|key| key == CLIENT_ID.name).map_or(0, |index| index + 1);
                shown.json.shift_insert(position, CLIENT_SECRET.name.into(), MASK.into());
            }
            let of_application: Vec<&ListedToken> = tokens.iter().filter(|token| token.0 == id).collect();
            let count = of_application.first().map_or(0, |token| token.3);
            let shown_tokens: Vec<Json> = of_application
                .iter()
                .map(|(_, id, scope, _)| json!({"id": id, "token": MASK, "scope": scope}))
                .collect();
            shown.add_summary("tokens", json!({"count": count, "results": shown_tokens}));
        }
        Ok(())
    }

    fn extend_created(&self, edit: &Edit<'_>, json: &mut Map<String, Json>) {
        if let Some(secret) = edit.revealed.get(CLIENT_SECRET.name) {
            json.insert(CLIENT_SECRET.name.into(), secret.as_str().into());
        }
    }
}

/// How many tokens of an application its summary shows, as in AWX.
const SUMMARIZED_TOKENS: i64 = 10;

/// A token of an application: the application, the token's id and scope, and the number of the application's tokens.
type ListedToken = (i64, i64, String, i64);

/// The first tokens of each application that the actor may see, with application, id,
/// scope and the total number.
async fn first_tokens(engine: &Engine, actor: &Actor, ids: &[i64]) -> Result<Vec<ListedToken>, Error> {
    let numbered = Query::select()
        .exprs(["application_id", "id", "scope"].map(|name| column("listed", name)))
        .expr_as(Expr::cust(r#"COUNT(*) OVER (PARTITION BY "listed"."application_id")"#), Alias::new("total"))
        .expr_as(
            Expr::cust(r#"ROW_NUMBER() OVER (PARTITION BY "listed"."application_id" ORDER BY "listed"."id")"#),
            Alias::new("number"),
        )
        .from_as(Alias::new(TOKEN.table), Alias::new("listed"))
        .and_where(column("listed", "application_id").is_in(ids.iter().copied()))
        .cond_where(TOKEN.access.rows(actor, Action::Read, "listed").condition())
        .to_owned();
    let query = Query::select()
        .exprs(["application_id", "id", "scope", "total"].map(|name| column("numbered", name)))
        .from_subquery(numbered, Alias::new("numbered"))
        .and_where(column("numbered", "number").lte(SUMMARIZED_TOKENS))
        .order_by((Alias::new("numbered"), Alias::new("id")), Order::Asc)
        .to_owned();
    Ok(engine.read_with_rules_as(actor, query).await?)
}

#[cfg(test)]
mod tests {
    use super::redirect_uri_problem;

    #[test]
    fn addresses_that_can_be_registered() {
        for uri in ["https://example.org", "https://example.org/cb?x=1", "http://127.0.0.1:8080/cb", "http://[::1]/"] {
            assert_eq!(redirect_uri_problem(uri), None, "{uri}");
        }
    }

    #[test]
    fn addresses_that_cannot() {
        for uri in [
            "javascript:alert(1)",
            "data:text/html,x",
            "ftp://example.org/",
            "myapp://cb",
            "/cb",
            "example.org/cb",
            "https:example.org",
            "https:///example.org",
            "https://",
            "https://example.org/#x",
            "https://example.org/#",
            "https://good.example@evil.example/",
            "https://good.example\\@evil.example/",
            "https://exämple.org/",
            "https://example.org/\"<script>",
        ] {
            assert!(redirect_uri_problem(uri).is_some(), "{uri}");
        }
    }
}
