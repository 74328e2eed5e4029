use std::path::Path;
use std::sync::Arc;

use hostler_database::Database;
use hostler_identity::key::SecretKey;
use hostler_queue::JobQueue;
use hostler_schema::Resource;
use hostler_tasks::TaskQueue;
use hostler_vault::Vault;
use jiff::Timestamp;

use crate::hooks::Hooks;
use crate::links::Links;
use crate::query_cache::QueryCache;

/// The source of the time, which tests can replace.
pub trait Clock: Send + Sync {
    /// The current time, rounded to microseconds as in both databases.
    fn now(&self) -> Timestamp;
}

/// The clock of the operating system.
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the only source of the time")]
    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
    }
}

/// A resource with its hooks.
#[derive(Clone, Copy)]
pub struct Registered {
    /// The description.
    pub resource: &'static Resource,
    /// The hooks.
    pub hooks: &'static dyn Hooks,
}

/// All resources that the server serves.
#[derive(Clone, Copy)]
pub struct Registry(pub &'static [Registered]);

impl Registry {
    /// The resource whose path starts with this segment.
    pub fn by_plural(&self, plural: &str) -> Option<&'static Registered> {
        self.0.iter().find(|entry| entry.resource.plural == plural)
    }

    /// The resource of this type.
    pub fn by_name(&self, name: &str) -> Option<&'static Registered> {
        self.0.iter().find(|entry| entry.resource.name == name)
    }

    /// The descriptions of all resources, each type of object once.
    pub fn resources(self) -> impl Iterator<Item = &'static Resource> {
        self.0.iter().map(|entry| entry.resource).filter(|resource| resource.same_objects_as.is_none())
    }

    /// The resources on whose objects roles are granted.
    pub fn resources_with_roles(self) -> impl Iterator<Item = &'static Resource> {
        self.resources().filter(|resource| resource.role_resource.is_some())
    }

    /// The hooks of a resource.
    pub fn hooks(&self, resource: &'static Resource) -> &'static dyn Hooks {
        match self.by_plural(resource.plural) {
            Some(entry) => entry.hooks,
            None => &crate::hooks::NoHooks,
        }
    }
}

/// The dependencies of every request.
#[derive(Clone)]
pub struct Engine {
    /// The database.
    pub database: Database,
    /// The resources.
    pub registry: Registry,
    /// What follows from their links.
    pub links: Arc<Links>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The secret key of this installation.
    pub secret: Arc<SecretKey>,
    /// Encrypts and decrypts stored secrets.
    pub vault: Arc<Vault>,
    /// The cached SQL of reads of single objects.
    pub query_cache: Arc<QueryCache>,
    /// Takes background tasks.
    pub tasks: TaskQueue,
    /// Wakes the dispatcher of jobs.
    pub jobs: JobQueue,
    /// The folder with the folders of manual projects.
    pub manual_projects: Arc<Path>,
    /// The name of this node in activity entries.
    pub node: Arc<str>,
}
