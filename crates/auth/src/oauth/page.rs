//! The consent page: whether an application may act for the user.

use hostler_http::{Response, policy_with_form_targets, render_template};
use hostler_identity::token::{Scope, parse_scope};
use http::{StatusCode, header};
use minijinja::{Value, context};
use url::Url;

use super::client::Client;

/// The contents of the consent page.
pub(super) struct ConsentRequest<'a> {
    pub client: &'a Client,
    pub username: &'a str,
    pub scope: &'a str,
    pub redirect_uri: &'a str,
    /// Sent back with the decision: the request's parameters and the CSRF token.
    pub hidden: &'a [(&'a str, &'a str)],
}

/// Renders the consent page.
pub(super) fn render(consent: &ConsentRequest<'_>) -> Response {
    let ConsentRequest { client, username, scope, redirect_uri, hidden } = consent;
    let may = match parse_scope(scope) {
        Ok(Scope::Write) => "see and change everything that you can see and change",
        _ => "see everything that you can see, and change nothing",
    };
    let origin = Url::parse(redirect_uri).map(|url| url.origin().ascii_serialization()).unwrap_or_default();
    let (application, organization) = (client.name.as_str(), client.organization.as_str());
    let hidden: Vec<Value> = hidden.iter().map(|(name, value)| context! { name => *name, value => *value }).collect();
    // The decision redirects to the application.
    let policy = policy_with_form_targets(&format!("'self' {origin}"));
    let context = context! { application, organization, username => *username, may, origin, hidden };
    render_template(StatusCode::OK, "consent.html", context).with(header::CONTENT_SECURITY_POLICY, policy)
}

/// The error page for a request without a safe redirect.
pub(super) fn error_page(status: StatusCode, words: &str) -> Response {
    render_template(status, "consent_error.html", context! { words })
}
