//! The templates and the stylesheet, built into the binary.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::LazyLock;

use axum::http::{StatusCode, header};
use hostler_engine::Error;
use minijinja::{AutoEscape, Environment, Error as TemplateError, Value, context};

use super::CONTENT_SECURITY_POLICY;
use crate::error::error_response;
use crate::response::Response;

/// The stylesheet of all pages.
pub(crate) const STYLESHEET: &str = include_str!("templates/hostler.css");

const TEMPLATES: [(&str, &str); 6] = [
    ("consent.html", include_str!("templates/consent.html")),
    ("consent_error.html", include_str!("templates/consent_error.html")),
    ("layout.html", include_str!("templates/layout.html")),
    ("login.html", include_str!("templates/login.html")),
    ("page.html", include_str!("templates/page.html")),
    ("unknown.html", include_str!("templates/unknown.html")),
];

/// Every template escapes what it is given, whatever its name.
static ENVIRONMENT: LazyLock<Result<Environment<'static>, TemplateError>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    // Browsers keep it for a while: another one needs another name.
    let mut hasher = DefaultHasher::new();
    STYLESHEET.hash(&mut hasher);
    environment.add_global("stylesheet_version", format!("{:016x}", hasher.finish()));
    for (name, source) in TEMPLATES {
        environment.add_template(name, source)?;
    }
    Ok(environment)
});

/// A page; a template that fails is a fault of ours.
pub(super) fn render(status: StatusCode, template: &str, context: Value) -> Response {
    let environment = ENVIRONMENT.as_ref().map_err(ToString::to_string);
    let rendered = environment.and_then(|environment| {
        let template = environment.get_template(template).map_err(|problem| problem.to_string())?;
        template.render(context).map_err(|problem| problem.to_string())
    });
    match rendered {
        Ok(html) => Response::html(status, html),
        Err(problem) => error_response(Error::Internal(format!("the page {template}: {problem}")), ""),
    }
}

/// The form to log in.
pub(crate) struct LoginPage<'a> {
    pub status: StatusCode,
    /// The token against forgeries.
    pub token: &'a str,
    /// Where to go after it.
    pub next: &'a str,
    /// What shows that the password was right, to ask for the code of a second factor.
    pub challenge: Option<&'a str>,
    /// The username of the previous attempt.
    pub username: &'a str,
    pub error: Option<&'a str>,
    /// Where the browser may be redirected afterwards.
    pub targets: &'a str,
    /// The notice on the login page; may be empty.
    pub notice: &'a str,
    /// A picture as a data URL; empty for none.
    pub logo: &'a str,
}

impl LoginPage<'_> {
    pub(crate) fn render(self) -> Response {
        let LoginPage { status, token, next, challenge, username, error, targets, notice, logo } = self;
        let mut policy = policy_with(targets);
        if !logo.is_empty() {
            policy.push_str("; img-src data:");
        }
        render(status, "login.html", context! { token, next, challenge, username, error, notice, logo })
            .with(header::CONTENT_SECURITY_POLICY, policy)
    }
}

/// The question whether an application may act for somebody.
pub(crate) struct ConsentPage<'a> {
    pub application: &'a str,
    pub organization: &'a str,
    /// Who is asked.
    pub username: &'a str,
    /// What the application could do.
    pub may: &'a str,
    /// Where the browser is sent with the answer.
    pub origin: &'a str,
    /// Sent back with the answer: the request, and the token against forgeries.
    pub hidden: &'a [(&'a str, &'a str)],
}

impl ConsentPage<'_> {
    pub(crate) fn render(self) -> Response {
        let ConsentPage { application, organization, username, may, origin, hidden } = self;
        let hidden: Vec<Value> =
            hidden.iter().map(|(name, value)| context! { name => *name, value => *value }).collect();
        let context = context! { application, organization, username, may, origin, hidden };
        render(StatusCode::OK, "consent.html", context)
            .with(header::CONTENT_SECURITY_POLICY, policy_with(&format!("'self' {origin}")))
    }
}

/// The page for an application's request that leads nowhere safe.
pub(crate) fn consent_error_page(status: StatusCode, words: &str) -> Response {
    render(status, "consent_error.html", context! { words })
}

/// What such a page may do whose form leads to these places in the end: browsers hold redirects after a form to
/// `form-action` too.
fn policy_with(targets: &str) -> String {
    CONTENT_SECURITY_POLICY.replace("form-action 'self'", &format!("form-action {targets}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_sound() {
        assert!(ENVIRONMENT.is_ok(), "{:?}", ENVIRONMENT.as_ref().err());
    }
}
