//! `/api/o/authorize/`: a user lets an application act for them (RFC 6749, section 4.1.1).

use form_urlencoded::Serializer;
use hostler_http::{HandlerResult, Request, Response, SESSION_COOKIE, cookie, csrf_token, with_csrf_token};
use hostler_identity::pkce;
use hostler_identity::token::parse_scope;
use hostler_resources::applications::AUTHORIZATION_CODE;
use hostler_schema::Actor;
use http::{Method, StatusCode};

use super::client::Client;
use super::code::{self, Consent};
use super::error::OAuthError;
use super::page;
use super::params::Params;
use super::token::DEFAULT_SCOPE;
use crate::authenticate::find_session;
use crate::authenticator::Authenticator;

/// The parameters that the consent page sends back.
const REQUEST_PARAMETERS: [&str; 7] =
    ["client_id", "redirect_uri", "response_type", "scope", "state", "code_challenge", "code_challenge_method"];

/// `GET` asks for consent, `POST` is the user's decision.
pub(super) async fn authorize(auth: &Authenticator, request: &Request) -> HandlerResult {
    let is_decision = request.method == Method::POST;
    let read = if is_decision { Params::from_body(request) } else { Params::from_query(request) };
    let Ok(params) = read else {
        return Ok(page::error_page(StatusCode::BAD_REQUEST, "The request cannot be read."));
    };
    // Only a session counts: a token must not be able to create another one.
    let session = cookie(&request.headers, SESSION_COOKIE);
    let user = match session {
        Some(secret) => find_session(auth, secret).await?,
        None => None,
    };
    let Some(user) = user else { return Ok(to_login(&params)) };
    if is_decision {
        request.check_csrf(params.get("csrfmiddlewaretoken").unwrap_or_default())?;
    }

    // No redirect is safe before the address is known to be registered for the application.
    let (Ok(client_id), Ok(redirect_uri)) = (params.get("client_id"), params.get("redirect_uri")) else {
        return Ok(page::error_page(
            StatusCode::BAD_REQUEST,
            "The request names the application or its address twice.",
        ));
    };
    let client = match client_id {
        Some(client_id) => Client::find(auth, client_id).await?,
        None => None,
    };
    let Some(client) = client else {
        return Ok(page::error_page(
            StatusCode::BAD_REQUEST,
            "The request names no application that is registered here.",
        ));
    };
    let Some(target) = client.redirect_uri(redirect_uri) else {
        let words = "The request asks to send you to an address that is not registered for the application.";
        return Ok(page::error_page(StatusCode::BAD_REQUEST, words));
    };
    let state = params.get("state").ok().flatten();
    let back = |parameters: &[(&str, &str)]| redirect(target, parameters, state);

    let authorization = match AuthorizationRequest::parse(&client, &params) {
        Ok(asked) => asked,
        Err(OAuthError::Protocol(error, description)) => {
            return Ok(back(&[("error", error), ("error_description", description)]));
        }
        Err(other) => return Err(other.into()),
    };
    let consents = match params.get("decision") {
        Ok(Some("allow")) if is_decision => true,
        _ if is_decision => return Ok(back(&[("error", "access_denied"), ("error_description", "The user refused.")])),
        _ => client.skips_consent && request.method == Method::GET,
    };
    if !consents {
        return Ok(consent_page(request, &client, &user, &params, &authorization, target));
    }
    let consent = Consent {
        user: user.id,
        application: client.id,
        redirect_uri: redirect_uri.unwrap_or_default(),
        scope: authorization.scope,
        code_challenge: authorization.code_challenge,
    };
    let code = code::create(auth, consent, &request.settings).await?;
    Ok(back(&[("code", &code)]))
}

/// The request of a known application with a registered address, to which errors are sent.
struct AuthorizationRequest<'a> {
    scope: &'a str,
    code_challenge: Option<&'a str>,
}

impl<'a> AuthorizationRequest<'a> {
    fn parse(client: &Client, params: &'a Params) -> Result<Self, OAuthError> {
        let protocol_error = |error, description| Err(OAuthError::Protocol(error, description));
        params.get("state")?;
        if client.grant_type != AUTHORIZATION_CODE {
            return protocol_error("unauthorized_client", "The application is not registered for this grant.");
        }
        if params.required("response_type")? != "code" {
            return protocol_error("unsupported_response_type", "The only response_type is code.");
        }
        let scope = params.get("scope")?.unwrap_or(DEFAULT_SCOPE);
        if parse_scope(scope).is_err() {
            return protocol_error("invalid_scope", "The scope can contain the words read and write.");
        }
        let (code_challenge, method) = (params.get("code_challenge")?, params.get("code_challenge_method")?);
        match (code_challenge, method) {
            // RFC 9700, section 2.1.1: only the client that requested a public application's code may use it.
            (None, _) if !client.is_confidential => {
                protocol_error("invalid_request", "Public applications must send a code_challenge.")
            }
            (None, Some(_)) => protocol_error("invalid_request", "A code_challenge_method needs a code_challenge."),
            // No method means `plain` (RFC 7636, section 4.3).
            (Some(_), method) if method != Some("S256") => {
                protocol_error("invalid_request", "The only code_challenge_method is S256.")
            }
            (Some(challenge), _) if !pkce::is_challenge(challenge) => {
                protocol_error("invalid_request", "The code_challenge is not one of S256.")
            }
            _ => Ok(AuthorizationRequest { scope, code_challenge }),
        }
    }
}

/// Shows the consent page, with the request's parameters in its form.
fn consent_page(
    request: &Request,
    client: &Client,
    user: &Actor,
    params: &Params,
    authorization: &AuthorizationRequest<'_>,
    target: &str,
) -> Response {
    let token = csrf_token(&request.headers);
    let mut hidden = vec![("csrfmiddlewaretoken", token.as_str())];
    hidden.extend(REQUEST_PARAMETERS.iter().filter_map(|name| Some((*name, params.get(name).ok()??))));
    let question = page::ConsentRequest {
        client,
        username: &user.username,
        scope: authorization.scope,
        redirect_uri: target,
        hidden: &hidden,
    };
    with_csrf_token(page::render(&question), request, &token)
}

/// Redirects to the login form, which redirects back to the same request.
fn to_login(params: &Params) -> Response {
    let mut query = Serializer::new(String::new());
    for name in REQUEST_PARAMETERS {
        if let Ok(Some(value)) = params.get(name) {
            query.append_pair(name, value);
        }
    }
    let next = format!("/api/o/authorize/?{}", query.finish());
    let login = Serializer::new(String::new()).append_pair("next", &next).finish();
    Response::redirect(StatusCode::FOUND, format!("/api/login/?{login}"))
}

/// Sends the user back to the application.
fn redirect(target: &str, parameters: &[(&str, &str)], state: Option<&str>) -> Response {
    let mut query = Serializer::new(String::new());
    query.extend_pairs(parameters);
    if let Some(state) = state {
        query.append_pair("state", state);
    }
    // The registered address keeps its query (RFC 6749, section 3.1.2).
    let joint = if target.contains('?') { '&' } else { '?' };
    Response::redirect(StatusCode::FOUND, format!("{target}{joint}{}", query.finish()))
}
