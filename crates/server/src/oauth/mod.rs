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

use axum::http::{Method, StatusCode};
use serde_json::json;

use crate::error::error_response;
use crate::request::Request;
use crate::response::Response;
use crate::state::App;

/// A path of the OAuth2 server that does not need the API's authentication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// The authorization endpoint.
    Authorize,
    /// The token endpoint.
    Token,
    /// The revocation endpoint.
    Revoke,
}

impl Endpoint {
    /// The endpoint with this name below `/api/o/`.
    pub(crate) fn find(name: &str) -> Option<Self> {
        match name {
            "authorize" => Some(Endpoint::Authorize),
            "token" => Some(Endpoint::Token),
            "revoke_token" => Some(Endpoint::Revoke),
            _ => None,
        }
    }

    /// The methods it answers, as the `Allow` header lists them.
    pub(crate) fn allow(self) -> &'static str {
        match self {
            Endpoint::Authorize => "GET, POST, HEAD, OPTIONS",
            Endpoint::Token | Endpoint::Revoke => "POST, OPTIONS",
        }
    }
}

/// `GET /api/o/`: without authentication, as in AWX. Clients use it to detect OAuth2.
pub(crate) fn root() -> Response {
    Response::json(
        StatusCode::OK,
        json!({"authorize": "/api/o/authorize/", "token": "/api/o/token/", "revoke_token": "/api/o/revoke_token/"}),
    )
}

/// Handles a request to one of the endpoints.
pub(crate) async fn respond(app: &App, endpoint: Endpoint, request: &Request) -> Response {
    let outcome = match (endpoint, &request.method) {
        (_, &Method::OPTIONS) => return Response::no_content(),
        (Endpoint::Authorize, &Method::GET | &Method::HEAD | &Method::POST) => authorize::authorize(app, request).await,
        (Endpoint::Token, &Method::POST) => token::token(app, request).await,
        (Endpoint::Revoke, &Method::POST) => revoke::revoke(app, request).await,
        _ => return error_response(hostler_engine::Error::MethodNotAllowed, request.method.as_str()),
    };
    outcome.unwrap_or_else(|error| error.into_response(request.method.as_str()))
}
