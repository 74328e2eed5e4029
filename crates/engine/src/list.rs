//! Pages of lists, with the rows that the actor may see.

use hostler_database::{Dialect, Row, Type};
use hostler_schema::{Action, Actor, Resource, Rule, Sublist, column};
use sea_query::{Alias, Asterisk, Condition, Expr, ExprTrait, Func, Order, Query, SelectStatement};
use serde_json::{Map, Value as Json};

use crate::hooks::{RenderContext, ResponseObject};
use crate::permissions::is_met;
use crate::query::{self, PageNumber};
use crate::read::Source;
use crate::select::{LoadedObject, ROW, Selection};
use crate::{Engine, Error};

/// The objects of a list.
#[derive(Clone, Copy)]
pub enum ListScope<'a> {
    /// All objects of the resource.
    All,
    /// The objects of a sub-list.
    Sublist(&'static Resource, i64, &'static Sublist),
    /// The objects that match a condition on the table `this`.
    Filtered(&'a Expr),
}

impl ListScope<'_> {
    fn condition(&self) -> Condition {
        match self {
            ListScope::All => Condition::all(),
            ListScope::Sublist(_, id, sublist) => {
                Condition::all().add(sublist.join.condition_for_id(Expr::val(*id), ROW))
            }
            ListScope::Filtered(condition) => Condition::all().add((*condition).clone()),
        }
    }
}

impl Engine {
    /// One page of a list: `count`, `next`, `previous` and `results`.
    ///
    /// # Errors
    /// An invalid or forbidden filter, or a page that does not exist.
    pub async fn list(
        &self,
        actor: &Actor,
        resource: &'static Resource,
        scope: ListScope<'_>,
        path: &str,
        pairs: &[(String, String)],
    ) -> Result<Map<String, Json>, Error> {
        let below = match scope {
            ListScope::Sublist(parent, id, sublist) => Some((parent, id, sublist)),
            _ => None,
        };
        let hooks = self.registry.hooks(resource);
        let mut tests = Vec::new();
        for test in query::field_tests(&self.links, resource, pairs)? {
            if let Some(condition) = hooks.filter(self, below, &test, ROW).await? {
                tests.push((test, condition));
            }
        }
        let dialect = self.database.dialect();
        let mut list = query::parse_with(&self.links, resource, pairs, actor, dialect, ROW, &tests)?;
        if let Some(condition) = hooks.own_filter(self, actor, pairs, ROW)? {
            list.filter = list.filter.add(condition);
        }
        if let Some((_, parent, sublist)) = below
            && sublist.ordered
            && !pairs.iter().any(|(name, _)| name == "order_by" || name == "order")
            && let Some(position) = sublist.join.position(parent, ROW)
        {
            list.order.insert(0, (position, Order::Asc));
        }
        if below.is_some_and(|(_, _, sublist)| sublist.limited)
            && let Some(page) = query::first_rows(pairs)
        {
            (list.page, list.count) = (page, false);
        }
        let leads_to_all = match below.and_then(|(_, id, sublist)| Some((sublist.whole?)(Expr::val(id)))) {
            Some(condition) => is_met(&mut Source::Database(&self.database), actor, Rule::When(condition)).await?,
            None => false,
        };
        let scope = if leads_to_all { ListScope::All } else { scope };
        let found = match below {
            Some((parent, id, sublist)) => self.registry.hooks(parent).sublist_rows(self, id, sublist, ROW).await?,
            None => None,
        };
        let (scope, to_readers) = match found {
            Some(found) => (found.condition, found.visible_to_readers),
            None => (scope.condition(), below.is_some_and(|(_, _, sublist)| sublist.visible_to_readers)),
        };
        let visible = VisibleRows {
            table: resource.table,
            rule: if to_readers { Rule::All } else { self.visible_rows(resource, actor) },
            condition: all_of([scope, list.filter.clone()]),
        };

        let stored = if list.filter.is_empty() { hooks.count(self, below).await? } else { None };
        let size = list.page.size;
        let (number, known) = match list.page.number {
            PageNumber::At(number) => (number, None),
            PageNumber::Last => {
                let count = self.count(actor, &visible, stored).await?;
                (Ord::max(count.div_ceil(size), 1), Some(count))
            }
        };
        let skipped = (number - 1).saturating_mul(size);
        // The last page is read in reverse order, so that no skipped rows are read.
        let backwards = known.and_then(|count| Some((reversed(&list.order)?, count.saturating_sub(skipped))));
        let (order, limit, offset) = match &backwards {
            Some((order, rest)) => (order, *rest, 0),
            None => (&list.order, size, skipped),
        };
        // The ids of the page come first, so that the columns are computed for those rows only, not for all that are
        // sorted or skipped.
        let ids = visible.ids(order, limit, offset);
        let whole_texts = pairs.iter().any(|(key, _)| key == "no_truncate");
        let view = RenderContext { actor, detail: false, created: false, below, whole_texts };
        let page = match resource.variants {
            Some(variants) => self.page_of_variants(variants, ids, backwards.is_some(), view).await?,
            None => self.page(resource, ids, order, backwards.is_some(), view).await?,
        };
        if page.rows == 0 && number > 1 {
            return Err(Error::InvalidPage);
        }
        let count = match known {
            _ if !list.count => None,
            Some(count) => Some(count),
            // A page that is not full is the last one and gives the count.
            None if page.rows < size => Some((number - 1) * size + page.rows),
            None => Some(self.count(actor, &visible, stored).await?),
        };
        let mut answer = Map::new();
        if let Some(count) = count {
            let next = (number * size < count).then(|| query::page_link(path, pairs, number + 1));
            let previous = (number > 1).then(|| query::page_link(path, pairs, number - 1));
            answer.insert("count".into(), count.into());
            answer.insert("next".into(), next.into());
            answer.insert("previous".into(), previous.into());
        }
        answer.insert("results".into(), page.objects.into_iter().map(|shown| Json::Object(shown.json)).collect());
        Ok(answer)
    }

    /// The page with the ids that this query selects; `backwards` reverses the order.
    async fn page(
        &self,
        resource: &'static Resource,
        ids: SelectStatement,
        order: &[(Expr, Order)],
        backwards: bool,
        view: RenderContext<'_>,
    ) -> Result<LoadedPage, Error> {
        let mut selection = Selection::for_ids(resource, view.actor, ids);
        for (expr, direction) in order {
            selection.query.order_by_expr(expr.clone(), direction.clone());
        }
        let mut rows = self.database.read(&selection.query, &selection.types).await?;
        if backwards {
            rows.reverse();
        }
        let loaded: Vec<LoadedObject> = rows.into_iter().map(|row| selection.reading.load(row)).collect();
        let rows = loaded.len() as u64;
        Ok(LoadedPage { rows, objects: self.serialize_page(resource, loaded, view).await? })
    }

    /// The rule for the rows of a list. SQLite uses that of the resource unchanged. PostgreSQL cannot estimate how many rows
    /// it matches, and would choose a plan for few or for many at random: it materializes the visible ids first, so that
    /// the cost of a list depends on them alone. With variants SQLite does so too: it would search by type instead.
    fn visible_rows(&self, resource: &'static Resource, actor: &Actor) -> Rule {
        const VISIBLE: &str = "visible";
        let dialect = self.database.dialect();
        if (dialect == Dialect::Sqlite && resource.variant_column().is_none()) || resource.visible_rows_by_row {
            return resource.access.rows(actor, Action::Read, ROW);
        }
        let visible = |resource: &'static Resource| match resource.access.rows(actor, Action::Read, VISIBLE) {
            rule @ Rule::When(_) => Rule::When(dialect.in_array(column(ROW, "id"), rule.ids(resource.table, VISIBLE))),
            rule => rule,
        };
        let Some(variants) = resource.variants else { return visible(resource) };
        let rules: Vec<(&str, Rule)> = variants.iter().map(|variant| (variant.name, visible(variant))).collect();
        if rules.iter().all(|(_, rule)| matches!(rule, Rule::All)) {
            return Rule::All;
        }
        rules.into_iter().fold(Rule::None, |all, (name, rule)| match rule {
            Rule::All => all.or(Rule::When(column(ROW, variants.column).eq(name))),
            rule => all.or(rule),
        })
    }

    /// The number of rows, unless it is stored.
    async fn count(&self, actor: &Actor, rows: &VisibleRows, stored: Option<u64>) -> Result<u64, Error> {
        if let Some(count) = stored {
            return Ok(count);
        }
        Ok(number(&self.read_with_rules(actor, rows.count(), &[Type::Integer]).await?))
    }
}

/// A page of a list.
pub(crate) struct LoadedPage {
    /// The number of selected rows.
    pub rows: u64,
    /// The objects. There are fewer of them if some were deleted before they were loaded.
    pub objects: Vec<ResponseObject>,
}

/// The rows of a list.
struct VisibleRows {
    table: &'static str,
    rule: Rule,
    condition: Condition,
}

impl VisibleRows {
    fn select(&self) -> SelectStatement {
        let mut rows = Query::select().from_as(Alias::new(self.table), Alias::new(ROW)).to_owned();
        let condition = all_of([self.rule.clone().condition(), self.condition.clone()]);
        if !condition.is_empty() {
            rows.cond_where(condition);
        }
        rows
    }

    /// The ids of a page.
    fn ids(&self, order: &[(Expr, Order)], limit: u64, offset: u64) -> SelectStatement {
        let mut ids = self.select();
        ids.expr(column(ROW, "id")).limit(limit);
        for (expr, direction) in order {
            ids.order_by_expr(expr.clone(), direction.clone());
        }
        if offset > 0 {
            ids.offset(offset);
        }
        ids
    }

    /// The number of rows.
    fn count(&self) -> SelectStatement {
        // count(*) and not a column: SQLite then counts a whole table by its pages.
        self.select().expr(Func::count(Expr::col(Asterisk))).to_owned()
    }
}

/// All conditions together. Empty ones are left out: as `TRUE` in a WHERE they would keep SQLite from counting a table by
/// its pages.
fn all_of(conditions: [Condition; 2]) -> Condition {
    conditions.into_iter().filter(|condition| !condition.is_empty()).fold(Condition::all(), Condition::add)
}

/// The reversed order. The positions of NULLs are reversed too, as each term defines them on both databases.
fn reversed(order: &[(Expr, Order)]) -> Option<Vec<(Expr, Order)>> {
    let turned = |(expr, order): &(Expr, Order)| match order {
        Order::Asc => Some((expr.clone(), Order::Desc)),
        Order::Desc => Some((expr.clone(), Order::Asc)),
        _ => None,
    };
    order.iter().map(turned).collect()
}

/// The result of a count query.
fn number(rows: &[Row]) -> u64 {
    rows.first().and_then(|row| row.integer(0)).and_then(|count| count.try_into().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use sea_query::SqliteQueryBuilder;

    use super::*;

    #[test]
    fn count_without_filters_has_no_where_clause() {
        let condition = all_of([ListScope::All.condition(), Condition::all()]);
        let rows = VisibleRows { table: "users", rule: Rule::All, condition };
        assert_eq!(rows.count().to_string(SqliteQueryBuilder), r#"SELECT COUNT(*) FROM "users" AS "this""#);
    }
}
