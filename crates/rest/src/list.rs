//! Pages of lists, always of what the actor may see.

use hostler_database::{Dialect, Row, Type};
use hostler_resource::{Action, Actor, Resource, Rule, Sublist, column};
use sea_query::{Alias, Asterisk, Condition, Expr, Func, Order, Query};
use serde_json::{Map, Value as Json};

use crate::hooks::View;
use crate::query::{self, PageNumber};
use crate::select::{Loaded, ROW, Selection, visible};
use crate::{Engine, Failure};

/// Which objects a list is about.
#[derive(Clone, Copy)]
pub enum Scope<'a> {
    /// All of the resource.
    All,
    /// Those below one object.
    Below(&'static Resource, i64, &'static Sublist),
    /// Those that meet a condition on the table `this`.
    Where(&'a Expr),
}

impl Scope<'_> {
    fn condition(&self) -> Condition {
        match self {
            Scope::All => Condition::all(),
            Scope::Below(_, id, sublist) => Condition::all().add(sublist.via.belongs_to(Expr::val(*id), ROW)),
            Scope::Where(condition) => Condition::all().add((*condition).clone()),
        }
    }
}

impl Engine {
    /// One page of a list: `count`, `next`, `previous` and `results`.
    ///
    /// # Errors
    /// A filter that cannot be understood or is not allowed, or a page that is not there.
    pub async fn list(
        &self,
        actor: &Actor,
        resource: &'static Resource,
        scope: Scope<'_>,
        path: &str,
        pairs: &[(String, String)],
    ) -> Result<Map<String, Json>, Failure> {
        let wanted = self.wanted(resource, pairs, actor).await?;
        let condition = Condition::all().add(scope.condition()).add(wanted.filter.clone());
        let is_everything = matches!(scope, Scope::All) && wanted.filter.is_empty();
        let seen = self.seen(resource, actor);
        let counted = || async {
            match (resource.total, seen.clone()) {
                (Some(total), Rule::All) if is_everything => self.total(total()).await,
                (_, rule) => self.count(resource, rule, condition.clone()).await,
            }
        };
        // Which rows, first: what is told of each is asked of those only, not of all that are sorted or skipped.
        let mut ids = Query::select();
        ids.expr(column(ROW, "id"))
            .from_as(Alias::new(resource.table), Alias::new(ROW))
            .cond_where(seen.clone().condition())
            .cond_where(condition.clone());

        let size = wanted.page.size;
        let (number, known) = match wanted.page.number {
            PageNumber::At(number) => (number, None),
            PageNumber::Last => {
                let count = counted().await?;
                (Ord::max(count.div_ceil(size), 1), Some(count))
            }
        };
        let skipped = (number - 1).saturating_mul(size);
        // The last page is the first one from the other end: nothing is read only to be skipped.
        let backwards = known.and_then(|count| Some((reversed(&wanted.order)?, count.saturating_sub(skipped))));
        let (order, limit, offset) = match &backwards {
            Some((order, rest)) => (order, *rest, 0),
            None => (&wanted.order, size, skipped),
        };
        for (expr, direction) in order {
            ids.order_by_expr(expr.clone(), direction.clone());
        }
        ids.limit(limit);
        if offset > 0 {
            ids.offset(offset);
        }
        let mut selection = Selection::of(resource, actor, ids);
        for (expr, direction) in order {
            selection.query.order_by_expr(expr.clone(), direction.clone());
        }
        let mut rows = self.database.read(&selection.query, &selection.types).await?;
        if backwards.is_some() {
            rows.reverse();
        }
        if rows.is_empty() && number > 1 {
            return Err(Failure::InvalidPage);
        }
        let loaded: Vec<Loaded> = rows.into_iter().map(|row| selection.reading.load(row)).collect();
        let count = match known {
            _ if !wanted.count => None,
            Some(count) => Some(count),
            // The last page tells the count by itself.
            None if (loaded.len() as u64) < size => Some((number - 1) * size + loaded.len() as u64),
            None => Some(counted().await?),
        };

        let below = match scope {
            Scope::Below(parent, id, sublist) => Some((parent, id, sublist)),
            _ => None,
        };
        let page = self.dress(resource, loaded, View { actor, detail: false, created: false, below }).await?;
        let mut answer = Map::new();
        if let Some(count) = count {
            let next = (number * size < count).then(|| query::page_link(path, pairs, number + 1));
            let previous = (number > 1).then(|| query::page_link(path, pairs, number - 1));
            answer.insert("count".into(), count.into());
            answer.insert("next".into(), next.into());
            answer.insert("previous".into(), previous.into());
        }
        answer.insert("results".into(), page.into_iter().map(|shown| Json::Object(shown.json)).collect());
        Ok(answer)
    }

    /// The rows that the actor sees. SQLite plans a rule as it stands. PostgreSQL, which takes what it cannot know for
    /// few rows or for many at random, is told to gather them first, so that what a list takes depends on them alone.
    fn seen(&self, resource: &'static Resource, actor: &Actor) -> Rule {
        const SEEN: &str = "visible";
        if self.database.dialect() == Dialect::Sqlite || resource.access.sees_most(actor) {
            return visible(resource, actor);
        }
        match resource.access.rows(actor, Action::Read, SEEN) {
            rule @ Rule::When(_) => {
                let ids = Expr::SubQuery(None, Box::new(rule.ids(resource.table, SEEN).into()));
                Rule::When(Expr::cust_with_exprs("$1 = ANY(ARRAY($2))", [column(ROW, "id"), ids]))
            }
            rule => rule,
        }
    }

    /// The number of all rows, which the database keeps.
    async fn total(&self, total: Expr) -> Result<u64, Failure> {
        let rows = self.database.read(&Query::select().expr(total).to_owned(), &[Type::Integer]).await?;
        Ok(number(&rows))
    }

    /// The number of rows that the rule shows and that meet the condition.
    async fn count(&self, resource: &'static Resource, rule: Rule, condition: Condition) -> Result<u64, Failure> {
        let query = Query::select()
            // Of the rows, not of a column: so SQLite counts a whole table by its pages.
            .expr(Func::count(Expr::col(Asterisk)))
            .from_as(Alias::new(resource.table), Alias::new(ROW))
            .cond_where(rule.condition())
            .cond_where(condition)
            .to_owned();
        Ok(number(&self.database.read(&query, &[Type::Integer]).await?))
    }
}

/// The order from the other end. NULLs change ends too: that of each term is its own on both databases.
fn reversed(order: &[(Expr, Order)]) -> Option<Vec<(Expr, Order)>> {
    let turned = |(expr, order): &(Expr, Order)| match order {
        Order::Asc => Some((expr.clone(), Order::Desc)),
        Order::Desc => Some((expr.clone(), Order::Asc)),
        _ => None,
    };
    order.iter().map(turned).collect()
}

/// The one number that a query counts.
fn number(rows: &[Row]) -> u64 {
    rows.first().and_then(|row| row.integer(0)).and_then(|count| count.try_into().ok()).unwrap_or(0)
}
