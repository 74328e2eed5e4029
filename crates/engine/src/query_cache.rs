//! The reads of single objects as text: most requests make one or two, which differ in an id or two.

use std::collections::HashMap;
use std::ptr;
use std::sync::{Arc, PoisonError, RwLock};

use hostler_database::{Dialect, PreparedQuery};
use hostler_schema::{Actor, Policy, Resource, column};
use sea_query::{Alias, Condition, ExprTrait, LockType, Value};

use crate::select::{ROW, RowDecoder, Selection};

/// Shapes that are known at most, some kilobytes each. A change of settings makes new ones.
const CAPACITY: usize = 500;

/// Stand for the ids of an actor and of an object, which are no such numbers.
const PLACEHOLDER_ACTOR: i64 = i64::MIN;
const PLACEHOLDER_ID: i64 = i64::MIN + 1;

/// What the reads of single objects look like, as far as that was asked.
///
/// Nothing is remembered of who may do what: that is looked up in the database by these reads, or stands in the
/// [`Actor`] that each request makes anew, all of which that rules look at is part of [`CacheKey`].
#[derive(Default)]
pub struct QueryCache(RwLock<HashMap<CacheKey, Arc<CachedQuery>>>);

/// Reads an object by its id.
pub(crate) struct CachedQuery {
    pub query: PreparedQuery,
    pub reading: RowDecoder,
}

/// All that the text of a read depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct CacheKey {
    /// The address of its description.
    resource: usize,
    locks: bool,
    is_superuser: bool,
    is_system_auditor: bool,
    is_organization_admin: bool,
    policy: Policy,
}

impl QueryCache {
    /// How this actor reads an object of this resource; `locks` keeps others from changing it.
    pub(crate) fn find(
        &self,
        dialect: Dialect,
        resource: &'static Resource,
        actor: &Actor,
        locks: bool,
    ) -> Arc<CachedQuery> {
        let key = CacheKey::new(resource, actor, locks);
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        let cached = known.unwrap_or_else(|| {
            let cached = Arc::new(CachedQuery::new(dialect, resource, &key));
            let mut cache = self.0.write().unwrap_or_else(PoisonError::into_inner);
            if cache.len() >= CAPACITY {
                cache.clear();
            }
            cache.insert(key, Arc::clone(&cached));
            cached
        });
        debug_assert!(
            {
                let asked = selection(resource, has_id(actor.id), actor, locks);
                cached.query.matches(dialect, &asked.query, &parameters(actor, actor.id))
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
        }
    }
}

fn has_id(id: i64) -> Condition {
    Condition::all().add(column(ROW, "id").eq(id))
}

/// The objects that meet the condition, with whether the actor may see each.
pub(crate) fn selection(resource: &'static Resource, condition: Condition, actor: &Actor, locks: bool) -> Selection {
    let mut selection = Selection::with_visibility(resource, actor);
    selection.query.cond_where(condition);
    if locks {
        // Not so strong as to keep others from referring to the row, as entries of the activity stream do:
        // two users who change each other would wait for each other.
        selection.query.lock_with_tables(LockType::NoKeyUpdate, [Alias::new(ROW)]);
    }
    selection
}
