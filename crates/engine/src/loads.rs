//! The reads of single objects as text: most requests make one or two, which differ in an id or two.

use std::collections::HashMap;
use std::ptr;
use std::sync::{Arc, PoisonError, RwLock};

use hostler_database::{Dialect, Question};
use hostler_schema::{Actor, Policy, Resource, column};
use sea_query::{Alias, Condition, ExprTrait, LockType, Value};

use crate::select::{ROW, Reading, Selection};

/// Shapes that are known at most, some kilobytes each. A change of settings makes new ones.
const MOST: usize = 500;

/// Stand for the ids of an actor and of an object, which are no such numbers.
const SOME_ACTOR: i64 = i64::MIN;
const SOME_OBJECT: i64 = i64::MIN + 1;

/// What the reads of single objects look like, as far as that was asked.
///
/// Nothing is remembered of who may do what: that is looked up in the database by these reads, or stands in the
/// [`Actor`] that each request makes anew, all of which that rules look at is part of [`Shape`].
#[derive(Default)]
pub struct Loads(RwLock<HashMap<Shape, Arc<Load>>>);

/// Reads an object by its id.
pub(crate) struct Load {
    pub question: Question,
    pub reading: Reading,
}

/// All that the text of a read depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Shape {
    /// The address of its description.
    resource: usize,
    locks: bool,
    is_superuser: bool,
    is_system_auditor: bool,
    is_organization_admin: bool,
    policy: Policy,
}

impl Loads {
    /// How this actor reads an object of this resource; `locks` keeps others from changing it.
    pub(crate) fn find(&self, dialect: Dialect, resource: &'static Resource, actor: &Actor, locks: bool) -> Arc<Load> {
        let shape = Shape::new(resource, actor, locks);
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&shape).cloned();
        let load = known.unwrap_or_else(|| {
            let load = Arc::new(Load::new(dialect, resource, &shape));
            let mut loads = self.0.write().unwrap_or_else(PoisonError::into_inner);
            if loads.len() >= MOST {
                loads.clear();
            }
            loads.insert(shape, Arc::clone(&load));
            load
        });
        debug_assert!(
            {
                let asked = selection(resource, is_object(actor.id), actor, locks);
                load.question.is(dialect, &asked.query, &told(actor, actor.id))
            },
            "the access rules of {} depend on more of an actor than its shape says",
            resource.name
        );
        load
    }
}

impl Load {
    fn new(dialect: Dialect, resource: &'static Resource, shape: &Shape) -> Load {
        let selection = selection(resource, is_object(SOME_OBJECT), &shape.some_actor(), shape.locks);
        let stand_ins = [SOME_ACTOR, SOME_OBJECT].map(Value::from);
        Load {
            question: Question::new(dialect, &selection.query, selection.types, stand_ins),
            reading: selection.reading,
        }
    }
}

/// What the question of a [`Load`] is told.
pub(crate) fn told(actor: &Actor, id: i64) -> [Value; 2] {
    [actor.id.into(), id.into()]
}

impl Shape {
    fn new(resource: &'static Resource, actor: &Actor, locks: bool) -> Shape {
        // Without `..`, so that whoever adds a field decides here whether rules may look at it.
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
        Shape { resource, locks, is_superuser, is_system_auditor, is_organization_admin, policy }
    }

    fn some_actor(&self) -> Actor {
        Actor {
            id: SOME_ACTOR,
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

fn is_object(id: i64) -> Condition {
    Condition::all().add(column(ROW, "id").eq(id))
}

/// The objects that meet the condition, with whether the actor may see each.
pub(crate) fn selection(resource: &'static Resource, condition: Condition, actor: &Actor, locks: bool) -> Selection {
    let mut selection = Selection::to_ask(resource, actor);
    selection.query.cond_where(condition);
    if locks {
        // Not so strong as to keep others from referring to the row, as entries of the activity stream do:
        // two users who change each other would wait for each other.
        selection.query.lock_with_tables(LockType::NoKeyUpdate, [Alias::new(ROW)]);
    }
    selection
}
