use async_trait::async_trait;
use hostler_database::Transaction;
use hostler_schema::{Actor, Resource, Rule, Sublist};
use serde_json::{Map, Value};

use crate::{CreatedObject, Edit, Engine, Error, Grantee, LoadedObject, ObjectKey, Record};

/// The context in which objects are serialized.
#[derive(Clone, Copy)]
pub struct RenderContext<'a> {
    /// The user who gets the response.
    pub actor: &'a Actor,
    /// Whether it is a detail view, which contains a little more than a list.
    pub detail: bool,
    /// Whether the object has just been created.
    pub created: bool,
    /// The sub-list in which it stands, with the parent's resource and id.
    pub below: Option<(&'static Resource, i64, &'static Sublist)>,
}

/// An object of a response that is being serialized.
pub struct ResponseObject {
    /// The row it comes from.
    pub loaded: LoadedObject,
    /// The JSON so far, without what the hooks add.
    pub json: Map<String, Value>,
}

impl ResponseObject {
    /// Adds to `summary_fields`.
    pub fn add_summary(&mut self, key: &str, value: Value) {
        insert_into(&mut self.json, "summary_fields", key, value);
    }

    /// Adds to `related`.
    pub fn add_related(&mut self, key: &str, value: Value) {
        insert_into(&mut self.json, "related", key, value);
    }
}

fn insert_into(json: &mut Map<String, Value>, part: &str, key: &str, value: Value) {
    if let Some(Value::Object(map)) = json.get_mut(part) {
        map.insert(key.to_owned(), value);
    }
}

/// What a resource does beyond its description. The defaults do nothing.
#[async_trait]
pub trait Hooks: Send + Sync {
    /// Before the transaction and after a first check of permission: slow work
    /// on what was sent, such as hashing a password.
    ///
    /// # Errors
    /// Any error: the request fails.
    async fn prepare(&self, _engine: &Engine, _edit: &mut Edit<'_>) -> Result<(), Error> {
        Ok(())
    }

    /// Rules about who may write which value, after the permission on the row is certain.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    fn authorize(&self, _edit: &Edit<'_>) -> Result<(), Error> {
        Ok(())
    }

    /// Rules about values that the description cannot express. May change the new values.
    ///
    /// # Errors
    /// Usually [`Error::Invalid`].
    async fn validate(&self, _engine: &Engine, _tx: &mut Transaction, _edit: &mut Edit<'_>) -> Result<(), Error> {
        Ok(())
    }

    /// In the transaction, after the row is written.
    ///
    /// # Errors
    /// Undoes the whole write.
    async fn after_save(
        &self,
        _engine: &Engine,
        _tx: &mut Transaction,
        _edit: &Edit<'_>,
        _id: i64,
    ) -> Result<(), Error> {
        Ok(())
    }

    /// In the transaction, before the row is deleted.
    ///
    /// # Errors
    /// Prevents the deletion.
    async fn before_delete(
        &self,
        _engine: &Engine,
        _tx: &mut Transaction,
        _actor: &Actor,
        _record: &Record,
    ) -> Result<(), Error> {
        Ok(())
    }

    /// Adds to objects that are about to be shown, all of one page at once, so
    /// that the number of queries does not depend on the page's size.
    ///
    /// # Errors
    /// Any error: the request fails.
    async fn enrich(
        &self,
        _engine: &Engine,
        _view: RenderContext<'_>,
        _page: &mut [ResponseObject],
    ) -> Result<(), Error> {
        Ok(())
    }

    /// On which rows of the table `row` the actor may start the action of this
    /// name, which stands in [`hostler_schema::Resource::unimplemented`].
    fn can_start(&self, _actor: &Actor, _action: &str, _row: &str) -> Rule {
        Rule::All
    }

    /// Adds to the answer of the request that created the object, and only there.
    fn extend_created(&self, _edit: &Edit<'_>, _json: &mut Map<String, Value>) {}

    /// Creates an object of a resource that is a view of other rows, and returns
    /// its id; `None` for a resource that has a table of its own.
    async fn create_override(
        &self,
        _engine: &Engine,
        _actor: &Actor,
        _body: &Map<String, Value>,
    ) -> Option<Result<i64, Error>> {
        None
    }

    /// Deletes an object of a resource that is a view of other rows; `None` for
    /// a resource that has a table of its own.
    async fn delete_override(
        &self,
        _engine: &Engine,
        _actor: &Actor,
        _target: &ObjectKey,
    ) -> Option<Result<(), Error>> {
        None
    }

    /// Rules about who may be granted roles of this object, beside the actor's right to grant them.
    ///
    /// # Errors
    /// Usually [`Error::BadRequestMsg`].
    async fn authorize_grant(
        &self,
        _engine: &Engine,
        _actor: &Actor,
        _object: i64,
        _grantee: Grantee,
    ) -> Result<(), Error> {
        Ok(())
    }

    /// The rows that the actor may copy, for a resource that is copyable.
    fn can_copy(&self, _actor: &Actor, _row: &str) -> Rule {
        Rule::None
    }

    /// Creates a copy of an object that the actor may copy, under another name.
    ///
    /// # Errors
    /// Any error: the request fails.
    async fn copy(
        &self,
        _engine: &Engine,
        _actor: &Actor,
        _original: &Record,
        _name: &Value,
    ) -> Result<CreatedObject, Error> {
        Err(Error::MethodNotAllowed)
    }

    /// Rules about which objects may be associated with this one, in the transaction of the association.
    ///
    /// # Errors
    /// Prevents the association, usually [`Error::BadRequestMsg`].
    async fn check_association(
        &self,
        _engine: &Engine,
        _tx: &mut Transaction,
        _parent: i64,
        _sublist: &'static Sublist,
        _id: i64,
    ) -> Result<(), Error> {
        Ok(())
    }

    /// In the transaction of an association, after it was added, or removed with `attach` false.
    ///
    /// # Errors
    /// Prevents the change.
    async fn after_association(
        &self,
        _tx: &mut Transaction,
        _parent: i64,
        _sublist: &'static Sublist,
        _id: i64,
        _attach: bool,
    ) -> Result<(), Error> {
        Ok(())
    }

    /// A POST to a sub-list whose description says [`hostler_schema::Post::GrantByHook`] or [`hostler_schema::Post::Hook`].
    ///
    /// # Errors
    /// Any error: the request fails.
    async fn post_sublist(
        &self,
        _engine: &Engine,
        _actor: &Actor,
        _parent: i64,
        _sublist: &'static Sublist,
        _body: &Map<String, Value>,
    ) -> Result<Option<Map<String, Value>>, Error> {
        Err(Error::MethodNotAllowed)
    }
}

/// A write in a user's name that does not depend on that user's permissions, such as a token for an authorization code,
/// or an update of a user from LDAP.
#[async_trait]
pub trait SystemWrite: Send + Sync {
    /// Before validation: sets values that clients cannot send.
    fn prefill(&self, _edit: &mut Edit<'_>) {}

    /// In the transaction, after the row is written: consumes the reason for the write, such as an authorization code,
    /// so that it cannot be used twice.
    ///
    /// # Errors
    /// Undoes the whole write; [`Error::Conflict`] if it was consumed already.
    async fn consume(&self, _engine: &Engine, _tx: &mut Transaction, _actor: &Actor, _id: i64) -> Result<(), Error> {
        Ok(())
    }
}

/// The hooks of a resource that needs none.
pub struct NoHooks;

impl Hooks for NoHooks {}
