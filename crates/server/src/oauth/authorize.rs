//! `/api/o/authorize/`: a user lets an application act for them (RFC 6749, section 4.1.1).

use axum::http::{Method, StatusCode};
use form_urlencoded::Serializer;
use hostler_identity::pkce;
use hostler_identity::token::parse_scope;
use hostler_resources::applications::AUTHORIZATION_CODE;
use hostler_schema::Actor;

use super::client::Client;
use super::code::{self, Consent};
use super::form::Params;
use super::page::{self, Question};
use super::problem::Problem;
use super::token::DEFAULT_SCOPE;
use crate::authenticate::find_session;
use crate::cookies::{SESSION_COOKIE, cookie, csrf_token, with_csrf_token};
use crate::request::Request;
use crate::response::Response;
use crate::state::App;

/// The parameters that the consent page sends back.
const ASKED: [&str; 7] =
    ["client_id", "redirect_uri", "response_type", "scope", "state", "code_challenge", "code_challenge_method"];

/// `GET` asks the user, `POST` is the user's answer.
pub(super) async fn authorize(app: &App, request: &Request) -> Result<Response, Problem> {
    let answered = request.method == Method::POST;
    let read = if answered { Params::of_body(request) } else { Params::of_query(request) };
    let Ok(params) = read else {
        return Ok(page::fault(StatusCode::BAD_REQUEST, "The request cannot be read."));
    };
    // Only a session will do: a token must not be able to consent to another one.
    let session = cookie(&request.headers, SESSION_COOKIE);
    let user = match session {
        Some(secret) => find_session(app, secret).await?.session.map(|(user, ..)| user),
        None => None,
    };
    let Some(user) = user else { return Ok(to_login(&params)) };
    if answered {
        request.check_csrf(params.get("csrfmiddlewaretoken").unwrap_or_default())?;
    }

    // Until the application and the address are known to belong together, no redirect is safe.
    let (Ok(client_id), Ok(redirect_uri)) = (params.get("client_id"), params.get("redirect_uri")) else {
        return Ok(page::fault(StatusCode::BAD_REQUEST, "The request names the application or its address twice."));
    };
    let client = match client_id {
        Some(client_id) => Client::find(app, client_id).await?,
        None => None,
    };
    let Some(client) = client else {
        return Ok(page::fault(StatusCode::BAD_REQUEST, "The request names no application that is registered here."));
    };
    let Some(target) = client.redirect_uri(redirect_uri) else {
        let words = "The request asks to send you to an address that is not registered for the application.";
        return Ok(page::fault(StatusCode::BAD_REQUEST, words));
    };
    let state = params.get("state").ok().flatten();
    let back = |parameters: &[(&str, &str)]| redirect(target, parameters, state);

    let asked = match Asked::read(&client, &params) {
        Ok(asked) => asked,
        Err(Problem::Refused(error, description)) => {
            return Ok(back(&[("error", error), ("error_description", description)]));
        }
        Err(other) => return Err(other),
    };
    let consents = match params.get("decision") {
        Ok(Some("allow")) if answered => true,
        _ if answered => return Ok(back(&[("error", "access_denied"), ("error_description", "The user refused.")])),
        _ => client.skips_consent && request.method == Method::GET,
    };
    if !consents {
        return Ok(ask(request, &client, &user, &params, &asked, target));
    }
    let consent = Consent {
        user: user.id,
        application: client.id,
        redirect_uri: redirect_uri.unwrap_or_default(),
        scope: asked.scope,
        code_challenge: asked.code_challenge,
    };
    let code = code::make(app, consent, &request.settings).await?;
    Ok(back(&[("code", &code)]))
}

/// What is asked for, once it is known whom to tell of mistakes.
struct Asked<'a> {
    scope: &'a str,
    code_challenge: Option<&'a str>,
}

impl<'a> Asked<'a> {
    fn read(client: &Client, params: &'a Params) -> Result<Self, Problem> {
        let refused = |error, description| Err(Problem::Refused(error, description));
        params.get("state")?;
        if client.grant_type != AUTHORIZATION_CODE {
            return refused("unauthorized_client", "The application is not registered for this grant.");
        }
        if params.required("response_type")? != "code" {
            return refused("unsupported_response_type", "The only response_type is code.");
        }
        let scope = params.get("scope")?.unwrap_or(DEFAULT_SCOPE);
        if parse_scope(scope).is_err() {
            return refused("invalid_scope", "The scope must be made of the words read and write.");
        }
        let (code_challenge, method) = (params.get("code_challenge")?, params.get("code_challenge_method")?);
        match (code_challenge, method) {
            // RFC 9700, section 2.1.1: nobody but its maker may use a public application's code.
            (None, _) if !client.is_confidential => {
                refused("invalid_request", "Public applications must send a code_challenge.")
            }
            (None, Some(_)) => refused("invalid_request", "A code_challenge_method needs a code_challenge."),
            // No method means `plain` (RFC 7636, section 4.3).
            (Some(_), method) if method != Some("S256") => {
                refused("invalid_request", "The only code_challenge_method is S256.")
            }
            (Some(challenge), _) if !pkce::is_challenge(challenge) => {
                refused("invalid_request", "The code_challenge is not one of S256.")
            }
            _ => Ok(Asked { scope, code_challenge }),
        }
    }
}

/// Shows the question, with everything that was asked in its form.
fn ask(request: &Request, client: &Client, user: &Actor, params: &Params, asked: &Asked<'_>, target: &str) -> Response {
    let token = csrf_token(&request.headers);
    let mut hidden = vec![("csrfmiddlewaretoken", token.as_str())];
    hidden.extend(ASKED.iter().filter_map(|name| Some((*name, params.get(name).ok()??))));
    let question =
        Question { client, username: &user.username, scope: asked.scope, redirect_uri: target, hidden: &hidden };
    with_csrf_token(page::question(&question), request, &token)
}

/// Whoever is not logged in logs in, and comes back to the same question.
fn to_login(params: &Params) -> Response {
    let mut query = Serializer::new(String::new());
    for name in ASKED {
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
    // A query of the registered address stays (RFC 6749, section 3.1.2).
    let joint = if target.contains('?') { '&' } else { '?' };
    Response::redirect(StatusCode::FOUND, format!("{target}{joint}{}", query.finish()))
}
