//! The state that authentication shares between requests.

use std::sync::Arc;

use hostler_engine::Engine;
use hostler_identity::password_cache::{DEFAULT_TTL, PasswordCache};
use hostler_settings::SettingsCache;

use crate::last_used::LastUsed;
use crate::ldap::Directories;
use crate::sign_in::{DjangoHashes, RateLimiter};
use crate::user_row::UserQueries;

/// Authenticates requests and sign-ins.
pub struct Authenticator {
    /// The engine with the users.
    pub engine: Engine,
    /// The settings in force.
    pub settings: SettingsCache,
    pub(crate) user_queries: UserQueries,
    pub(crate) password_cache: PasswordCache,
    pub(crate) last_used: Arc<LastUsed>,
    pub(crate) directories: Directories,
    pub(crate) rate_limiter: Arc<RateLimiter>,
    pub(crate) django_hashes: DjangoHashes,
}

impl Authenticator {
    /// An authenticator of the engine's users.
    pub fn new(engine: Engine) -> Self {
        Authenticator {
            settings: SettingsCache::default(),
            user_queries: UserQueries::new(engine.database.dialect()),
            password_cache: PasswordCache::new(DEFAULT_TTL),
            last_used: Arc::default(),
            directories: Directories::default(),
            rate_limiter: Arc::new(RateLimiter::new(&engine.secret)),
            django_hashes: DjangoHashes::default(),
            engine,
        }
    }
}
