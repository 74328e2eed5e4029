//! The parameters of a request, by the rules of RFC 6749, sections 3.1 and 3.2.

use axum::http::header;

use super::problem::Problem;
use crate::request::Request;

/// Decoded parameters, in order.
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// Those of the body, which must be a form.
    pub(super) fn of_body(request: &Request) -> Result<Self, Problem> {
        let sent = request.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media = sent.split(';').next().unwrap_or_default().trim();
        if !media.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(Problem::Refused("invalid_request", "The body must be application/x-www-form-urlencoded."));
        }
        Self::checked(form_urlencoded::parse(&request.body).into_owned().collect())
    }

    /// Those of the query.
    pub(super) fn of_query(request: &Request) -> Result<Self, Problem> {
        Self::checked(request.query.clone())
    }

    fn checked(pairs: Vec<(String, String)>) -> Result<Self, Problem> {
        // No text in a database holds a NUL, so none can be looked up.
        if pairs.iter().any(|(key, value)| key.contains('\0') || value.contains('\0')) {
            return Err(Problem::Refused("invalid_request", "A parameter contains a NUL character."));
        }
        Ok(Params(pairs))
    }

    /// The value of a parameter; none if it is absent or empty, which means the same.
    ///
    /// # Errors
    /// If it stands there more than once: two readers could take it for two things.
    pub(super) fn get(&self, name: &str) -> Result<Option<&str>, Problem> {
        let mut values = self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let value = values.next();
        if values.next().is_some() {
            return Err(Problem::Refused("invalid_request", "A parameter stands there more than once."));
        }
        Ok(value.filter(|value| !value.is_empty()))
    }

    /// The value of a parameter that must be there.
    pub(super) fn required(&self, name: &str) -> Result<&str, Problem> {
        self.get(name)?.ok_or(Problem::Refused("invalid_request", "A parameter is missing."))
    }
}
