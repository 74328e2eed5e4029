//! Reads of single objects, with the access rules.

use hostler_database::{Database, Error as DatabaseError, Row, Transaction, Type};
use hostler_schema::{Actor, Post, Resource, Rule, Sublist, column};
use sea_query::{Alias, Condition, ExprTrait, Query, SelectStatement};
use serde_json::{Map, Value as Json};

use crate::grants::require_administer_object;
use crate::hooks::{RenderContext, ResponseObject};
use crate::named_url;
use crate::permissions::require;
use crate::query::QueryError;
use crate::query_cache::{parameters, selection};
use crate::render::render;
use crate::select::{LoadedObject, ROW, RowDecoder, Selection, decode_stored, visible};
use crate::{Engine, Error, Record};

/// The object that a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectKey {
    /// By id.
    Id(i64),
    /// By natural key, as in a named URL.
    Name(String),
}

impl ObjectKey {
    /// Parses the second segment of a path. A number beyond 64 bits names no object.
    ///
    /// # Errors
    /// [`Error::NotFound`] if it can be neither an id nor a name of this resource.
    pub fn parse(resource: &'static Resource, text: &str) -> Result<Self, Error> {
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.parse().map(ObjectKey::Id).map_err(|_| Error::NotFound(Some(resource.label)));
        }
        if named_url::fits(resource, text) && !text.contains('\0') {
            return Ok(ObjectKey::Name(text.to_owned()));
        }
        Err(Error::NotFound(None))
    }

    fn condition(&self, resource: &'static Resource) -> Result<Condition, Error> {
        match self {
            ObjectKey::Id(id) => Ok(Condition::all().add(column(ROW, "id").eq(*id))),
            ObjectKey::Name(name) => named_url::condition(resource, name, ROW).ok_or(Error::NotFound(None)),
        }
    }
}

/// Reads from the database, or in a transaction.
pub(crate) enum Source<'a> {
    Database(&'a Database),
    Transaction(&'a mut Transaction),
}

impl Source<'_> {
    pub(crate) async fn read(&mut self, query: &SelectStatement, types: &[Type]) -> Result<Vec<Row>, DatabaseError> {
        match self {
            Source::Database(database) => database.read(query, types).await,
            Source::Transaction(transaction) => transaction.read(query, types).await,
        }
    }
}

/// Loads an object for an actor.
///
/// An object that exists but is hidden is 403 by id, as in AWX, and 404 by name, so that existing names are not
/// revealed.
pub(crate) async fn load(
    engine: &Engine,
    source: &mut Source<'_>,
    resource: &'static Resource,
    target: &ObjectKey,
    actor: &Actor,
) -> Result<LoadedObject, Error> {
    let locks = matches!(source, Source::Transaction(_));
    let (rows, reading) = match target {
        ObjectKey::Id(id) => {
            let cached = engine.query_cache.find(engine.database.dialect(), resource, actor, locks);
            let parameters = parameters(actor, *id);
            let rows = match source {
                Source::Database(database) => database.read_prepared(&cached.query, &parameters).await?,
                Source::Transaction(transaction) => transaction.read_prepared(&cached.query, &parameters).await?,
            };
            (rows, cached.reading.clone())
        }
        ObjectKey::Name(_) => {
            let selection = selection(resource, target.condition(resource)?, actor, locks);
            (source.read(&selection.query, &selection.types).await?, selection.reading)
        }
    };
    found(rows, &reading, resource, target)
}

/// Loads an object in a transaction and locks it, and then reads another query.
pub(crate) async fn load_and_read(
    engine: &Engine,
    transaction: &mut Transaction,
    (resource, id): (&'static Resource, i64),
    actor: &Actor,
    query: (&SelectStatement, &[Type]),
) -> Result<(LoadedObject, Vec<Row>), Error> {
    let cached = engine.query_cache.find(engine.database.dialect(), resource, actor, true);
    let (rows, others) = transaction.read_both((&cached.query, &parameters(actor, id)), query).await?;
    found(rows, &cached.reading, resource, &ObjectKey::Id(id)).map(|loaded| (loaded, others))
}

/// Loads an object in a transaction and commits it.
pub(crate) async fn load_and_commit(
    engine: &Engine,
    transaction: Transaction,
    resource: &'static Resource,
    id: i64,
    actor: &Actor,
) -> Result<LoadedObject, Error> {
    let cached = engine.query_cache.find(engine.database.dialect(), resource, actor, false);
    let rows = transaction.read_prepared_and_commit(&cached.query, &parameters(actor, id)).await?;
    found(rows, &cached.reading, resource, &ObjectKey::Id(id))
}

fn found(
    rows: Vec<Row>,
    reading: &RowDecoder,
    resource: &'static Resource,
    target: &ObjectKey,
) -> Result<LoadedObject, Error> {
    let mut rows = rows.into_iter().map(|row| reading.load(row));
    match target {
        ObjectKey::Id(_) => match rows.next() {
            None => Err(Error::NotFound(Some(resource.label))),
            Some(loaded) if loaded.visible => Ok(loaded),
            Some(_) => Err(Error::forbidden()),
        },
        ObjectKey::Name(name) => {
            let open = named_url::open_links(resource, name);
            let visible = rows.filter(|loaded| loaded.visible).collect();
            named_url::preferred(visible, |loaded: &LoadedObject| {
                open.iter().all(|link| loaded.record.integer(link).is_none())
            })
            .ok_or(Error::NotFound(Some(resource.label)))
        }
    }
}

/// The id of an object that the actor may see.
///
/// # Errors
/// As for [`Engine::show`].
pub async fn find_id(
    engine: &Engine,
    actor: &Actor,
    resource: &'static Resource,
    target: &ObjectKey,
) -> Result<i64, Error> {
    find_with_rules(engine, actor, resource, target, vec![]).await.map(|(id, _)| id)
}

/// The id of an object that the actor may see, and whether it matches each of these rules over the table [`ROW`], in
/// one statement.
pub(crate) async fn find_with_rules(
    engine: &Engine,
    actor: &Actor,
    resource: &'static Resource,
    target: &ObjectKey,
    rules: Vec<Rule>,
) -> Result<(i64, Vec<bool>), Error> {
    let may_see = visible(resource, actor).expression();
    let open = match target {
        ObjectKey::Id(_) => vec![],
        ObjectKey::Name(name) => named_url::open_links(resource, name),
    };
    let links_nowhere = open.iter().fold(Condition::all(), |all, link| all.add(column(ROW, link.column).is_null()));
    let mut types = vec![Type::Integer, Type::Boolean, Type::Boolean];
    types.extend(rules.iter().map(|_| Type::Boolean));
    let query = Query::select()
        .expr(column(ROW, "id"))
        .expr(may_see)
        .expr(if open.is_empty() { Rule::All.expression() } else { links_nowhere.into() })
        .exprs(rules.into_iter().map(Rule::expression))
        .from_as(Alias::new(resource.table), Alias::new(ROW))
        .cond_where(target.condition(resource)?)
        .and_where_option(resource.not_deleted(ROW))
        .to_owned();
    let rows = engine.read_with_rules(actor, query, &types).await?;
    let row = match target {
        ObjectKey::Id(_) => match rows.first() {
            None => return Err(Error::NotFound(Some(resource.label))),
            Some(row) if row.boolean(1) => row,
            Some(_) => return Err(Error::forbidden()),
        },
        ObjectKey::Name(_) => {
            let visible = rows.iter().filter(|row| row.boolean(1)).collect();
            named_url::preferred(visible, |row: &&Row| row.boolean(2)).ok_or(Error::NotFound(Some(resource.label)))?
        }
    };
    let id = row.integer(0).ok_or_else(|| Error::Internal(format!("a row of {} has no id", resource.table)))?;
    Ok((id, (3..types.len()).map(|position| row.boolean(position)).collect()))
}

impl Engine {
    /// An object as the actor sees it, with its version.
    ///
    /// # Errors
    /// [`Error::NotFound`] or [`Error::Forbidden`].
    pub async fn show(
        &self,
        actor: &Actor,
        resource: &'static Resource,
        target: &ObjectKey,
    ) -> Result<(Map<String, Json>, i64), Error> {
        let loaded = load(self, &mut Source::Database(&self.database), resource, target, actor).await?;
        let version = loaded.version;
        let view = RenderContext { actor, detail: true, created: false, below: None, whole_texts: true };
        let mut page = self.serialize_page(resource, vec![loaded], view).await?;
        let shown = page.pop().ok_or_else(|| Error::Internal("a hook dropped the object".into()))?;
        Ok((shown.json, version))
    }

    /// Those of these ids whose objects exist and that the actor may see, in one statement.
    ///
    /// # Errors
    /// Database errors.
    pub async fn visible_ids(
        &self,
        actor: &Actor,
        resource: &'static Resource,
        ids: &[i64],
    ) -> Result<Vec<i64>, Error> {
        let query = Query::select()
            .expr(column(ROW, "id"))
            .from_as(Alias::new(resource.table), Alias::new(ROW))
            .and_where(self.database.dialect().in_numbers(column(ROW, "id"), ids))
            .cond_where(visible(resource, actor).condition())
            .and_where_option(resource.not_deleted(ROW))
            .to_owned();
        Ok(self.read_with_rules_as(actor, query).await?)
    }

    /// The objects with the ids of this query, as a list shows them. The actor must be allowed to see them.
    ///
    /// # Errors
    /// Database errors, and those of hooks.
    pub async fn show_all(
        &self,
        actor: &Actor,
        resource: &'static Resource,
        ids: SelectStatement,
    ) -> Result<Vec<Map<String, Json>>, Error> {
        let selection = Selection::for_ids(resource, actor, ids);
        let rows = self.database.read(&selection.query, &selection.types).await?;
        let loaded = rows.into_iter().map(|row| selection.reading.load(row)).collect();
        let view = RenderContext { actor, detail: false, created: false, below: None, whole_texts: false };
        let page = self.serialize_page(resource, loaded, view).await?;
        Ok(page.into_iter().map(|shown| shown.json).collect())
    }

    /// Serializes loaded rows: the fields first, then object roles, then the keys of the hooks.
    pub(crate) async fn serialize_page(
        &self,
        resource: &'static Resource,
        loaded: Vec<LoadedObject>,
        view: RenderContext<'_>,
    ) -> Result<Vec<ResponseObject>, Error> {
        let mut page: Vec<ResponseObject> = loaded
            .into_iter()
            .map(|loaded| {
                let json = render(&loaded, view);
                ResponseObject { loaded, json }
            })
            .collect();
        if !page.is_empty() {
            if !resource.roles.is_empty() {
                crate::object_roles::show(self, resource, &mut page).await?;
            }
            self.enrich_summaries(resource, &mut page).await?;
            self.registry.hooks(resource).enrich(self, view, &mut page).await?;
        }
        Ok(page)
    }
}

impl Engine {
    /// Lets the hooks of linked resources add to the summaries of their objects.
    async fn enrich_summaries(&self, resource: &'static Resource, page: &mut [ResponseObject]) -> Result<(), Error> {
        for (link, target) in resource.summaries().filter(|(_, target)| target.summarized_by_hooks) {
            let mut summaries = vec![];
            for shown in page.iter_mut() {
                let Some(id) = shown.loaded.record.integer(link) else { continue };
                if let Some(Json::Object(all)) = shown.json.get_mut("summary_fields")
                    && let Some(Json::Object(summary)) = all.get_mut(link.name)
                {
                    summaries.push((id, summary));
                }
            }
            if !summaries.is_empty() {
                self.registry.hooks(target).enrich_summaries(self, &mut summaries).await?;
            }
        }
        Ok(())
    }

    /// The stored values of an object, independent of permissions: for handlers of actions, whose permission is checked before.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn stored_record(&self, resource: &'static Resource, id: i64) -> Result<Record, Error> {
        let (query, types) = Selection::stored(resource, id);
        let row = self.database.read(&query, &types).await?.into_iter().next();
        row.map(|row| decode_stored(resource, id, row)).ok_or(Error::NotFound(Some(resource.label)))
    }
}

impl From<QueryError> for Error {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::BadRequest(detail) => Error::BadRequest(detail),
            QueryError::Forbidden(detail) => Error::Forbidden(Some(detail)),
            QueryError::NotFound(_) => Error::InvalidPage,
        }
    }
}

impl Engine {
    /// Whether the actor may create objects of this resource, without looking at a body.
    ///
    /// # Errors
    /// Database errors.
    pub async fn can_create(&self, actor: &Actor, resource: &'static Resource) -> Result<bool, Error> {
        permitted(require(self, actor, resource.access.create(actor, &|_| None)).await)
    }

    /// Whether the actor may change this object.
    ///
    /// # Errors
    /// As for [`Engine::show`].
    pub async fn can_change(
        &self,
        actor: &Actor,
        resource: &'static Resource,
        target: &ObjectKey,
    ) -> Result<bool, Error> {
        load(self, &mut Source::Database(&self.database), resource, target, actor).await.map(|loaded| loaded.changeable)
    }

    /// Whether the actor may post to this sub-list.
    ///
    /// # Errors
    /// Database errors.
    pub async fn can_post_sublist(
        &self,
        actor: &Actor,
        (parent, id): (&'static Resource, i64),
        sublist: &'static Sublist,
    ) -> Result<bool, Error> {
        match sublist.post {
            Post::Refused => Ok(false),
            Post::GrantByHook | Post::Hook => Ok(true),
            Post::Associate(_) => self.can_change(actor, parent, &ObjectKey::Id(id)).await,
            Post::Grant(_) => permitted(require_administer_object(self, actor, parent, id).await),
            Post::Create(link) | Post::Own(link) => {
                let draft = |name: &str| (name == link).then_some(id);
                permitted(require(self, actor, (sublist.target)().access.create(actor, &draft)).await)
            }
        }
    }
}

/// Maps a permission error to false.
fn permitted(outcome: Result<(), Error>) -> Result<bool, Error> {
    match outcome {
        Ok(()) => Ok(true),
        Err(Error::Forbidden(_)) => Ok(false),
        Err(other) => Err(other),
    }
}
