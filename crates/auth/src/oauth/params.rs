//! Request parameters by the rules of RFC 6749, sections 3.1 and 3.2.

use hostler_http::Request;
use http::header;

use super::error::OAuthError;

/// Decoded parameters, in order.
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// The parameters in the body, which must be a form.
    pub(super) fn from_body(request: &Request) -> Result<Self, OAuthError> {
        let sent = request.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media = sent.split(';').next().unwrap_or_default().trim();
        if !media.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(OAuthError::Protocol("invalid_request", "The body must be application/x-www-form-urlencoded."));
        }
        Self::checked(form_urlencoded::parse(&request.body).into_owned().collect())
    }

    /// The parameters in the query.
    pub(super) fn from_query(request: &Request) -> Result<Self, OAuthError> {
        Self::checked(request.query.clone())
    }

    fn checked(pairs: Vec<(String, String)>) -> Result<Self, OAuthError> {
        // PostgreSQL rejects NUL in a parameter.
        if pairs.iter().any(|(key, value)| key.contains('\0') || value.contains('\0')) {
            return Err(OAuthError::Protocol("invalid_request", "A parameter contains a NUL character."));
        }
        Ok(Params(pairs))
    }

    /// The value of a parameter; none if it is absent or empty, which means the same.
    ///
    /// # Errors
    /// If it is repeated (RFC 6749, section 3.1).
    pub(super) fn get(&self, name: &str) -> Result<Option<&str>, OAuthError> {
        let mut values = self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let value = values.next();
        if values.next().is_some() {
            return Err(OAuthError::Protocol("invalid_request", "A parameter is repeated."));
        }
        Ok(value.filter(|value| !value.is_empty()))
    }

    /// The value of a required parameter.
    pub(super) fn required(&self, name: &str) -> Result<&str, OAuthError> {
        self.get(name)?.ok_or(OAuthError::Protocol("invalid_request", "A parameter is missing."))
    }
}
