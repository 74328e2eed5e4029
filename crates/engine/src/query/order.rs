//! `order_by=name,-id`, also by fields of linked objects.

use hostler_database::Dialect;
use hostler_schema::{Join, Resource, column};
use sea_query::{Alias, Expr, ExprTrait, Order, Query};

use super::QueryError;
use super::join::Compiler;
use super::limits::Budget;
use super::lookup::Leaf;
use super::parse::resolve;
use crate::links::{Hop, Links};

/// The ORDER BY of a list. It always ends with the id, so that pages neither overlap nor skip rows. The direction of
/// the id is that of the previous term, so that an index is read in one direction.
pub(super) fn order(
    links: &Links,
    resource: &'static Resource,
    values: &[&str],
    budget: &mut Budget,
    compiler: &mut Compiler<'_>,
    row: &str,
) -> Result<Vec<(Expr, Order)>, QueryError> {
    let mut terms = Vec::new();
    let mut has_id = false;
    let mut seen: Vec<&str> = Vec::new();
    for term in values.iter().flat_map(|value| value.split(',')).map(str::trim).filter(|term| !term.is_empty()) {
        let (name, order) = match term.strip_prefix('-') {
            Some(name) => (name, Order::Desc),
            None => (term, Order::Asc),
        };
        budget.parameter()?;
        let (path, leaf) = resolve(links, resource, &name.split("__").collect::<Vec<_>>())?.column();
        // After the id, or with a repeated field, the order is already complete.
        if has_id || seen.contains(&name) {
            continue;
        }
        seen.push(name);
        budget.path(path.len())?;
        has_id = path.is_empty() && leaf.column == "id";
        // Only in lists of this resource, not for the linked rows.
        let leaf = match leaf.ordered_by.filter(|_| path.is_empty()) {
            Some(column) => Leaf { column, nullable: false, ..leaf },
            None => leaf,
        };
        has_id |= path.is_empty() && leaf.column == "id";
        let Some(expression) = scalar(&path, leaf, name, compiler, row)? else {
            continue;
        };
        // PostgreSQL sorts NULL as the greatest value, SQLite as the least.
        if compiler.dialect() == Dialect::Sqlite && (leaf.nullable || !path.is_empty()) && !has_id {
            terms.push((expression.clone().is_null(), order.clone()));
        }
        terms.push((expression, order));
    }
    if !has_id {
        let direction = terms.last().map_or(Order::Asc, |(_, direction)| direction.clone());
        terms.push((column(row, "id"), direction));
    }
    Ok(terms)
}

/// The expression to sort by; None if it is NULL for every row.
fn scalar(
    path: &[Hop],
    leaf: Leaf,
    name: &str,
    compiler: &mut Compiler<'_>,
    row: &str,
) -> Result<Option<Expr>, QueryError> {
    let Some((hop, rest)) = path.split_first() else {
        return Ok(leaf.expression(row));
    };
    // A row of another type than the variant has no such value.
    if matches!(hop.join, Join::SameRow) && hop.target.own_type().is_none() {
        return scalar(rest, leaf, name, compiler, row);
    }
    if !matches!(hop.join, Join::Column(_) | Join::SameRow | Join::Role { .. }) {
        let problem = format!("Cannot order by '{name}': {} may lead to several objects.", hop.name);
        return Err(QueryError::bad(problem));
    }
    let Some((other, condition)) = compiler.reach(hop, row) else {
        return Ok(None);
    };
    let Some(value) = scalar(rest, leaf, name, compiler, &other)? else {
        return Ok(None);
    };
    let mut select = Query::select();
    select.expr(value).from_as(Alias::new(hop.target.table), Alias::new(&other)).cond_where(condition);
    Ok(Some(Expr::SubQuery(None, Box::new(select.into()))))
}
