//! `search=...` in the resource's own fields, `<relation>__search=...` in those of related ones.

use hostler_schema::Resource;

use super::QueryError;
use super::join::{Filter, Predicate};
use super::limits::{Budget, check_text};
use super::lookup::Leaf;
use super::parse::{End, ResolvedPath, resolve};

/// The filters of `search=text`, one for each term.
pub(super) fn own(resource: &Resource, text: &str, budget: &mut Budget) -> Result<Vec<Filter>, QueryError> {
    check_text(text)?;
    let columns = columns(resource);
    if columns.is_empty() {
        return Ok(Vec::new());
    }
    let terms = terms(text);
    budget.terms(terms.len())?;
    let filter = |term| Filter { path: Vec::new(), predicate: Predicate::Occurs(columns.clone(), term) };
    Ok(terms.into_iter().map(filter).collect())
}

/// The filters of `<relation>__search=text`, one for each term. Unlike in
/// `search`, only commas separate terms.
pub(super) fn related(
    resource: &'static Resource,
    parts: &[&str],
    text: &str,
    budget: &mut Budget,
) -> Result<Vec<Filter>, QueryError> {
    check_text(text)?;
    let ResolvedPath { mut path, end } = resolve(resource, parts)?;
    let columns = match end {
        End::Column(leaf) if leaf.is_absent() => vec![leaf],
        End::Column(_) => {
            let name = parts.last().copied().unwrap_or_default();
            return Err(QueryError::bad(format!("{name} is not searchable")));
        }
        End::Link(_, hop) | End::Relation(hop) => {
            path.push(hop);
            columns(hop.target)
        }
    };
    let terms: Vec<&str> = text.split(',').map(str::trim).filter(|term| !term.is_empty()).collect();
    budget.terms(terms.len())?;
    for _ in &terms {
        budget.path(path.len())?;
    }
    let filter =
        |term: &str| Filter { path: path.clone(), predicate: Predicate::Occurs(columns.clone(), term.to_owned()) };
    Ok(terms.into_iter().map(filter).collect())
}

/// The columns that a search looks at. A secret never is among them, whatever the description says.
fn columns(resource: &Resource) -> Vec<Leaf> {
    let fields = resource.search.iter().filter_map(|name| resource.field(name));
    fields.filter(|field| field.is_stored() && !field.kind.contains_secrets()).map(|field| Leaf::of(field)).collect()
}

/// The terms of a search: separated by spaces or commas, except within quotes.
fn terms(text: &str) -> Vec<String> {
    let mut terms = Vec::new();
    let mut term = String::new();
    let mut quote = None;
    for character in text.chars() {
        match quote {
            Some(open) if character == open => {
                quote = None;
                terms.push(std::mem::take(&mut term));
            }
            Some(_) => term.push(character),
            // Within a word, as in O'Brien, a quote is a letter like any other.
            None if term.is_empty() && matches!(character, '"' | '\'') => quote = Some(character),
            None if character == ',' || character.is_whitespace() => terms.push(std::mem::take(&mut term)),
            None => term.push(character),
        }
    }
    terms.push(term);
    terms.retain(|term| !term.is_empty());
    terms
}
