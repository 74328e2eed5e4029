//! What a person sees: the question whether an application may act for them,
//! and why a link of an application does not work.

use axum::http::{StatusCode, header};
use hostler_identity::token::{Scope, parse_scope};
use minijinja::HtmlEscape;
use url::Url;

use super::client::Client;
use crate::reply::Reply;

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
pub(super) fn question(question: &Question<'_>) -> Reply {
    let Question { client, username, scope, redirect_uri, hidden } = question;
    let may = match parse_scope(scope) {
        Ok(Scope::Write) => "see and change everything that you can see and change",
        _ => "see everything that you can see, and change nothing",
    };
    let inputs: String = hidden
        .iter()
        .map(|(name, value)| {
            format!("<input type=\"hidden\" name=\"{}\" value=\"{}\">\n", HtmlEscape(name), HtmlEscape(value))
        })
        .collect();
    let origin = Url::parse(redirect_uri).map(|url| url.origin().ascii_serialization()).unwrap_or_default();
    let body = format!(
        "<h1>Let {name} act for you?</h1>\n\
         <p>The application <strong>{name}</strong> of the organization <strong>{organization}</strong> asks to act \
         here in your name, {username}.</p>\n\
         <p>It would be able to <strong>{may}</strong>, until you delete its token.</p>\n\
         <p>Whatever you choose, you go on to <code>{origin}</code>. If you did not start this there yourself, refuse.</p>\n\
         <form method=\"post\" action=\"/api/o/authorize/\">\n{inputs}\
         <p><button name=\"decision\" value=\"allow\">Allow</button>\n\
         <button name=\"decision\" value=\"refuse\">Refuse</button></p>\n</form>\n",
        name = HtmlEscape(&client.name),
        organization = HtmlEscape(&client.organization),
        username = HtmlEscape(username),
        origin = HtmlEscape(&origin),
    );
    // Browsers hold redirects after a form to `form-action` too.
    page(StatusCode::OK, "Let an application act for you?", &body, &origin)
}

/// The page for a request that leads nowhere safe.
pub(super) fn fault(status: StatusCode, words: &str) -> Reply {
    let body = format!(
        "<h1>This does not work</h1>\n<p role=\"alert\">{}</p>\n<p>Go back to the application and tell its makers.</p>\n",
        HtmlEscape(words)
    );
    page(status, "This does not work", &body, "")
}

fn page(status: StatusCode, title: &str, body: &str, form_target: &str) -> Reply {
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{} – Hostler</title></head>\n\
         <body>\n<main>\n{body}</main>\n</body>\n</html>\n",
        HtmlEscape(title)
    );
    let policy =
        format!("default-src 'none'; form-action 'self' {form_target}; frame-ancestors 'none'; base-uri 'none'");
    Reply::html(status, page).with(header::CONTENT_SECURITY_POLICY, policy.replace(" ;", ";"))
}
