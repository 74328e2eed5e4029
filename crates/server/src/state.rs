use std::sync::Arc;
use std::time::Duration;

use hostler_auth::Authenticator;
use hostler_database::Database;
use hostler_engine::{Engine, Links, SystemClock};
use hostler_identity::key::SecretKey;
use hostler_resources::REGISTRY;
use hostler_tasks::TaskQueue;
use hostler_telemetry::TraceExporter;
use hostler_vault::Vault;

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
#[derive(Clone)]
pub struct App {
    /// The engine behind the API.
    pub engine: Engine,
    /// Authentication, and the settings in force.
    pub auth: Authenticator,
    pub(crate) counters: Arc<Counters>,
    pub(crate) options: Arc<Options>,
    pub(crate) trace_exporter: Option<Arc<TraceExporter>>,
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
            node: options.node.as_str().into(),
        };
        App {
            auth: Authenticator::new(engine.clone()),
            engine,
            counters: Arc::default(),
            options: Arc::new(options),
            trace_exporter: None,
        }
    }

    /// The same server, which exports traces of its requests.
    #[must_use]
    pub fn with_trace_exporter(self, trace_exporter: Option<Arc<TraceExporter>>) -> Self {
        App { trace_exporter, ..self }
    }
}
