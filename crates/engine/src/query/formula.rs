//! Conditions that are put together of filters by AND and OR.

use hostler_database::Dialect;
use hostler_schema::{Actor, Resource};
use sea_query::{Condition, Expr};

use super::join::{Compiler, Filter, Predicate};
use super::limits::Budget;
use super::{QueryError, parse, search};
use crate::links::Links;

/// A condition that is put together of filters.
#[derive(Clone, Debug)]
pub enum Formula {
    /// All of these.
    All(Vec<Formula>),
    /// One of these.
    Any(Vec<Formula>),
    /// A filter with the key and the value of a parameter of a list. Each has its own related rows.
    Filter(String, String),
    /// A condition on the row.
    Condition(Expr),
}

/// What a filter compares.
pub struct FilterPath<'a> {
    /// The resources along the relations that it follows, without the one where it starts.
    pub resources: &'a [&'static Resource],
    /// The columns at the end of the path.
    pub columns: &'a [&'static str],
}

/// The condition on the rows of a resource under the alias `row`. Its relations include only rows that the actor may see;
/// without an actor, all that are not being deleted, and `check` must refuse what lets others guess hidden values.
///
/// The depth of the formula is the caller's to bound.
///
/// # Errors
/// [`QueryError`], as for the parameters of lists.
pub fn formula(
    links: &Links,
    resource: &'static Resource,
    formula: &Formula,
    actor: Option<&Actor>,
    dialect: Dialect,
    row: &str,
    check: &dyn Fn(FilterPath<'_>) -> Result<(), QueryError>,
) -> Result<Condition, QueryError> {
    let compiler = Compiler::new(actor, dialect, &[], row);
    Reader { links, resource, row, check, compiler, budget: Budget::default() }.condition(formula)
}

struct Reader<'a> {
    links: &'a Links,
    resource: &'static Resource,
    row: &'a str,
    check: &'a dyn Fn(FilterPath<'_>) -> Result<(), QueryError>,
    compiler: Compiler<'a>,
    budget: Budget,
}

impl Reader<'_> {
    fn condition(&mut self, formula: &Formula) -> Result<Condition, QueryError> {
        let (mut joined, parts) = match formula {
            Formula::Condition(condition) => return Ok(Condition::all().add(condition.clone())),
            Formula::Filter(key, text) => return self.filter(key, text),
            Formula::All(parts) => (Condition::all(), parts),
            Formula::Any(parts) => (Condition::any(), parts),
        };
        for part in parts {
            joined = joined.add(self.condition(part)?);
        }
        Ok(joined)
    }

    fn filter(&mut self, key: &str, text: &str) -> Result<Condition, QueryError> {
        self.budget.parameter()?;
        let (links, budget) = (self.links, &mut self.budget);
        let filters = match key {
            "search" => search::own(links, self.resource, text, budget)?,
            key => parse::filters(links, self.resource, key, text, budget)?,
        };
        let mut all = Condition::all();
        for filter in &filters {
            self.check_filter(filter, &mut Vec::new())?;
            all = all.add(self.compiler.all(std::slice::from_ref(filter), self.row)?);
        }
        Ok(all)
    }

    /// Checks the path of the filter, and those of the filters at its end.
    fn check_filter(&self, filter: &Filter, before: &mut Vec<&'static Resource>) -> Result<(), QueryError> {
        let length = before.len();
        before.extend(filter.path.iter().map(|hop| hop.target));
        let check = |columns: &[&'static str]| (self.check)(FilterPath { resources: before, columns });
        match &filter.predicate {
            Predicate::Test(leaf, _) => check(&[leaf.column])?,
            Predicate::Occurs(leaves, _) => {
                let columns: Vec<&'static str> = leaves.iter().map(|leaf| leaf.column).collect();
                check(&columns)?;
            }
            Predicate::AnyOf(filters) => {
                for filter in filters {
                    self.check_filter(filter, before)?;
                }
            }
        }
        before.truncate(length);
        Ok(())
    }
}
