use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderValue;
use hostler_auth::Authenticator;
use hostler_database::Database;
use hostler_engine::{Engine, Links, SystemClock};
use hostler_identity::key::SecretKey;
use hostler_queue::{DispatcherOptions, Executor, JobQueue};
use hostler_resources::REGISTRY;
use hostler_tasks::TaskQueue;
use hostler_telemetry::TraceExporter;
use hostler_vault::Vault;

use crate::live::Live;
use crate::metrics::Counters;

/// Options of the server.
#[derive(Clone, Debug)]
pub struct Options {
    /// The name of this node in headers and in the activity stream.
    pub node: String,
    /// Whether responses have `X-API-Query-Count`, the number of SQL statements.
    pub debug_headers: bool,
    /// A request that takes longer is logged as slow; none if unset.
    pub slow_request: Option<Duration>,
    /// The folder with the folders of manual projects.
    pub manual_projects: PathBuf,
    /// The HSTS max-age in seconds for connections with TLS (RFC 6797); 0 disables it.
    pub hsts: u32,
}

/// The keys of the installation, which are not in the database.
pub struct Keys {
    /// The key for sessions and other HMACs.
    pub secret: SecretKey,
    /// Encrypts the secrets in the database.
    pub vault: Vault,
}

/// The state that all requests share.
pub struct App {
    /// Authentication, the settings in force, and the engine behind the API.
    pub auth: Authenticator,
    pub(crate) counters: Arc<Counters>,
    pub(crate) live: Arc<Live>,
    pub(crate) options: Options,
    /// The name of this node as a header; none if it cannot be one.
    pub(crate) node_header: Option<HeaderValue>,
    pub(crate) trace_exporter: Option<Arc<TraceExporter>>,
    /// Who runs the jobs of this node. Without one, it only takes requests.
    pub(crate) executor: Option<(Arc<dyn Executor>, DispatcherOptions)>,
}

impl App {
    /// A server on this database.
    pub fn new(database: Database, keys: Keys, options: Options) -> Self {
        let engine = Engine {
            database,
            registry: REGISTRY,
            links: Arc::new(Links::new(REGISTRY)),
            clock: Arc::new(SystemClock),
            secret: Arc::new(keys.secret),
            vault: Arc::new(keys.vault),
            query_cache: Arc::default(),
            tasks: TaskQueue::default(),
            jobs: JobQueue::default(),
            manual_projects: options.manual_projects.as_path().into(),
            node: options.node.as_str().into(),
        };
        App {
            live: Arc::new(Live::new(engine.database.clone())),
            auth: Authenticator::new(engine),
            counters: Arc::default(),
            node_header: HeaderValue::from_str(&options.node).ok(),
            options,
            trace_exporter: None,
            executor: None,
        }
    }

    /// The engine behind the API.
    pub fn engine(&self) -> &Engine {
        &self.auth.engine
    }

    /// The same server, which runs jobs.
    #[must_use]
    pub fn with_executor(self, executor: Arc<dyn Executor>, options: DispatcherOptions) -> Self {
        App { executor: Some((executor, options)), ..self }
    }

    /// The same server, which exports traces of its requests.
    #[must_use]
    pub fn with_trace_exporter(self, trace_exporter: Option<Arc<TraceExporter>>) -> Self {
        App { trace_exporter, ..self }
    }
}
