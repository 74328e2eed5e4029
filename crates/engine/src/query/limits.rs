//! Limits on the parameters of one request, so that no statement exceeds what the
//! databases accept: SQLite takes 32,766 variables and expressions 1,000 deep.

use super::QueryError;

/// Most query parameters that filter, search or order.
const PARAMETERS: usize = 100;
/// Most values that all filters together compare with.
const VALUES: usize = 4_000;
/// Most values of one `in`.
const LIST: usize = 2_000;
/// Most relations that all filters and orderings together cross.
const HOPS: usize = 150;
/// Most relations that one path crosses.
const DEPTH: usize = 6;
/// Most terms that all searches together look for.
const TERMS: usize = 50;
/// Longest value, in bytes.
const LENGTH: usize = 8 * 1024;

/// What one request has asked for so far.
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
