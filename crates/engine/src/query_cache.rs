//! Cached SQL for reads of single objects: most requests have one or two, which differ in ids only.

use std::ptr;
use std::sync::Arc;

use hostler_database::{Dialect, PreparedQuery};
use hostler_schema::{Actor, Policy, Resource, column};
use moka::sync::Cache;
use sea_query::{Alias, Condition, ExprTrait, LockType, Value};

use crate::select::{ROW, RowDecoder, Selection};

/// The maximum number of queries, some kilobytes each: enough for 60 resources, two locks and four kinds of actor, and
/// as many again after a change of the settings. The least used ones are evicted. A base resource adds none, however
/// many variants it has: its rows are read as their variants.
const CAPACITY: u64 = 1000;

/// Placeholders for the ids of the actor and of the object, which no row has.
const PLACEHOLDER_ACTOR: i64 = i64::MIN;
const PLACEHOLDER_ID: i64 = i64::MIN + 1;

/// The SQL of reads of single objects, by all that it depends on; rows are not cached.
pub struct QueryCache(Cache<CacheKey, Arc<CachedQuery>>);

impl Default for QueryCache {
    fn default() -> Self {
        QueryCache(Cache::new(CAPACITY))
    }
}

/// Reads an object by its id.
pub(crate) struct CachedQuery {
    pub query: PreparedQuery,
    pub reading: RowDecoder,
}

/// Everything that the SQL of a read depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct CacheKey {
    /// The address of the resource's description.
    resource: usize,
    locks: bool,
    is_superuser: bool,
    is_system_auditor: bool,
    is_organization_admin: bool,
    policy: Policy,
}

impl QueryCache {
    /// The query by which this actor reads an object of this resource; `locks` locks the row.
    pub(crate) fn find(
        &self,
        dialect: Dialect,
        resource: &'static Resource,
        actor: &Actor,
        locks: bool,
    ) -> Arc<CachedQuery> {
        let key = CacheKey::new(resource, actor, locks);
        let build = || Arc::new(CachedQuery::new(dialect, resource, &key));
        let cached = self.0.get_with(key.clone(), build);
        debug_assert!(
            {
                let expected = selection(resource, has_id(actor.id), actor, locks);
                cached.query.matches(dialect, &expected.query, &parameters(actor, actor.id))
            },
            "the access rules of {} depend on more of an actor than its key says",
            resource.name
        );
        cached
    }
}

impl CachedQuery {
    fn new(dialect: Dialect, resource: &'static Resource, key: &CacheKey) -> CachedQuery {
        let selection = selection(resource, has_id(PLACEHOLDER_ID), &key.placeholder_actor(), key.locks);
        let placeholders = [PLACEHOLDER_ACTOR, PLACEHOLDER_ID].map(Value::from);
        CachedQuery {
            query: PreparedQuery::new(dialect, &selection.query, selection.types, placeholders),
            reading: selection.reading,
        }
    }
}

/// The parameters of a [`CachedQuery`].
pub(crate) fn parameters(actor: &Actor, id: i64) -> [Value; 2] {
    [actor.id.into(), id.into()]
}

impl CacheKey {
    fn new(resource: &'static Resource, actor: &Actor, locks: bool) -> CacheKey {
        // Without `..`: a new field does not compile until it is decided here whether rules may read it.
        let Actor {
            id: _,
            username: _,
            is_superuser,
            is_system_auditor,
            is_organization_admin,
            can_write: _,
            session: _,
            external_account: _,
            policy,
            job_settings: _,
        } = *actor;
        let resource = ptr::from_ref(resource).addr();
        CacheKey { resource, locks, is_superuser, is_system_auditor, is_organization_admin, policy }
    }

    fn placeholder_actor(&self) -> Actor {
        Actor {
            id: PLACEHOLDER_ACTOR,
            username: String::new(),
            is_superuser: self.is_superuser,
            is_system_auditor: self.is_system_auditor,
            is_organization_admin: self.is_organization_admin,
            can_write: false,
            session: None,
            external_account: None,
            policy: self.policy,
            job_settings: Arc::default(),
        }
    }
}

fn has_id(id: i64) -> Condition {
    Condition::all().add(column(ROW, "id").eq(id))
}

/// The objects that match the condition, with whether the actor may see each.
pub(crate) fn selection(resource: &'static Resource, condition: Condition, actor: &Actor, locks: bool) -> Selection {
    let mut selection = Selection::with_visibility(resource, actor);
    // 404, not 403.
    selection.query.cond_where(condition).and_where_option(resource.not_deleted(ROW));
    if locks {
        // FOR NO KEY UPDATE does not block foreign keys to the row, such as those of activity entries: two users who
        // change each other would wait for each other.
        selection.query.lock_with_tables(LockType::NoKeyUpdate, [Alias::new(ROW)]);
    }
    selection
}
