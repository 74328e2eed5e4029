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

/// All templates escape values, whatever their file name.
static ENVIRONMENT: LazyLock<Result<Environment<'static>, TemplateError>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    // Browsers cache it, so its URL contains a hash.
    let mut hasher = DefaultHasher::new();
    STYLESHEET.hash(&mut hasher);
    environment.add_global("stylesheet_version", format!("{:016x}", hasher.finish()));
    for (name, source) in TEMPLATES {
        environment.add_template(name, source)?;
    }
    Ok(environment)
});

/// Renders a page; an error is a bug.
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

/// The login form.
pub(crate) struct LoginPage<'a> {
    pub status: StatusCode,
    /// The CSRF token.
    pub token: &'a str,
    /// The redirect after the login.
    pub next: &'a str,
    /// The challenge of a second factor, to ask for the code.
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

/// The consent page of OAuth2.
pub(crate) struct ConsentPage<'a> {
    pub application: &'a str,
    pub organization: &'a str,
    /// The username.
    pub username: &'a str,
    /// What the application could do.
    pub may: &'a str,
    /// The redirect target of the decision.
    pub origin: &'a str,
    /// The hidden fields: the request, and the CSRF token.
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

/// The error page for an OAuth2 request without a safe redirect.
pub(crate) fn consent_error_page(status: StatusCode, words: &str) -> Response {
    render(status, "consent_error.html", context! { words })
}

/// The policy of a page whose form is finally redirected to these places: browsers apply `form-action` to redirects
/// after a form too.
fn policy_with(targets: &str) -> String {
    CONTENT_SECURITY_POLICY.replace("form-action 'self'", &format!("form-action {targets}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_valid() {
        assert!(ENVIRONMENT.is_ok(), "{:?}", ENVIRONMENT.as_ref().err());
    }
}
