//! The login form.

use hostler_http::{Response, policy_with_form_targets, render_template};
use http::{StatusCode, header};
use minijinja::context;

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
        let mut policy = policy_with_form_targets(targets);
        if !logo.is_empty() {
            policy.push_str("; img-src data:");
        }
        render_template(status, "login.html", context! { token, next, challenge, username, error, notice, logo })
            .with(header::CONTENT_SECURITY_POLICY, policy)
    }
}
