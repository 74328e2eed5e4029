//! The OAuth2 server: `/api/o/`.
//!
//! Applications and tokens are resources; this module adds the protocol of RFC 6749: the user's consent, its exchange
//! for a token, refreshing and revoking. These paths do not accept access tokens as credentials: consent needs a
//! session, the others need the application's own credentials. So no token can create one with a wider scope here
//! (compare CVE-2024-11483).

mod authorize;
mod client;
mod code;
mod error;
mod page;
mod params;
mod refresh;
mod revoke;
mod token;

use hostler_engine::Error;
use hostler_http::{HandlerResult, Request, Response};
use http::{Method, StatusCode};
use serde_json::json;

use crate::authenticator::Authenticator;

/// A path of the OAuth2 server that does not need the API's authentication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// The authorization endpoint.
    Authorize,
    /// The token endpoint.
    Token,
    /// The revocation endpoint.
    Revoke,
}

impl Endpoint {
    /// The endpoint with this name below `/api/o/`.
    pub fn find(name: &str) -> Option<Self> {
        match name {
            "authorize" => Some(Endpoint::Authorize),
            "token" => Some(Endpoint::Token),
            "revoke_token" => Some(Endpoint::Revoke),
            _ => None,
        }
    }

    /// The methods it answers, as the `Allow` header lists them.
    pub fn allow(self) -> &'static str {
        match self {
            Endpoint::Authorize => "GET, POST, HEAD, OPTIONS",
            Endpoint::Token | Endpoint::Revoke => "POST, OPTIONS",
        }
    }
}

/// `GET /api/o/`: without authentication, as in AWX. Clients use it to detect OAuth2.
pub fn root() -> Response {
    Response::json(
        StatusCode::OK,
        json!({"authorize": "/api/o/authorize/", "token": "/api/o/token/", "revoke_token": "/api/o/revoke_token/"}),
    )
}

/// Handles a request to one of the endpoints.
///
/// # Errors
/// Errors of the protocol and of the engine.
pub async fn respond(auth: &Authenticator, endpoint: Endpoint, request: &Request) -> HandlerResult {
    match (endpoint, &request.method) {
        (_, &Method::OPTIONS) => Ok(Response::no_content()),
        (Endpoint::Authorize, &Method::GET | &Method::HEAD | &Method::POST) => {
            authorize::authorize(auth, request).await
        }
        (Endpoint::Token, &Method::POST) => token::token(auth, request).await,
        (Endpoint::Revoke, &Method::POST) => revoke::revoke(auth, request).await,
        _ => Err(Error::MethodNotAllowed.into()),
    }
}
