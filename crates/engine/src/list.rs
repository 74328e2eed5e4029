//! Pages of lists, always of what the actor may see.

use hostler_database::{Dialect, Row, Type};
use hostler_schema::{Action, Actor, Parts, Resource, Rule, Sublist, column};
use sea_query::{Alias, Asterisk, Condition, Expr, ExprTrait, Func, Order, Query, SelectStatement};
use serde_json::{Map, Value as Json};

use crate::hooks::RenderContext;
use crate::query::{self, PageNumber};
use crate::read::Source;
use crate::select::{LoadedObject, ROW, Selection};
use crate::write::holds;
use crate::{Engine, Error};

/// Which objects a list is about.
#[derive(Clone, Copy)]
pub enum ListScope<'a> {
    /// All of the resource.
    All,
    /// Those below one object.
    Sublist(&'static Resource, i64, &'static Sublist),
    /// Those that meet a condition on the table `this`.
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
    /// A filter that cannot be understood or is not allowed, or a page that is not there.
    pub async fn list(
        &self,
        actor: &Actor,
        resource: &'static Resource,
        scope: ListScope<'_>,
        path: &str,
        pairs: &[(String, String)],
    ) -> Result<Map<String, Json>, Error> {
        let wanted = self.wanted(resource, pairs, actor).await?;
        let below = match scope {
            ListScope::Sublist(parent, id, sublist) => Some((parent, id, sublist)),
            _ => None,
        };
        let leads_to_all = match below.and_then(|(_, id, sublist)| Some((sublist.whole?)(Expr::val(id)))) {
            Some(condition) => holds(&mut Source::Database(&self.database), Rule::When(condition)).await?,
            None => false,
        };
        let scope = if leads_to_all { ListScope::All } else { scope };
        let is_everything = matches!(scope, ListScope::All) && wanted.filter.is_empty();
        let seen = Seen {
            table: resource.table,
            parts: match below {
                Some((_, _, sublist)) if sublist.visible_to_readers => vec![Part { rule: Rule::All, total: None }],
                _ => self.seen(resource, actor, is_everything, wanted.filter.is_empty()),
            },
            condition: Condition::all().add(scope.condition()).add(wanted.filter.clone()),
        };

        let size = wanted.page.size;
        let (number, known) = match wanted.page.number {
            PageNumber::At(number) => (number, None),
            PageNumber::Last => {
                let count = self.count(&seen).await?;
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
        // Which rows, first: what is told of each is asked of those only, not of all that are sorted or skipped.
        let ids = seen.ids(self.database.dialect(), order, limit, offset);
        let mut selection = Selection::for_ids(resource, actor, ids);
        for (expr, direction) in order {
            selection.query.order_by_expr(expr.clone(), direction.clone());
        }
        let mut rows = self.database.read(&selection.query, &selection.types).await?;
        if backwards.is_some() {
            rows.reverse();
        }
        if rows.is_empty() && number > 1 {
            return Err(Error::InvalidPage);
        }
        let loaded: Vec<LoadedObject> = rows.into_iter().map(|row| selection.reading.load(row)).collect();
        let count = match known {
            _ if !wanted.count => None,
            Some(count) => Some(count),
            // The last page tells the count by itself.
            None if (loaded.len() as u64) < size => Some((number - 1) * size + loaded.len() as u64),
            None => Some(self.count(&seen).await?),
        };

        let page = self
            .serialize_page(resource, loaded, RenderContext { actor, detail: false, created: false, below })
            .await?;
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

    /// What the actor sees, of all there is or of a part of it.
    fn seen(&self, resource: &'static Resource, actor: &Actor, is_everything: bool, is_unfiltered: bool) -> Vec<Part> {
        let kept = |total| if is_everything { total } else { None };
        // What filters ask stands in each part, and SQLite takes no statement that names more than a thousand tables.
        let may_be_parted = is_unfiltered || self.database.dialect() == Dialect::Postgres;
        if let Some(Parts { whole, total: of_whole, .. }) = resource.access.parts(actor, ROW).filter(|_| may_be_parted)
        {
            let whole = Part { rule: Rule::When(whole), total: kept(Some(of_whole)) };
            let others = |row: &str| resource.access.parts(actor, row).map_or(Rule::None, |parts| parts.others);
            return vec![whole, Part { rule: self.gathered(resource, others), total: None }];
        }
        let rule = self.gathered(resource, |row| resource.access.rows(actor, Action::Read, row));
        let total = match rule {
            Rule::All => kept(resource.total.map(|total| total())),
            _ => None,
        };
        vec![Part { rule, total }]
    }

    /// The rows for which a rule, which is told what they are called, extends to a list. SQLite plans it as it stands.
    /// PostgreSQL, which takes what it cannot know for few rows or for many at random, is told to gather them first, so
    /// that what a list takes depends on them alone.
    fn gathered(&self, resource: &'static Resource, rule: impl Fn(&str) -> Rule) -> Rule {
        const SEEN: &str = "visible";
        if self.database.dialect() == Dialect::Sqlite {
            return rule(ROW);
        }
        match rule(SEEN) {
            rule @ Rule::When(_) => {
                let ids = rule.ids(resource.table, SEEN);
                Rule::When(self.database.dialect().in_array(column(ROW, "id"), vec![ids]))
            }
            rule => rule,
        }
    }

    async fn count(&self, seen: &Seen) -> Result<u64, Error> {
        Ok(number(&self.database.read(&seen.count(), &[Type::Integer]).await?))
    }
}

/// The rows of a list: those of either part that meet the condition.
struct Seen {
    table: &'static str,
    parts: Vec<Part>,
    condition: Condition,
}

/// Rows of a table, none of which is in another part.
struct Part {
    rule: Rule,
    /// How many there are, if all are wanted and the database keeps the number.
    total: Option<Expr>,
}

impl Seen {
    /// A selection from the rows of this part.
    fn select(&self, part: &Part) -> SelectStatement {
        Query::select()
            .from_as(Alias::new(self.table), Alias::new(ROW))
            .cond_where(part.rule.clone().condition())
            .cond_where(self.condition.clone())
            .to_owned()
    }

    /// The ids of a page. Of several parts as many are taken as may be on it, each by an index if there is one for the
    /// order, and the page is made of these.
    fn ids(&self, dialect: Dialect, order: &[(Expr, Order)], limit: u64, offset: u64) -> SelectStatement {
        let page_of = |mut rows: SelectStatement, limit| {
            rows.expr(column(ROW, "id"));
            for (expr, direction) in order {
                rows.order_by_expr(expr.clone(), direction.clone());
            }
            rows.limit(limit).to_owned()
        };
        let rows = match self.parts.as_slice() {
            [part] => self.select(part),
            parts => {
                let most = limit.saturating_add(offset);
                let first = parts.iter().map(|part| page_of(self.select(part), most)).collect();
                Query::select()
                    .from_as(Alias::new(self.table), Alias::new(ROW))
                    .and_where(dialect.in_array(column(ROW, "id"), first))
                    .to_owned()
            }
        };
        let mut ids = page_of(rows, limit);
        if offset > 0 {
            ids.offset(offset);
        }
        ids
    }

    /// How many rows there are.
    fn count(&self) -> SelectStatement {
        let of_part = |part: &Part| match &part.total {
            Some(total) => Query::select().expr(total.clone()).to_owned(),
            // Of the rows, not of a column: so SQLite counts a whole table by its pages.
            None => self.select(part).expr(Func::count(Expr::col(Asterisk))).to_owned(),
        };
        match self.parts.as_slice() {
            [part] => of_part(part),
            parts => {
                let counts = parts.iter().map(|part| Expr::SubQuery(None, Box::new(of_part(part).into())));
                let sum = counts.reduce(|sum, count| sum.add(count));
                Query::select().expr(sum.unwrap_or(Expr::Constant(0i64.into()))).to_owned()
            }
        }
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
