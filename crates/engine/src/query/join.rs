//! Compiles filters to conditions: each relation becomes an EXISTS.

use hostler_database::{Dialect, TextLookup};
use hostler_schema::{Action, Actor, Field, Join, Resource, Rule, column};
use sea_query::{Alias, Condition, Expr, ExprTrait, Func, Query, SelectStatement, Value};

use super::QueryError;
use super::field_test::FieldTest;
use super::lookup::{Leaf, Test, constant, occurs};
use crate::links::Hop;

/// The condition on the row at the end of a path.
#[derive(Clone, Debug)]
pub(super) enum Predicate {
    Test(Leaf, Test),
    /// The term occurs in one of these columns.
    Occurs(Vec<Leaf>, String),
    /// The row matches one of these filters.
    AnyOf(Vec<Filter>),
}

/// A condition on a row at the end of a path.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    pub path: Vec<Hop>,
    pub predicate: Predicate,
}

impl Filter {
    /// Whether the filter also matches if the path leads to no row.
    fn matches_without_row(&self) -> bool {
        !self.path.is_empty() && matches!(self.predicate, Predicate::Test(_, Test::Null(true)))
    }
}

/// All conditions on one row and, recursively, on its related rows.
#[derive(Default)]
struct Group {
    predicates: Vec<Predicate>,
    /// Paths that lead to no row, or to one that matches the predicate.
    absences: Vec<Filter>,
    hops: Vec<(Hop, Group)>,
}

impl Group {
    fn new(filters: &[Filter]) -> Group {
        let mut root = Group::default();
        let (absences, others): (Vec<&Filter>, Vec<&Filter>) =
            filters.iter().partition(|filter| filter.matches_without_row());
        for filter in others {
            root.at(&filter.path).predicates.push(filter.predicate.clone());
        }
        for filter in absences {
            root.absence(&filter.path, &filter.predicate);
        }
        root
    }

    /// The level at the end of a path, created if it does not exist.
    fn at(&mut self, path: &[Hop]) -> &mut Group {
        let Some((hop, rest)) = path.split_first() else {
            return self;
        };
        let index = match self.hops.iter().position(|(known, _)| known.name == hop.name) {
            Some(index) => index,
            None => {
                self.hops.push((*hop, Group::default()));
                self.hops.len() - 1
            }
        };
        self.hops[index].1.at(rest)
    }

    /// Where other filters already require a row, the rest of the path is missing from that row.
    fn absence(&mut self, path: &[Hop], predicate: &Predicate) {
        match path.split_first() {
            None => self.predicates.push(predicate.clone()),
            Some((hop, rest)) => match self.hops.iter_mut().find(|(known, _)| known.name == hop.name) {
                Some((_, group)) => group.absence(rest, predicate),
                None => self.absences.push(Filter { path: path.to_vec(), predicate: predicate.clone() }),
            },
        }
    }
}

/// Compiles the conditions of one statement.
pub(super) struct Compiler<'a> {
    /// Who may see the related rows; without an actor they are all rows that are not being deleted.
    actor: Option<&'a Actor>,
    dialect: Dialect,
    aliases: usize,
    /// Whether the condition will be negated, and so must not be NULL.
    is_negated: bool,
    /// The conditions on listed rows that the hooks have found, and the alias of these rows.
    found: &'a [(FieldTest, Expr)],
    listed: &'a str,
}

impl<'a> Compiler<'a> {
    pub fn new(actor: Option<&'a Actor>, dialect: Dialect, found: &'a [(FieldTest, Expr)], listed: &'a str) -> Self {
        Compiler { actor, dialect, aliases: 0, is_negated: false, found, listed }
    }

    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The condition that the row matches all filters, with the same related rows for all.
    pub fn all(&mut self, filters: &[Filter], row: &str) -> Result<Condition, QueryError> {
        self.group(&Group::new(filters), row)
    }

    /// The condition that the row does not match all of these filters, each with its own related rows. NULL counts as
    /// no match.
    pub fn not_all(&mut self, filters: &[Filter], row: &str) -> Result<Expr, QueryError> {
        let mut condition = Condition::all();
        let outer = std::mem::replace(&mut self.is_negated, true);
        for filter in filters {
            condition = condition.add(self.all(std::slice::from_ref(filter), row)?);
        }
        self.is_negated = outer;
        let met = Expr::from(condition);
        // EXISTS is never NULL. Without a wrapper the databases can plan it as an anti-join.
        let certain = filters.iter().all(|filter| !filter.path.is_empty());
        Ok(if certain { met.not() } else { Expr::from(Func::coalesce([met, constant(false)])).not() })
    }

    /// An alias for the related table, and the condition that its row belongs to this one and is visible; None if there
    /// can be no such row.
    pub fn reach(&mut self, hop: &Hop, row: &str) -> Option<(String, Condition)> {
        self.aliases += 1;
        let other = format!("hop{}", self.aliases);
        let joined = Condition::all().add(hop.join.condition(row, &other));
        match self.visible(hop, &other) {
            Rule::None => None,
            Rule::All => Some((other, joined)),
            Rule::When(visible) => Some((other, joined.add(visible))),
        }
    }

    /// The rows at the end of a relation, under the alias `other`, that the actor may see.
    fn visible(&self, hop: &Hop, other: &str) -> Rule {
        match hop.join {
            // Who sees an object sees its roles. Their own rule asks for the objects of all types: SQLite refuses
            // statements with several of it.
            Join::Role { .. } => Rule::All,
            _ => match self.actor {
                Some(actor) => hop.target.access.rows(actor, Action::Read, other),
                None => hop.target.not_deleted(other).map_or(Rule::All, Rule::When),
            },
        }
    }

    fn group(&mut self, group: &Group, row: &str) -> Result<Condition, QueryError> {
        let mut condition = Condition::all();
        for predicate in &group.predicates {
            condition = condition.add(self.predicate(predicate, row)?);
        }
        for absence in &group.absences {
            condition = condition.add(self.absence(absence, row)?);
        }
        for (hop, below) in &group.hops {
            condition = condition.add(self.exists(hop, below, row)?);
        }
        Ok(condition)
    }

    fn predicate(&mut self, predicate: &Predicate, row: &str) -> Result<Expr, QueryError> {
        match predicate {
            Predicate::Test(leaf, test) => match self.found_by_hooks(*leaf, || test.clone(), row)? {
                Some(condition) => Ok(condition),
                None => test.condition(*leaf, row, self.dialect),
            },
            Predicate::Occurs(leaves, term) => {
                let mut any = Condition::any();
                for leaf in leaves {
                    any = any.add(match self.found_by_hooks(*leaf, || Test::occurrence(term), row)? {
                        Some(condition) => condition,
                        None => occurs(*leaf, term, row, self.dialect)?,
                    });
                }
                Ok(any.into())
            }
            Predicate::AnyOf(filters) => {
                let mut any = Condition::any();
                for filter in filters {
                    any = any.add(self.all(std::slice::from_ref(filter), row)?);
                }
                Ok(any.into())
            }
        }
    }

    /// The condition that the hooks have found for a test of a listed row; none if the column is compared.
    fn found_by_hooks(&self, leaf: Leaf, test: impl FnOnce() -> Test, row: &str) -> Result<Option<Expr>, QueryError> {
        let Some(field) = leaf.by_hooks else { return Ok(None) };
        let test = FieldTest { field, test: test() };
        if matches!(test.test, Test::Null(_)) {
            return Ok(None);
        }
        let found = self.found.iter().find(|(known, _)| row == self.listed && *known == test);
        match found {
            Some((_, condition)) => Ok(Some(condition.clone())),
            None if leaf.is_absent() => Err(QueryError::bad(format!("Filtering on {field} is not possible here."))),
            None => Ok(None),
        }
    }

    fn exists(&mut self, hop: &Hop, group: &Group, row: &str) -> Result<Expr, QueryError> {
        if let (Join::SameRow, false) = (hop.join, self.is_negated) {
            // It is the same row, which is already visible: no lookup is needed.
            let below = self.group(group, row)?;
            return Ok(match hop.target.own_type() {
                Some((name, value)) if below.is_empty() => column(row, name).eq(value),
                Some((name, value)) => column(row, name).eq(value).and(Expr::from(below)),
                None => below.into(),
            });
        }
        if let (Join::Column(link), false) = (hop.join, self.is_negated)
            && names_one(hop.target, group)
        {
            return self.only(hop, link, group, row);
        }
        // Without a wrapper a negated condition can be planned as an anti-join.
        if !self.is_negated && !matches!(hop.join, Join::Condition(_)) {
            return self.among(hop, group, row);
        }
        let Some((other, mut condition)) = self.reach(hop, row) else {
            return Ok(constant(false));
        };
        let below = self.group(group, &other)?;
        if !below.is_empty() {
            condition = condition.add(below);
        }
        let mut select = Query::select();
        select.expr(Expr::Constant(Value::Int(Some(1))));
        select.from_as(Alias::new(hop.target.table), Alias::new(&other)).cond_where(condition);
        Ok(Expr::exists(select))
    }

    /// Like [`Self::exists`], with the related rows selected first.
    fn among(&mut self, hop: &Hop, group: &Group, row: &str) -> Result<Expr, QueryError> {
        let Some(others) = self.others(hop, group)? else { return Ok(constant(false)) };
        Ok(hop.join.condition_for_any(row, others).unwrap_or_else(|| constant(false)))
    }

    /// Like [`Self::exists`], for a link to at most one object: with a single value, the index of the link returns the
    /// rows in their order.
    fn only(&mut self, hop: &Hop, link: &str, group: &Group, row: &str) -> Result<Expr, QueryError> {
        let Some(others) = self.others(hop, group)? else { return Ok(constant(false)) };
        Ok(column(row, link).eq(Expr::SubQuery(None, Box::new(others("id").into()))))
    }

    /// Selects a column of the visible related rows that match the group; None if no row is visible.
    fn others(
        &mut self,
        hop: &Hop,
        group: &Group,
    ) -> Result<Option<impl FnOnce(&str) -> SelectStatement + use<>>, QueryError> {
        self.aliases += 1;
        let other = format!("hop{}", self.aliases);
        let visible = match self.visible(hop, &other) {
            Rule::None => return Ok(None),
            rule => rule.condition(),
        };
        let below = self.group(group, &other)?;
        let table = hop.target.table;
        Ok(Some(move |name: &str| {
            let mut select = Query::select();
            select.expr(column(&other, name)).from_as(Alias::new(table), Alias::new(&other));
            select.cond_where(visible).cond_where(below);
            select
        }))
    }

    fn absence(&mut self, filter: &Filter, row: &str) -> Result<Expr, QueryError> {
        let mut rows = Group::default();
        rows.at(&filter.path);
        let outer = std::mem::replace(&mut self.is_negated, true);
        let no_row = Expr::from(self.group(&rows, row)?).not();
        self.is_negated = outer;
        if matches!(&filter.predicate, Predicate::Test(leaf, _) if leaf.column == "id") {
            // A row without id does not exist.
            return Ok(no_row);
        }
        let mut such = Group::default();
        such.at(&filter.path).predicates.push(filter.predicate.clone());
        Ok(no_row.or(Expr::from(self.group(&such, row)?)))
    }
}

/// Whether at most one object of this resource can match, because the conditions include a unique key: unique fields of
/// a description are unique in the database.
fn names_one(target: &Resource, group: &Group) -> bool {
    let names = |field: &Field| {
        group.predicates.iter().any(|predicate| {
            matches!(predicate, Predicate::Test(leaf, Test::Text(TextLookup::Exact, _)) if leaf.column == field.column)
        })
    };
    let alone = target.unique.iter().filter_map(|unique| match unique.fields {
        [name] => target.field(name),
        _ => None,
    });
    alone.filter(|field| !field.nullable).any(names)
}
