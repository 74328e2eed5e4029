//! Limits for the parameters of one request, so that no statement exceeds the limits of the databases: SQLite accepts
//! 32,766 variables and an expression depth of 1,000.

use super::QueryError;

/// The maximum number of parameters that filter, search or order.
const PARAMETERS: usize = 100;
/// The maximum number of values in all filters together.
const VALUES: usize = 4_000;
/// The maximum number of values of one `in`.
const LIST: usize = 2_000;
/// The maximum number of relations in all filters and orders together.
const HOPS: usize = 150;
/// The maximum number of relations in one path.
const DEPTH: usize = 6;
/// The maximum number of terms in all searches together.
const TERMS: usize = 50;
/// The maximum length of a value, in bytes.
const LENGTH: usize = 8 * 1024;

/// What a request has used of its limits so far.
#[derive(Default)]
pub(super) struct Budget {
    parameters: usize,
    values: usize,
    hops: usize,
    terms: usize,
}

impl Budget {
    pub fn parameter(&mut self) -> Result<(), QueryError> {
        self.parameters += 1;
        within(self.parameters, PARAMETERS, "parameters in the query")
    }

    pub fn values(&mut self, count: usize) -> Result<(), QueryError> {
        within(count, LIST, "values in a list")?;
        self.values += count;
        within(self.values, VALUES, "values in the query")
    }

    pub fn path(&mut self, hops: usize) -> Result<(), QueryError> {
        within(hops, DEPTH, "relations in a path")?;
        self.hops += hops;
        within(self.hops, HOPS, "relations in the query")
    }

    pub fn terms(&mut self, count: usize) -> Result<(), QueryError> {
        self.terms += count;
        within(self.terms, TERMS, "search terms in the query")
    }
}

/// Rejects a text that is too long, or that PostgreSQL cannot store.
pub(super) fn check_text(text: &str) -> Result<(), QueryError> {
    if text.len() > LENGTH {
        return Err(QueryError::bad(format!("Values may have at most {LENGTH} bytes.")));
    }
    if text.contains('\0') {
        return Err(QueryError::bad("A string literal cannot contain NUL (0x00) characters."));
    }
    Ok(())
}

fn within(count: usize, most: usize, what: &str) -> Result<(), QueryError> {
    if count > most {
        Err(QueryError::bad(format!("There are too many {what}: at most {most} are allowed.")))
    } else {
        Ok(())
    }
}
