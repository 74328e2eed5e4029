//! The values in force.

use std::sync::Arc;

use hostler_schema::{Actor, JobSettings, Policy};
use serde_json::{Map, Value as Json};
use url::Url;

use crate::definitions::authentication::{
    ALLOW_OAUTH2_FOR_EXTERNAL_USERS, AUTH_BASIC_ENABLED, DISABLE_LOCAL_AUTH, LOCAL_PASSWORD_MIN_DIGITS,
    LOCAL_PASSWORD_MIN_LENGTH, LOCAL_PASSWORD_MIN_SPECIAL, LOCAL_PASSWORD_MIN_UPPER, LOCAL_PASSWORD_REFUSE_COMMON,
    OAuthLifetimes,
};
use crate::definitions::jobs::job_settings;
use crate::definitions::system::{
    ACTIVITY_STREAM_ENABLED, CSRF_TRUSTED_ORIGINS, MANAGE_ORGANIZATION_AUTH, ORG_ADMINS_CAN_SEE_ALL_USERS,
    TOWER_URL_BASE,
};
use crate::setting::Setting;
use crate::setting::SettingDefault;
use crate::trusted_proxies::TrustedProxies;

/// The values in force at one moment.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The number of this state of all settings; see [`crate::store::GENERATION_TABLE`].
    pub(crate) generation: i64,
    /// The stored values; all other settings have their defaults.
    pub(crate) stored: Map<String, Json>,
    policy: Policy,
    job_settings: Arc<JobSettings>,
    /// The trusted proxies.
    pub proxies: TrustedProxies,
    /// `TOWER_URL_BASE`, if it is set.
    pub base_url: Option<Url>,
    /// Further origins whose pages may use a session: `CSRF_TRUSTED_ORIGINS`.
    pub trusted_origins: Vec<String>,
    /// The lifetimes of what OAuth2 issues.
    pub lifetimes: OAuthLifetimes,
    /// Whether any LDAP directory is configured, validly or not.
    pub has_directories: bool,
    /// Whether users with only a local password may not sign in: `DISABLE_LOCAL_AUTH`.
    pub local_auth_disabled: bool,
    /// Whether requests may authenticate with a username and password: `AUTH_BASIC_ENABLED`.
    pub basic_enabled: bool,
}

impl Settings {
    pub(crate) fn new(generation: i64, stored: Map<String, Json>) -> Self {
        let mut settings = Settings {
            generation,
            stored,
            policy: Policy::default(),
            job_settings: Arc::default(),
            proxies: TrustedProxies::default(),
            base_url: None,
            trusted_origins: vec![],
            lifetimes: OAuthLifetimes::default(),
            has_directories: false,
            local_auth_disabled: false,
            basic_enabled: false,
        };
        settings.lifetimes = OAuthLifetimes::of(&settings);
        settings.proxies = TrustedProxies::of(&settings);
        settings.base_url = Url::parse(&settings.text(&TOWER_URL_BASE)).ok();
        settings.trusted_origins = settings.strings(&CSRF_TRUSTED_ORIGINS);
        settings.has_directories = settings.any_directory();
        settings.local_auth_disabled = settings.boolean(&DISABLE_LOCAL_AUTH);
        settings.basic_enabled = settings.boolean(&AUTH_BASIC_ENABLED);
        settings.policy = settings.derived_policy();
        settings.job_settings = Arc::new(job_settings(&settings));
        settings
    }

    /// These values with changes; `None` for the default.
    pub(crate) fn with_changes(&self, changes: impl IntoIterator<Item = (&'static str, Option<Json>)>) -> Self {
        let mut stored = self.stored.clone();
        for (name, value) in changes {
            match value {
                Some(value) => stored.insert(name.into(), value),
                None => stored.shift_remove(name),
            };
        }
        Settings::new(self.generation, stored)
    }

    /// The actor of the command line and of background work: not a user, may do everything, and appears as no actor
    /// in the activity stream.
    pub fn system_actor(&self) -> Actor {
        Actor {
            id: 0,
            username: "operator".into(),
            is_superuser: true,
            is_system_auditor: false,
            is_organization_admin: false,
            can_write: true,
            session: None,
            external_account: None,
            policy: self.policy,
            job_settings: self.job_settings(),
        }
    }

    /// The number of this state of all settings.
    pub fn generation(&self) -> i64 {
        self.generation
    }

    /// The settings that the engine and its rules need.
    pub fn policy(&self) -> Policy {
        self.policy
    }

    /// The settings that jobs and bulk operations read.
    pub fn job_settings(&self) -> Arc<JobSettings> {
        Arc::clone(&self.job_settings)
    }

    /// The value of a setting.
    pub fn value(&self, setting: &Setting) -> Json {
        if let SettingDefault::Derived(value) = setting.default {
            return value(self);
        }
        self.stored.get(setting.name).cloned().unwrap_or_else(|| setting.default_value())
    }

    /// A boolean; false for a value of another type.
    pub fn boolean(&self, setting: &Setting) -> bool {
        self.value(setting).as_bool().unwrap_or_default()
    }

    /// An integer; 0 for a value of another type.
    pub fn integer(&self, setting: &Setting) -> i64 {
        self.value(setting).as_i64().unwrap_or_default()
    }

    /// A string; "" for a value of another type.
    pub fn text(&self, setting: &Setting) -> String {
        match self.value(setting) {
            Json::String(text) => text,
            _ => String::new(),
        }
    }

    /// The strings in a list.
    pub fn strings(&self, setting: &Setting) -> Vec<String> {
        let value = self.value(setting);
        value.as_array().into_iter().flatten().filter_map(Json::as_str).map(str::to_owned).collect()
    }

    fn derived_policy(&self) -> Policy {
        let count = |setting| self.integer(setting).try_into().unwrap_or(u32::MAX);
        Policy {
            manage_organization_auth: self.boolean(&MANAGE_ORGANIZATION_AUTH),
            org_admins_see_all_users: self.boolean(&ORG_ADMINS_CAN_SEE_ALL_USERS),
            password_min_length: count(&LOCAL_PASSWORD_MIN_LENGTH),
            password_min_digits: count(&LOCAL_PASSWORD_MIN_DIGITS),
            password_min_upper: count(&LOCAL_PASSWORD_MIN_UPPER),
            password_min_special: count(&LOCAL_PASSWORD_MIN_SPECIAL),
            password_refuse_common: self.boolean(&LOCAL_PASSWORD_REFUSE_COMMON),
            token_seconds: self.lifetimes.access_token,
            refresh_token_seconds: self.lifetimes.refresh_token,
            tokens_for_external_users: self.boolean(&ALLOW_OAUTH2_FOR_EXTERNAL_USERS),
            managed: self.ldap_managed_fields(),
            activity_stream: self.boolean(&ACTIVITY_STREAM_ENABLED),
        }
    }
}

impl Default for Settings {
    /// The defaults. No database has the generation 0.
    fn default() -> Self {
        Settings::new(0, Map::new())
    }
}
