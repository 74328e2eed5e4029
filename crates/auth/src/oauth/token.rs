//! `POST /api/o/token/`: tokens for applications (RFC 6749, section 3.2).

use hostler_engine::SystemWrite;
use hostler_http::{HandlerResult, Request, Response};
use hostler_identity::token::parse_scope;
use hostler_resources::TOKEN;
use hostler_resources::applications::{AUTHORIZATION_CODE, PASSWORD};
use hostler_schema::Actor;
use http::{StatusCode, header};
use serde_json::{Map, Value as Json, json};

use super::client::Client;
use super::error::OAuthError;
use super::params::Params;
use super::{code, refresh};
use crate::authenticator::Authenticator;
use crate::sign_in::{PasswordCredentials, check_password};

/// The scope if none is requested, as in AWX.
pub(super) const DEFAULT_SCOPE: &str = "read write";

/// Issues a token.
pub(super) async fn token(auth: &Authenticator, request: &Request) -> HandlerResult {
    let params = Params::from_body(request)?;
    let client = Client::authenticated(auth, request, &params).await?;
    let for_grant = |wanted: &str| match client.grant_type == wanted {
        true => Ok(()),
        false => Err(OAuthError::Protocol("unauthorized_client", "The application is not registered for this grant.")),
    };
    match params.required("grant_type")? {
        "authorization_code" => {
            for_grant(AUTHORIZATION_CODE)?;
            code::exchange(auth, &client, &params, &request.settings).await
        }
        "password" => {
            for_grant(PASSWORD)?;
            by_password(auth, &client, &params, request).await
        }
        "refresh_token" => refresh::refresh(auth, &client, &params, &request.settings).await,
        _ => Err(OAuthError::Protocol("unsupported_grant_type", "The server does not support this grant.").into()),
    }
}

/// The grant `password` (RFC 6749, section 4.3). RFC 9700 advises against it, but
/// AWX has it: only applications registered for it can use it.
async fn by_password(auth: &Authenticator, client: &Client, params: &Params, request: &Request) -> HandlerResult {
    let (username, password) = (params.required("username")?, params.required("password")?);
    let scope = params.get("scope")?.unwrap_or(DEFAULT_SCOPE);
    if parse_scope(scope).is_err() {
        return Err(OAuthError::Protocol("invalid_scope", "The scope can contain the words read and write.").into());
    }
    let credentials = PasswordCredentials { username, password, address: request.client.address };
    let verified = check_password(auth, credentials).await?.ok_or_else(OAuthError::invalid_grant)?;
    if verified.needs_code {
        return Err(OAuthError::Protocol(
            "invalid_grant",
            "The user has a second factor, which this grant cannot carry: use an authorization code.",
        )
        .into());
    }
    let user = verified.complete().await;
    issue(auth, &user, client, scope, &PasswordGrant).await
}

/// Creating a token by password consumes nothing.
struct PasswordGrant;

impl SystemWrite for PasswordGrant {}

/// Creates a token of the application for the user. Only this response shows it.
pub(super) async fn issue(
    auth: &Authenticator,
    user: &Actor,
    client: &Client,
    scope: &str,
    system_write: &dyn SystemWrite,
) -> HandlerResult {
    let mut body = Map::new();
    body.insert("application".into(), client.id.into());
    body.insert("scope".into(), scope.into());
    let made = auth.engine.create_as_system(user, &TOKEN, &body, system_write).await?.json;
    let part = |name: &str| made.get(name).cloned().unwrap_or(Json::Null);
    let answer = json!({
        "access_token": part("token"),
        "expires_in": user.policy.token_seconds,
        "token_type": "Bearer",
        "scope": part("scope"),
        "refresh_token": part("refresh_token"),
    });
    // `Cache-Control` is set on every response.
    Ok(Response::json(StatusCode::OK, answer).with(header::PRAGMA, "no-cache"))
}
