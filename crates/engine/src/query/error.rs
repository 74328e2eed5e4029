use std::fmt;

use hostler_database::InvalidRegex;

/// Why a query is rejected. Clients get the text as `detail`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueryError {
    /// The query is invalid: 400.
    BadRequest(String),
    /// The query refers to a secret: 403.
    Forbidden(String),
    /// The page does not exist: 404.
    NotFound(String),
}

impl QueryError {
    pub(super) fn bad(detail: impl Into<String>) -> Self {
        QueryError::BadRequest(detail.into())
    }

    /// A message about a value, which AWX sends as a JSON list inside the text.
    pub(super) fn value(text: &str, complaint: &str) -> Self {
        let text: String = text.chars().map(escape).collect();
        QueryError::BadRequest(format!("[\"\u{201c}{text}\u{201d} {complaint}\"]"))
    }

    pub(super) fn no_field(label: &str, name: &str) -> Self {
        QueryError::BadRequest(format!("{label} has no field named '{name}'"))
    }

    pub(super) fn invalid_page() -> Self {
        QueryError::NotFound("Invalid page.".to_owned())
    }

    /// The text for the client.
    pub fn detail(&self) -> &str {
        match self {
            QueryError::BadRequest(detail) | QueryError::Forbidden(detail) | QueryError::NotFound(detail) => detail,
        }
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.detail())
    }
}

impl std::error::Error for QueryError {}

impl From<InvalidRegex> for QueryError {
    fn from(problem: InvalidRegex) -> Self {
        QueryError::BadRequest(problem.0)
    }
}

/// A character of a JSON string.
fn escape(character: char) -> String {
    match character {
        '"' | '\\' => format!("\\{character}"),
        '\u{0}'..='\u{1f}' => format!("\\u{:04x}", u32::from(character)),
        _ => character.to_string(),
    }
}
