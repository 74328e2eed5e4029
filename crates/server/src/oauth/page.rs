//! What a person sees: the question whether an application may act for them,
//! and why a link of an application does not work.

use hostler_identity::token::{Scope, parse_scope};
use url::Url;

use super::client::Client;
use crate::browse::ConsentPage;
pub(super) use crate::browse::consent_error_page as fault;
use crate::response::Response;

/// What the question is about.
pub(super) struct Question<'a> {
    pub client: &'a Client,
    pub username: &'a str,
    pub scope: &'a str,
    pub redirect_uri: &'a str,
    /// Sent back with the answer: the request, and the token against forgery.
    pub hidden: &'a [(&'a str, &'a str)],
}

/// The page that asks for consent.
pub(super) fn question(question: &Question<'_>) -> Response {
    let Question { client, username, scope, redirect_uri, hidden } = question;
    let may = match parse_scope(scope) {
        Ok(Scope::Write) => "see and change everything that you can see and change",
        _ => "see everything that you can see, and change nothing",
    };
    let origin = Url::parse(redirect_uri).map(|url| url.origin().ascii_serialization()).unwrap_or_default();
    let (application, organization) = (&client.name, &client.organization);
    ConsentPage { application, organization, username, may, origin: &origin, hidden }.render()
}
