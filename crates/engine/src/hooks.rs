use async_trait::async_trait;
use hostler_database::Transaction;
use hostler_schema::{Actor, Resource, Sublist};
use sea_query::{Condition, Expr};
use serde_json::{Map, Value};

use crate::query::FieldTest;
use crate::{ActionHandler, Edit, Engine, Error, Grantee, LoadedObject, ObjectKey, Record};

/// The context in which objects are serialized.
#[derive(Clone, Copy)]
pub struct RenderContext<'a> {
    /// The user who gets the response.
    pub actor: &'a Actor,
    /// Whether the response is a detail view, which contains more than a list.
    pub detail: bool,
    /// Whether the object has just been created.
    pub created: bool,
    /// Whether long texts are not cut: in a detail view, and in a list with `no_truncate`.
    pub whole_texts: bool,
    /// The sub-list of the object, with the parent's resource and id.
    pub below: Option<(&'static Resource, i64, &'static Sublist)>,
}

/// The rows of a sub-list that hooks find.
pub struct SublistRows {
    /// The condition on the rows.
    pub condition: Condition,
    /// Whether all who see the parent see them; otherwise the access rules of the rows apply.
    pub visible_to_readers: bool,
}

/// An object that is being serialized.
pub struct ResponseObject {
    /// The loaded row.
    pub loaded: LoadedObject,
    /// The JSON, without the keys of the hooks.
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

/// The behaviour of a resource beyond its description. The defaults do nothing.
#[async_trait]
pub trait Hooks: Send + Sync {
    /// Before the transaction and after a first permission check: slow work on the body, such as hashing a password.
    ///
    /// # Errors
    /// Any error: the request fails.
    async fn prepare(&self, _engine: &Engine, _edit: &mut Edit<'_>) -> Result<(), Error> {
        Ok(())
    }

    /// Rules for writing certain values, after the permission on the row was checked.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    fn authorize(&self, _edit: &Edit<'_>) -> Result<(), Error> {
        Ok(())
    }

    /// Sets values that follow from others, such as the organization that follows from a link. The linked objects exist;
    /// unique constraints are checked afterwards.
    ///
    /// # Errors
    /// Any error: the request fails.
    async fn derive(&self, _engine: &Engine, _tx: &mut Transaction, _edit: &mut Edit<'_>) -> Result<(), Error> {
        Ok(())
    }

    /// Validation that the description cannot express. May change the new values.
    ///
    /// # Errors
    /// Usually [`Error::Invalid`].
    async fn validate(&self, _engine: &Engine, _tx: &mut Transaction, _edit: &mut Edit<'_>) -> Result<(), Error> {
        Ok(())
    }

    /// In the transaction, after the row is written.
    ///
    /// # Errors
    /// Rolls back the whole write.
    async fn after_save(
        &self,
        _engine: &Engine,
        _tx: &mut Transaction,
        _edit: &Edit<'_>,
        _id: i64,
    ) -> Result<(), Error> {
        Ok(())
    }

    /// After the commit of a creation or of a change.
    fn after_commit(&self, _engine: &Engine) {}

    /// The rows of the table `unified_jobs` that use the object: it is not deleted while one of them is not finished.
    fn jobs_that_use(&self, _record: &Record) -> Option<Expr> {
        None
    }

    /// In the transaction, before the row is deleted. Those of a base resource come first, for objects of all its variants.
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

    /// Adds keys to objects that are about to be serialized, all of one page at once, so that the number of statements
    /// does not depend on the size of the page.
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

    /// The condition on listed rows, under the alias `row`, for a test of a field that is
    /// [`filtered_by_hooks`](hostler_schema::Field::filtered_by_hooks); `None` to compare the field's column. `below` is
    /// the sub-list that is read, with the parent's resource and id.
    ///
    /// # Errors
    /// The request fails.
    async fn filter(
        &self,
        _engine: &Engine,
        _below: Option<(&'static Resource, i64, &'static Sublist)>,
        _test: &FieldTest,
        _row: &str,
    ) -> Result<Option<Expr>, Error> {
        Ok(None)
    }

    /// The number of rows of a list without filters, if it is stored and the actor sees all of them.
    ///
    /// # Errors
    /// The request fails.
    async fn count(
        &self,
        _engine: &Engine,
        _below: Option<(&'static Resource, i64, &'static Sublist)>,
    ) -> Result<Option<u64>, Error> {
        Ok(None)
    }

    /// Adds keys to the summaries of objects of this resource in other objects, all of one page at once. Called if the
    /// description says so ([`Resource::summarized_by_hooks`]).
    ///
    /// # Errors
    /// Any error: the request fails.
    async fn enrich_summaries(
        &self,
        _engine: &Engine,
        _summaries: &mut [(i64, &mut Map<String, Value>)],
    ) -> Result<(), Error> {
        Ok(())
    }

    /// The rows of a sub-list of this object, under the alias `row`, if its join does not say which.
    ///
    /// # Errors
    /// The list is not shown, for example because its content cannot be computed.
    async fn sublist_rows(
        &self,
        _engine: &Engine,
        _parent: i64,
        _sublist: &'static Sublist,
        _row: &str,
    ) -> Result<Option<SublistRows>, Error> {
        Ok(None)
    }

    /// The condition on listed rows, under the alias `row`, for the parameters that are
    /// [`own_parameters`](hostler_schema::Resource::own_parameters) of this resource; none if there are none among them.
    ///
    /// # Errors
    /// The request fails.
    fn own_filter(
        &self,
        _engine: &Engine,
        _actor: &Actor,
        _parameters: &[(String, String)],
        _row: &str,
    ) -> Result<Option<Condition>, Error> {
        Ok(None)
    }

    /// The handler of the action with this path.
    fn action_handler(&self, _path: &str) -> Option<&'static dyn ActionHandler> {
        None
    }

    /// Adds keys to the response of the request that created the object.
    fn extend_created(&self, _edit: &Edit<'_>, _json: &mut Map<String, Value>) {}

    /// Creates an object of a resource that is a view of other rows, and returns its id; `None` for a resource with its
    /// own table.
    async fn create_override(
        &self,
        _engine: &Engine,
        _actor: &Actor,
        _body: &Map<String, Value>,
    ) -> Option<Result<i64, Error>> {
        None
    }

    /// Deletes an object of a resource that is a view of other rows; `None` for a resource with its own table.
    async fn delete_override(
        &self,
        _engine: &Engine,
        _actor: &Actor,
        _target: &ObjectKey,
    ) -> Option<Result<(), Error>> {
        None
    }

    /// Rules about the grantees of roles of this object, in addition to the actor's permission to grant.
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

    /// Rules about the objects that may be associated with this one, in the transaction of the association.
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

    /// Deletes all objects of a sub-list that is [emptied by DELETE](Sublist::emptied_by_delete).
    ///
    /// # Errors
    /// Any error: nothing is deleted.
    async fn delete_listed(&self, _engine: &Engine, _parent: i64, _sublist: &'static Sublist) -> Result<(), Error> {
        Err(Error::MethodNotAllowed)
    }

    /// A POST to a sub-list with [`hostler_schema::Post::GrantByHook`] or [`hostler_schema::Post::Hook`].
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
    /// Rolls back the whole write; [`Error::Conflict`] if it was already consumed.
    async fn consume(&self, _engine: &Engine, _tx: &mut Transaction, _actor: &Actor, _id: i64) -> Result<(), Error> {
        Ok(())
    }
}

/// The hooks of a resource without hooks.
pub struct NoHooks;

impl Hooks for NoHooks {}
