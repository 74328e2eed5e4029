//! Lists and single objects, always through what the actor may see.

use hostler_database::{Database, Dialect, Error, Row, Transaction, Type};
use hostler_resource::{Action, Actor, Post, Resource, Rule, Sublist, column};
use sea_query::{Alias, Asterisk, Condition, Expr, ExprTrait, Func, Order, Query, SelectStatement};
use serde_json::{Map, Value as Json};

use crate::grants::require_administer_object;
use crate::hooks::{Shown, View};
use crate::loads::{selection, told};
use crate::named_url;
use crate::query::{self, PageNumber, QueryError};
use crate::render::render;
use crate::select::{Loaded, ROW, Reading, Selection, visible};
use crate::write::require;
use crate::{Engine, Failure};

/// Which object a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// By its id.
    Id(i64),
    /// By its natural key, as in a named URL.
    Name(String),
}

impl Target {
    /// Reads the second part of a path. A number beyond 64 bits names no object.
    ///
    /// # Errors
    /// [`Failure::NotFound`] if it can be neither an id nor a name of this resource.
    pub fn parse(resource: &'static Resource, text: &str) -> Result<Self, Failure> {
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.parse().map(Target::Id).map_err(|_| Failure::NotFound(Some(resource.label)));
        }
        if named_url::fits(resource, text) && !text.contains('\0') {
            return Ok(Target::Name(text.to_owned()));
        }
        Err(Failure::NotFound(None))
    }

    fn condition(&self, resource: &'static Resource) -> Result<Condition, Failure> {
        match self {
            Target::Id(id) => Ok(Condition::all().add(column(ROW, "id").eq(*id))),
            Target::Name(name) => named_url::condition(resource, name, ROW).ok_or(Failure::NotFound(None)),
        }
    }
}

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

/// Reads from the database, or inside a write.
pub(crate) enum Source<'a> {
    Database(&'a Database),
    Transaction(&'a mut Transaction),
}

impl Source<'_> {
    pub(crate) async fn read(&mut self, query: &SelectStatement, types: &[Type]) -> Result<Vec<Row>, Error> {
        match self {
            Source::Database(database) => database.read(query, types).await,
            Source::Transaction(transaction) => transaction.read(query, types).await,
        }
    }
}

/// Loads one object for an actor.
///
/// An object that exists but may not be seen is 403 by id, as in AWX, and 404
/// by name, so that nobody can find out which names exist.
pub(crate) async fn load(
    engine: &Engine,
    source: &mut Source<'_>,
    resource: &'static Resource,
    target: &Target,
    actor: &Actor,
) -> Result<Loaded, Failure> {
    let locks = matches!(source, Source::Transaction(_));
    let (rows, reading) = match target {
        Target::Id(id) => {
            let load = engine.loads.find(engine.database.dialect(), resource, actor, locks);
            let told = told(actor, *id);
            let rows = match source {
                Source::Database(database) => database.ask(&load.question, &told).await?,
                Source::Transaction(transaction) => transaction.ask(&load.question, &told).await?,
            };
            (rows, load.reading)
        }
        Target::Name(_) => {
            let selection = selection(resource, target.condition(resource)?, actor, locks);
            (source.read(&selection.query, &selection.types).await?, selection.reading)
        }
    };
    found(rows, reading, resource, target)
}

/// Loads an object of a transaction, which ends with that.
pub(crate) async fn load_and_commit(
    engine: &Engine,
    transaction: Transaction,
    resource: &'static Resource,
    id: i64,
    actor: &Actor,
) -> Result<Loaded, Failure> {
    let load = engine.loads.find(engine.database.dialect(), resource, actor, false);
    let rows = transaction.ask_and_commit(&load.question, &told(actor, id)).await?;
    found(rows, load.reading, resource, &Target::Id(id))
}

fn found(rows: Vec<Row>, reading: Reading, resource: &'static Resource, target: &Target) -> Result<Loaded, Failure> {
    let loaded = rows.into_iter().next().map(|row| reading.load(row)).ok_or(Failure::NotFound(Some(resource.label)))?;
    match (loaded.visible, target) {
        (true, _) => Ok(loaded),
        (false, Target::Id(_)) => Err(Failure::forbidden()),
        (false, Target::Name(_)) => Err(Failure::NotFound(Some(resource.label))),
    }
}

/// The id of an object that the actor may see.
///
/// # Errors
/// As for showing the object: unknown, or not to be seen.
pub async fn find_id(
    engine: &Engine,
    actor: &Actor,
    resource: &'static Resource,
    target: &Target,
) -> Result<i64, Failure> {
    let may_see = visible(resource, actor).expression();
    let query = Query::select()
        .expr(column(ROW, "id"))
        .expr(may_see)
        .from_as(Alias::new(resource.table), Alias::new(ROW))
        .cond_where(target.condition(resource)?)
        .to_owned();
    let rows = engine.database.read(&query, &[Type::Integer, Type::Boolean]).await?;
    let row = rows.first().ok_or(Failure::NotFound(Some(resource.label)))?;
    match (row.integer(0), row.boolean(1), target) {
        (Some(id), true, _) => Ok(id),
        (_, _, Target::Id(_)) => Err(Failure::forbidden()),
        _ => Err(Failure::NotFound(Some(resource.label))),
    }
}

impl Engine {
    /// One object as the actor sees it, with its version.
    ///
    /// # Errors
    /// [`Failure::NotFound`] or [`Failure::Forbidden`].
    pub async fn show(
        &self,
        actor: &Actor,
        resource: &'static Resource,
        target: &Target,
    ) -> Result<(Map<String, Json>, i64), Failure> {
        let loaded = load(self, &mut Source::Database(&self.database), resource, target, actor).await?;
        let version = loaded.version;
        let view = View { actor, detail: true, created: false, below: None };
        let mut page = self.dress(resource, vec![loaded], view).await?;
        let shown = page.pop().ok_or_else(|| Failure::Internal("a hook dropped the object".into()))?;
        Ok((shown.json, version))
    }

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

    /// Turns loaded rows into answers: the description first, then object roles, then the hooks.
    pub(crate) async fn dress(
        &self,
        resource: &'static Resource,
        loaded: Vec<Loaded>,
        view: View<'_>,
    ) -> Result<Vec<Shown>, Failure> {
        let mut page: Vec<Shown> = loaded
            .into_iter()
            .map(|loaded| {
                let json = render(&loaded, view);
                Shown { loaded, json }
            })
            .collect();
        if !page.is_empty() {
            if !resource.roles.is_empty() {
                crate::object_roles::show(self, resource, &mut page).await?;
            }
            self.registry.hooks(resource).enrich(self, view, &mut page).await?;
        }
        Ok(page)
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

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::BadRequest(detail) => Failure::BadRequest(detail),
            QueryError::Forbidden(detail) => Failure::Forbidden(Some(detail)),
            QueryError::NotFound(_) => Failure::InvalidPage,
        }
    }
}

impl Engine {
    /// Whether the actor may create objects of this resource, as far as can be told without a body.
    ///
    /// # Errors
    /// What the database says.
    pub async fn may_create(&self, actor: &Actor, resource: &'static Resource) -> Result<bool, Failure> {
        permitted(require(self, resource.access.create(actor, &|_| None)).await)
    }

    /// Whether the actor may change this object.
    ///
    /// # Errors
    /// As for showing the object.
    pub async fn may_change(
        &self,
        actor: &Actor,
        resource: &'static Resource,
        target: &Target,
    ) -> Result<bool, Failure> {
        load(self, &mut Source::Database(&self.database), resource, target, actor).await.map(|loaded| loaded.changeable)
    }

    /// Whether the actor may post to this sub-list.
    ///
    /// # Errors
    /// What the database says.
    pub async fn may_post_below(
        &self,
        actor: &Actor,
        (parent, id): (&'static Resource, i64),
        sublist: &'static Sublist,
    ) -> Result<bool, Failure> {
        match sublist.post {
            Post::Refused => Ok(false),
            Post::Attach | Post::Hook => Ok(true),
            Post::Grant(_) => permitted(require_administer_object(self, actor, parent, id).await),
            Post::Create(link) => {
                let draft = |name: &str| (name == link).then_some(id);
                permitted(require(self, (sublist.target)().access.create(actor, &draft)).await)
            }
        }
    }
}

/// A refusal as a plain no.
fn permitted(outcome: Result<(), Failure>) -> Result<bool, Failure> {
    match outcome {
        Ok(()) => Ok(true),
        Err(Failure::Forbidden(_)) => Ok(false),
        Err(other) => Err(other),
    }
}
