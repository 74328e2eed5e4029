//! `POST /api/o/token/`: tokens for applications (RFC 6749, section 3.2).

use axum::http::{StatusCode, header};
use hostler_engine::SystemWrite;
use hostler_identity::token::parse_scope;
use hostler_resources::TOKEN;
use hostler_resources::applications::{AUTHORIZATION_CODE, PASSWORD};
use hostler_schema::Actor;
use serde_json::{Map, Value as Json, json};

use super::client::Client;
use super::form::Params;
use super::problem::Problem;
use super::{code, refresh};
use crate::authenticate::check_password;
use crate::request::Request;
use crate::response::Response;
use crate::sign_in::PasswordCredentials;
use crate::state::App;

/// The scope of who asks for none, as in AWX.
pub(super) const DEFAULT_SCOPE: &str = "read write";

/// Answers with a token, or says in the words of the standard why not.
pub(super) async fn token(app: &App, request: &Request) -> Result<Response, Problem> {
    let params = Params::of_body(request)?;
    let client = Client::authenticated(app, request, &params).await?;
    let for_grant = |wanted: &str| match client.grant_type == wanted {
        true => Ok(()),
        false => Err(Problem::Refused("unauthorized_client", "The application is not registered for this grant.")),
    };
    match params.required("grant_type")? {
        "authorization_code" => {
            for_grant(AUTHORIZATION_CODE)?;
            code::exchange(app, &client, &params, &request.settings).await
        }
        "password" => {
            for_grant(PASSWORD)?;
            by_password(app, &client, &params, request).await
        }
        "refresh_token" => refresh::refresh(app, &client, &params, &request.settings).await,
        _ => Err(Problem::Refused("unsupported_grant_type", "This grant does not exist here.")),
    }
}

/// The grant `password` (RFC 6749, section 4.3). RFC 9700 advises against it, but
/// AWX has it: only applications registered for it can use it.
async fn by_password(app: &App, client: &Client, params: &Params, request: &Request) -> Result<Response, Problem> {
    let (username, password) = (params.required("username")?, params.required("password")?);
    let scope = params.get("scope")?.unwrap_or(DEFAULT_SCOPE);
    if parse_scope(scope).is_err() {
        return Err(Problem::Refused("invalid_scope", "The scope must be made of the words read and write."));
    }
    let given = PasswordCredentials { username, password, address: request.client.address };
    let entered = check_password(app, given).await?.ok_or_else(Problem::invalid_grant)?;
    if entered.needs_code {
        return Err(Problem::Refused(
            "invalid_grant",
            "The user has a second factor, for which this grant has no place: use an authorization code.",
        ));
    }
    let user = entered.complete().await;
    issue(app, &user, client, scope, &Password).await
}

/// The user's password as the reason to make a token.
struct Password;

// A password is not used up.
impl SystemWrite for Password {}

/// Makes a token of the application for the user, and shows it this once.
pub(super) async fn issue(
    app: &App,
    user: &Actor,
    client: &Client,
    scope: &str,
    cause: &dyn SystemWrite,
) -> Result<Response, Problem> {
    let mut body = Map::new();
    body.insert("application".into(), client.id.into());
    body.insert("scope".into(), scope.into());
    let made = app.engine.create_as_system(user, &TOKEN, &body, cause).await?.json;
    let part = |name: &str| made.get(name).cloned().unwrap_or(Json::Null);
    let answer = json!({
        "access_token": part("token"),
        "expires_in": user.policy.token_seconds,
        "token_type": "Bearer",
        "scope": part("scope"),
        "refresh_token": part("refresh_token"),
    });
    // That no answer may be stored is said of all of them.
    Ok(Response::json(StatusCode::OK, answer).with(header::PRAGMA, "no-cache"))
}
