//! The consent page: whether an application may act for the user.

use hostler_identity::token::{Scope, parse_scope};
use url::Url;

use super::client::Client;
use crate::browse::ConsentPage;
pub(super) use crate::browse::consent_error_page as error_page;
use crate::response::Response;

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
    let (application, organization) = (&client.name, &client.organization);
    ConsentPage { application, organization, username, may, origin: &origin, hidden }.render()
}
