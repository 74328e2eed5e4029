use std::sync::Arc;
use std::time::Duration;

use hostler_database::Database;
use hostler_engine::{Engine, SystemClock};
use hostler_identity::key::SecretKey;
use hostler_identity::password_cache::{DEFAULT_TTL, PasswordCache};
use hostler_resources::REGISTRY;
use hostler_telemetry::TraceExporter;
use hostler_vault::Vault;

use crate::last_used::LastUsed;
use crate::ldap::Directories;
use crate::metrics::Counters;
use crate::settings::SettingsCache;
use crate::sign_in::{DjangoHashes, RateLimiter};
use crate::user_row::UserQueries;

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
    pub(crate) user_queries: Arc<UserQueries>,
    pub(crate) password_cache: Arc<PasswordCache>,
    pub(crate) settings: Arc<SettingsCache>,
    pub(crate) last_used: Arc<LastUsed>,
    pub(crate) directories: Arc<Directories>,
    pub(crate) rate_limiter: Arc<RateLimiter>,
    pub(crate) django_hashes: Arc<DjangoHashes>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) options: Arc<Options>,
    pub(crate) trace_exporter: Option<Arc<TraceExporter>>,
}

impl App {
    /// A server on this database.
    pub fn new(database: Database, keys: Keys, options: Options) -> Self {
        let rate_limiter = Arc::new(RateLimiter::new(&keys.secret));
        App {
            user_queries: Arc::new(UserQueries::new(database.dialect())),
            engine: Engine {
                database,
                registry: REGISTRY,
                clock: Arc::new(SystemClock),
                secret: Arc::new(keys.secret),
                vault: Arc::new(keys.vault),
                query_cache: Arc::default(),
                node: options.node.as_str().into(),
            },
            directories: Arc::default(),
            rate_limiter,
            django_hashes: Arc::default(),
            password_cache: Arc::new(PasswordCache::new(DEFAULT_TTL)),
            settings: Arc::default(),
            last_used: Arc::default(),
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
