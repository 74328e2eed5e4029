//! `search=...` in the resource's own fields, `<relation>__search=...` in those of related objects.

use hostler_schema::Resource;

use super::QueryError;
use super::join::{Filter, Predicate};
use super::limits::{Budget, check_text};
use super::lookup::Leaf;
use super::parse::{End, ResolvedPath, resolve};
use crate::links::{Hop, Links};

/// The filters of `search=text`, one for each term.
pub(super) fn own(
    links: &Links,
    resource: &'static Resource,
    text: &str,
    budget: &mut Budget,
) -> Result<Vec<Filter>, QueryError> {
    check_text(text)?;
    let fields = SearchFields::of(links, resource)?;
    if fields.is_empty() {
        return Ok(Vec::new());
    }
    fields.filters(&[], terms(text), budget)
}

/// The filters of `<relation>__search=text`, one for each term. Unlike in
/// `search`, only commas separate terms.
pub(super) fn related(
    links: &Links,
    resource: &'static Resource,
    parts: &[&str],
    text: &str,
    budget: &mut Budget,
) -> Result<Vec<Filter>, QueryError> {
    check_text(text)?;
    let ResolvedPath { mut path, end } = resolve(links, resource, parts)?;
    let fields = match end {
        End::Column(leaf) if leaf.is_absent() => SearchFields { own: vec![leaf], related: vec![] },
        End::Column(_) => {
            let name = parts.last().copied().unwrap_or_default();
            return Err(QueryError::bad(format!("{name} is not searchable")));
        }
        End::Link(_, hop) | End::Relation(hop) => {
            path.push(hop);
            SearchFields::of(links, hop.target)?
        }
    };
    let terms = text.split(',').map(str::trim).filter(|term| !term.is_empty()).map(str::to_owned).collect();
    fields.filters(&path, terms, budget)
}

/// The fields that a search compares with each term, without secrets.
struct SearchFields {
    /// Columns of the resource itself.
    own: Vec<Leaf>,
    /// Columns of related objects, for names such as `content_type__model`.
    related: Vec<(Vec<Hop>, Leaf)>,
}

impl SearchFields {
    /// The fields in the description; a registry test resolves each.
    fn of(links: &Links, resource: &'static Resource) -> Result<Self, QueryError> {
        let (related, own): (Vec<&str>, Vec<&str>) = resource.search.iter().partition(|name| name.contains("__"));
        let own = own.into_iter().filter_map(|name| resource.field(name));
        let own = own.filter(|field| (field.is_stored() || field.filtered_by_hooks) && !field.kind.contains_secrets());
        let related = related.into_iter().map(|name| {
            let parts: Vec<&str> = name.split("__").collect();
            resolve(links, resource, &parts).map(ResolvedPath::column)
        });
        Ok(SearchFields { own: own.map(Leaf::of).collect(), related: related.collect::<Result<_, _>>()? })
    }

    fn is_empty(&self) -> bool {
        self.own.is_empty() && self.related.is_empty()
    }

    /// One filter for each term: one of the fields of the object at the end of `path` contains it.
    fn filters(&self, path: &[Hop], terms: Vec<String>, budget: &mut Budget) -> Result<Vec<Filter>, QueryError> {
        budget.terms(terms.len())?;
        for _ in &terms {
            budget.path(path.len())?;
            for (path, _) in &self.related {
                budget.path(path.len())?;
            }
        }
        Ok(terms.into_iter().map(|term| Filter { path: path.to_vec(), predicate: self.predicate(term) }).collect())
    }

    fn predicate(&self, term: String) -> Predicate {
        if self.related.is_empty() {
            return Predicate::Occurs(self.own.clone(), term);
        }
        let own = Filter { path: vec![], predicate: Predicate::Occurs(self.own.clone(), term.clone()) };
        let related = self
            .related
            .iter()
            .map(|(path, leaf)| Filter { path: path.clone(), predicate: Predicate::Occurs(vec![*leaf], term.clone()) });
        Predicate::AnyOf(std::iter::once(own).chain(related).collect())
    }
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
            // Within a word, as in O'Brien, a quote is an ordinary character.
            None if term.is_empty() && matches!(character, '"' | '\'') => quote = Some(character),
            None if character == ',' || character.is_whitespace() => terms.push(std::mem::take(&mut term)),
            None => term.push(character),
        }
    }
    terms.push(term);
    terms.retain(|term| !term.is_empty());
    terms
}
