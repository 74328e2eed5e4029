//! The values in force.

use hostler_schema::{Actor, Policy};
use serde_json::{Map, Value as Json};
use url::Url;

use super::Setting;
use super::definitions::authentication::{
    ALLOW_OAUTH2_FOR_EXTERNAL_USERS, LOCAL_PASSWORD_MIN_DIGITS, LOCAL_PASSWORD_MIN_LENGTH, LOCAL_PASSWORD_MIN_SPECIAL,
    LOCAL_PASSWORD_MIN_UPPER, LOCAL_PASSWORD_REFUSE_COMMON, Lifetimes,
};
use super::definitions::system::{
    ACTIVITY_STREAM_ENABLED, MANAGE_ORGANIZATION_AUTH, ORG_ADMINS_CAN_SEE_ALL_USERS, TOWER_URL_BASE,
};
use crate::trusted_proxies::TrustedProxies;

/// The values in force at one moment.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which of the successive states of all settings this is.
    pub(super) generation: i64,
    /// What is stored; the defaults of all others are in force.
    pub(super) stored: Map<String, Json>,
    policy: Policy,
    /// Whose word about where requests come from is believed.
    pub(crate) proxies: TrustedProxies,
    /// The address by which people reach this server, if it is set.
    pub(crate) base_url: Option<Url>,
    pub(crate) lifetimes: Lifetimes,
}

impl Settings {
    pub(super) fn new(generation: i64, stored: Map<String, Json>) -> Self {
        let mut settings = Settings {
            generation,
            stored,
            policy: Policy::default(),
            proxies: TrustedProxies::default(),
            base_url: None,
            lifetimes: Lifetimes::default(),
        };
        settings.lifetimes = Lifetimes::of(&settings);
        settings.proxies = TrustedProxies::of(&settings);
        settings.base_url = Url::parse(&settings.text(&TOWER_URL_BASE)).ok();
        settings.policy = settings.derived_policy();
        settings
    }

    /// These values with some replaced, or for `None` set back to the default.
    pub(super) fn with(&self, changes: impl IntoIterator<Item = (&'static str, Option<Json>)>) -> Self {
        let mut stored = self.stored.clone();
        for (name, value) in changes {
            match value {
                Some(value) => stored.insert(name.into(), value),
                None => stored.shift_remove(name),
            };
        }
        Settings::new(self.generation, stored)
    }

    /// Whoever works on the data itself, without being a user: may do
    /// everything, and leaves no actor in the activity stream.
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
        }
    }

    pub(crate) fn generation(&self) -> i64 {
        self.generation
    }

    pub(crate) fn policy(&self) -> Policy {
        self.policy
    }

    /// The value of a setting.
    pub(crate) fn value(&self, setting: &Setting) -> Json {
        self.stored.get(setting.name).cloned().unwrap_or_else(|| setting.default_value())
    }

    pub(crate) fn boolean(&self, setting: &Setting) -> bool {
        self.value(setting).as_bool().unwrap_or_default()
    }

    pub(crate) fn integer(&self, setting: &Setting) -> i64 {
        self.value(setting).as_i64().unwrap_or_default()
    }

    /// The text of a setting; "" if it holds none.
    pub(crate) fn text(&self, setting: &Setting) -> String {
        match self.value(setting) {
            Json::String(text) => text,
            _ => String::new(),
        }
    }

    /// The texts in a list.
    pub(crate) fn texts(&self, setting: &Setting) -> Vec<String> {
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
            managed: self.filled_by_directories(),
            activity_stream: self.boolean(&ACTIVITY_STREAM_ENABLED),
        }
    }
}

impl Default for Settings {
    /// All defaults: what is in force where nothing was ever set. Its generation is none that a database has.
    fn default() -> Self {
        Settings::new(0, Map::new())
    }
}
