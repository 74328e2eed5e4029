//! Single objects, always through what the actor may see.

use hostler_database::{Database, Error, Row, Transaction, Type};
use hostler_schema::{Actor, Post, Resource, Sublist, column};
use sea_query::{Alias, Condition, ExprTrait, Query, SelectStatement};
use serde_json::{Map, Value as Json};

use crate::grants::require_administer_object;
use crate::hooks::{Shown, View};
use crate::named_url;
use crate::query::QueryError;
use crate::query_cache::{parameters, selection};
use crate::render::render;
use crate::select::{Loaded, ROW, Reading, visible};
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
            let cached = engine.query_cache.find(engine.database.dialect(), resource, actor, locks);
            let parameters = parameters(actor, *id);
            let rows = match source {
                Source::Database(database) => database.read_prepared(&cached.query, &parameters).await?,
                Source::Transaction(transaction) => transaction.read_prepared(&cached.query, &parameters).await?,
            };
            (rows, cached.reading)
        }
        Target::Name(_) => {
            let selection = selection(resource, target.condition(resource)?, actor, locks);
            (source.read(&selection.query, &selection.types).await?, selection.reading)
        }
    };
    found(rows, reading, resource, target)
}

/// Loads an object in a transaction and commits it.
pub(crate) async fn load_and_commit(
    engine: &Engine,
    transaction: Transaction,
    resource: &'static Resource,
    id: i64,
    actor: &Actor,
) -> Result<Loaded, Failure> {
    let cached = engine.query_cache.find(engine.database.dialect(), resource, actor, false);
    let rows = transaction.read_prepared_and_commit(&cached.query, &parameters(actor, id)).await?;
    found(rows, cached.reading, resource, &Target::Id(id))
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
    /// Whether the actor may create objects of this resource, as far as can be known without a body.
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
