//! Parses the keys of parameters: prefixes, paths and lookups.

use hostler_schema::{FieldKind, Resource};

use super::QueryError;
use super::join::{Filter, Predicate};
use super::limits::Budget;
use super::lookup::{Leaf, Lookup, test};
use super::{search, value};
use crate::links::{Hop, Links};

/// How a parameter is combined with the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Combine {
    /// By AND with all plain ones, for the same related rows.
    And,
    /// By OR with the other alternatives.
    Or,
    /// By AND, with its own related rows.
    Chain,
    /// By OR, like all plain `<relation>__search`.
    Search,
}

/// One parameter: all its filters must match, or if `negated` not all.
pub(super) struct Clause {
    pub combine: Combine,
    pub negated: bool,
    pub filters: Vec<Filter>,
}

/// Reads `[prefixes__]path[__lookup][__int]=text`.
pub(super) fn clause(
    links: &Links,
    resource: &'static Resource,
    key: &str,
    text: &str,
    budget: &mut Budget,
) -> Result<Clause, QueryError> {
    let (combine, negated, key) = prefixes(key);
    // In AWX several of these are alternatives, and the terms within one must all match.
    let combine =
        if key.ends_with("__search") && combine == Combine::And && !negated { Combine::Search } else { combine };
    Ok(Clause { combine, negated, filters: filters(links, resource, key, text, budget)? })
}

/// Reads `path[__lookup][__int]=text` or `path__search=text`.
pub(super) fn filters(
    links: &Links,
    resource: &'static Resource,
    key: &str,
    text: &str,
    budget: &mut Budget,
) -> Result<Vec<Filter>, QueryError> {
    let mut parts: Vec<&str> = key.split("__").collect();
    let number: String;
    let mut text = text;
    if parts.len() > 1 && parts.last() == Some(&"int") {
        parts.pop();
        number = value::literal(text)?.to_string();
        text = &number;
    }
    if parts.len() > 1 && parts.last() == Some(&"search") {
        parts.pop();
        return search::related(links, resource, &parts, text, budget);
    }
    let mut lookup = Lookup::EXACT;
    if parts.len() > 1
        && let Some(found) = parts.last().and_then(|word| Lookup::parse(word))
    {
        parts.pop();
        lookup = found;
    }
    let (path, leaf) = resolve(links, resource, &parts)?.column();
    budget.path(path.len())?;
    let test = test(leaf, lookup, text, budget)?;
    Ok(vec![Filter { path, predicate: Predicate::Test(leaf, test) }])
}

/// Splits off `or__`, `chain__` and `not__`, in any order. An alternative has its own related rows anyway, so `chain__`
/// has no effect with `or__`.
fn prefixes(mut key: &str) -> (Combine, bool, &str) {
    let mut combine = Combine::And;
    let mut negated = false;
    loop {
        if let Some(rest) = key.strip_prefix("or__") {
            combine = Combine::Or;
            key = rest;
        } else if let Some(rest) = key.strip_prefix("chain__") {
            if combine == Combine::And {
                combine = Combine::Chain;
            }
            key = rest;
        } else if let Some(rest) = key.strip_prefix("not__") {
            negated = true;
            key = rest;
        } else {
            return (combine, negated, key);
        }
    }
}

/// The target of a path.
pub(super) struct ResolvedPath {
    /// The relations in it, without one at its end.
    pub path: Vec<Hop>,
    pub end: End,
}

/// The last part of a path.
pub(super) enum End {
    /// A column that is not a link.
    Column(Leaf),
    /// A link, which is both a column and a relation.
    Link(Leaf, Hop),
    /// A relation without a column.
    Relation(Hop),
}

impl ResolvedPath {
    /// The column to compare, and the relations that lead to it.
    pub fn column(mut self) -> (Vec<Hop>, Leaf) {
        match self.end {
            End::Column(leaf) | End::Link(leaf, _) => (self.path, leaf),
            End::Relation(hop) => {
                self.path.push(hop);
                (self.path, Leaf::RELATED)
            }
        }
    }
}

/// Resolves a path field by field.
pub(super) fn resolve(links: &Links, resource: &'static Resource, parts: &[&str]) -> Result<ResolvedPath, QueryError> {
    let mut path: Vec<Hop> = Vec::new();
    let mut here = resource;
    let mut rest = parts;
    while let Some((name, after)) = rest.split_first() {
        let name = if *name == "pk" { "id" } else { name };
        let end = step(links, here, name)?;
        rest = after;
        let Some(next) = rest.first() else {
            return Ok(ResolvedPath { end: shortened(&mut path, name, end), path });
        };
        match end {
            End::Link(_, hop) | End::Relation(hop) => {
                here = hop.target;
                path.push(hop);
            }
            // The target of such a link is unknown, and no row matches.
            End::Column(leaf) if leaf.is_absent() => return Ok(ResolvedPath { path, end: End::Column(Leaf::NOTHING) }),
            End::Column(_) => return Err(QueryError::bad(format!("No related model for field {next}."))),
        }
    }
    Err(QueryError::no_field(here.label, ""))
}

/// One part of a path.
fn step(links: &Links, here: &'static Resource, name: &str) -> Result<End, QueryError> {
    if let ("type", Some(column)) = (name, here.variant_column()) {
        return Ok(End::Column(Leaf { column, nullable: false, ..Leaf::NOTHING }));
    }
    let field = here.field(name);
    if field.is_some_and(|field| field.filter_forbidden || field.kind.contains_secrets()) {
        return Err(QueryError::Forbidden(format!("Filtering on {name} is not allowed.")));
    }
    let field = field.filter(|field| field.filterable);
    match (field, links.relation(here, name)) {
        // Responses do not show the id, so only that of a visible object can be compared.
        (Some(field), Some(hop)) if !field.shown && matches!(field.kind, FieldKind::Link(_)) => Ok(End::Relation(hop)),
        (Some(field), Some(hop)) => Ok(End::Link(Leaf::of(field), hop)),
        (Some(field), None) => Ok(End::Column(Leaf::of(field))),
        (None, Some(hop)) => Ok(End::Relation(hop)),
        (None, None) if here.unimplemented_relations.contains(&name) => Ok(End::Column(Leaf::NO_OBJECT)),
        (None, None) => Err(QueryError::no_field(here.label, name)),
    }
}

/// `organization__id` is the row's own column, which it shows anyway.
fn shortened(path: &mut Vec<Hop>, name: &str, end: End) -> End {
    match (end, path.last().and_then(|hop| hop.link)) {
        (End::Column(leaf), Some(column)) if name == "id" => {
            path.pop();
            End::Column(Leaf { column, nullable: true, ..leaf })
        }
        (end, _) => end,
    }
}
