//! HTML pages: their templates and the stylesheet, built into the binary.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::LazyLock;

use axum::http::{Method, StatusCode};
use hostler_engine::Error;
use minijinja::{AutoEscape, Environment, Error as TemplateError, Value};

use crate::error::error_response;
use crate::response::Response;

/// The content security policy of pages: the server's own stylesheet and forms; no scripts and no external resources,
/// even if HTML is injected.
pub(crate) const CONTENT_SECURITY_POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The stylesheet of all pages.
pub const STYLESHEET: &str = include_str!("templates/hostler.css");

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

/// Renders a page from its template; an error is a bug.
pub fn render_template(status: StatusCode, template: &str, context: Value) -> Response {
    let environment = ENVIRONMENT.as_ref().map_err(ToString::to_string);
    let rendered = environment.and_then(|environment| {
        let template = environment.get_template(template).map_err(|problem| problem.to_string())?;
        template.render(context).map_err(|problem| problem.to_string())
    });
    match rendered {
        Ok(html) => Response::html(status, html),
        Err(problem) => error_response(Error::Internal(format!("the page {template}: {problem}")), &Method::GET),
    }
}

/// The policy of a page whose form is finally redirected to these places: browsers apply `form-action` to redirects
/// after a form too.
pub fn policy_with_form_targets(targets: &str) -> String {
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
