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

/// How the server presents itself.
#[derive(Clone, Debug)]
pub struct Options {
    /// The name of this node in headers and in the activity stream.
    pub node: String,
    /// Whether answers tell how many statements they took (`X-API-Query-Count`).
    pub debug_headers: bool,
    /// From when on a request is logged as slow; none is without this.
    pub slow_request: Option<Duration>,
    /// For how many seconds browsers are told to come by https only, where TLS ends here (RFC 6797); 0 for not at all.
    pub hsts: u32,
}

/// The secrets of the installation, which stand outside the database.
pub struct Keys {
    /// What sessions are made with.
    pub secret: SecretKey,
    /// What seals the secrets in the database.
    pub vault: Vault,
}

/// What every request shares.
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

    /// The same server, which tells a collector of its requests.
    #[must_use]
    pub fn with_trace_exporter(self, trace_exporter: Option<Arc<TraceExporter>>) -> Self {
        App { trace_exporter, ..self }
    }
}
