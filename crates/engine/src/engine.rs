use std::sync::Arc;

use hostler_database::Database;
use hostler_identity::key::SecretKey;
use hostler_schema::Resource;
use hostler_vault::Vault;
use jiff::Timestamp;

use crate::hooks::Hooks;
use crate::query_cache::QueryCache;

/// Where the time comes from, so that tests can set it.
pub trait Clock: Send + Sync {
    /// The present moment, to the microsecond that both databases keep.
    fn now(&self) -> Timestamp;
}

/// The clock of the machine.
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place where time comes in")]
    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
    }
}

/// A resource and the code that goes with it.
#[derive(Clone, Copy)]
pub struct Registered {
    /// The description.
    pub resource: &'static Resource,
    /// What the description cannot say.
    pub hooks: &'static dyn Hooks,
}

/// All resources that the server serves.
#[derive(Clone, Copy)]
pub struct Registry(pub &'static [Registered]);

impl Registry {
    /// The resource whose path starts with this word.
    pub fn by_plural(&self, plural: &str) -> Option<&'static Registered> {
        self.0.iter().find(|entry| entry.resource.plural == plural)
    }

    /// The resource of this type.
    pub fn by_name(&self, name: &str) -> Option<&'static Registered> {
        self.0.iter().find(|entry| entry.resource.name == name)
    }

    /// The hooks that go with a resource.
    pub fn hooks(&self, resource: &'static Resource) -> &'static dyn Hooks {
        match self.by_name(resource.name) {
            Some(entry) => entry.hooks,
            None => &crate::hooks::NoHooks,
        }
    }
}

/// What every request works with.
#[derive(Clone)]
pub struct Engine {
    /// The database.
    pub database: Database,
    /// The resources.
    pub registry: Registry,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The key of this installation.
    pub secret: Arc<SecretKey>,
    /// What seals and opens secrets that are kept in the database.
    pub vault: Arc<Vault>,
    /// The SQL of reads of single objects.
    pub query_cache: Arc<QueryCache>,
    /// The name of this node, as the activity stream records it.
    pub node: Arc<str>,
}
