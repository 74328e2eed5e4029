//! Settings of the server as a whole.

use serde_json::{Map, Value as Json, json};

use super::Category;
use crate::setting::Setting;
use crate::trusted_proxies::{check_headers, check_proxies};
use crate::value_type::{CustomType, Messages, ValueType, message};

pub(crate) const CATEGORY: Category = Category {
    slug: "system",
    name: "System",
    settings: &[
        &ACTIVITY_STREAM_ENABLED,
        &ACTIVITY_STREAM_ENABLED_FOR_INVENTORY_SYNC,
        &ORG_ADMINS_CAN_SEE_ALL_USERS,
        &MANAGE_ORGANIZATION_AUTH,
        &TOWER_URL_BASE,
        &CSRF_TRUSTED_ORIGINS,
        &REMOTE_HOST_HEADERS,
        &PROXY_IP_ALLOWED_LIST,
        &INSTALL_UUID,
        &IS_K8S,
        &LICENSE,
        &INSIGHTS_TRACKING_STATE,
        &DEFAULT_CONTROL_PLANE_QUEUE_NAME,
        &DEFAULT_EXECUTION_QUEUE_NAME,
        &CLEANUP_HOST_METRICS_LAST_TS,
        &HOST_METRIC_SUMMARY_TASK_LAST_TS,
    ],
};

pub(crate) static ACTIVITY_STREAM_ENABLED: Setting = Setting::boolean("ACTIVITY_STREAM_ENABLED", true)
    .label("Activity stream")
    .required()
    .help("Records changes in the activity stream. Existing entries stay.");

pub(crate) static ORG_ADMINS_CAN_SEE_ALL_USERS: Setting = Setting::boolean("ORG_ADMINS_CAN_SEE_ALL_USERS", true)
    .label("Organization admins see all users")
    .required()
    .help("Shows organization admins all users and teams; otherwise only those of their organizations.");

pub(crate) static MANAGE_ORGANIZATION_AUTH: Setting =
    Setting::boolean("MANAGE_ORGANIZATION_AUTH", true).label("Organization admins manage users").required().help(
        "Allows organization admins to change users and the members of organizations and teams. If this is off, only \
         superusers can, and users cannot change themselves.",
    );

/// The URL at which clients reach this server.
pub static TOWER_URL_BASE: Setting = Setting::url("TOWER_URL_BASE")
    .label("Base URL of this server")
    .required()
    .placeholder(|| json!("https://awx.example.org"))
    .help(
        "The URL at which clients reach this server, for where a full URL is needed. Requests from its pages pass the \
         origin check, and if it is an https URL, cookies are marked Secure.",
    );

pub(crate) static REMOTE_HOST_HEADERS: Setting = Setting::string_list("REMOTE_HOST_HEADERS", || {
    json!(["REMOTE_ADDR", "REMOTE_HOST"])
})
.label("Client address headers")
.required()
.validator(check_headers)
.placeholder(|| json!(["HTTP_X_FORWARDED_FOR", "REMOTE_ADDR", "REMOTE_HOST"]))
.help(
    "Where to find a client's address, in order: headers such as HTTP_X_FORWARDED_FOR, and REMOTE_ADDR for the peer \
             address of the connection. Headers count only from proxies in PROXY_IP_ALLOWED_LIST.",
);

pub(crate) static PROXY_IP_ALLOWED_LIST: Setting = Setting::string_list("PROXY_IP_ALLOWED_LIST", || json!([]))
    .label("Trusted proxies")
    .validator(check_proxies)
    .placeholder(|| json!(["10.0.1.100", "10.0.2.0/24"]))
    .help(
        "The IP addresses or networks of the proxies in front of this server. Their headers determine the client's address \
         and whether it used https; those of other clients are ignored. If the list is empty, only proxies that connect \
         through a Unix socket are trusted.",
    );

/// The random id of this installation.
pub static INSTALL_UUID: Setting = Setting::string("INSTALL_UUID", 36)
    .label("Installation UUID")
    .read_only()
    .help("The random id of this installation, which /api/v2/ping/ shows.");

pub(crate) static CSRF_TRUSTED_ORIGINS: Setting = Setting::string_list("CSRF_TRUSTED_ORIGINS", || json!([]))
    .label("Trusted origins")
    .validator(check_origins)
    .placeholder(|| json!(["https://awx.example.org"]))
    .help(
        "Further origins (scheme, host and port) whose pages may send requests in a session, such as that of a proxy \
         which changes the Host header.",
    );

/// Accepts origins, also with a wildcard as Django's: `https://*.example.org`.
fn check_origins(value: &Json) -> Result<(), Messages> {
    let is_origin = |text: &str| {
        let text = text.replacen("://*.", "://", 1);
        url::Url::parse(&text).is_ok_and(|url| {
            matches!(url.scheme(), "http" | "https") && url.origin().ascii_serialization() == text.to_ascii_lowercase()
        })
    };
    let items = value.as_array().into_iter().flatten().filter_map(Json::as_str).enumerate();
    let invalid: Map<String, Json> = items
        .filter(|(_, text)| !is_origin(text))
        .map(|(position, text)| {
            (position.to_string(), message(format!("\"{text}\" is not an origin such as https://awx.example.org.")))
        })
        .collect();
    if invalid.is_empty() { Ok(()) } else { Err(invalid.into()) }
}

pub(crate) static IS_K8S: Setting = Setting::boolean("IS_K8S", false)
    .label("Kubernetes")
    .read_only()
    .help("Whether this server runs jobs in the Kubernetes cluster that it is deployed in.");

pub(crate) static LICENSE: Setting = Setting::custom("LICENSE", &LICENSE_TYPE, || json!({}))
    .label("License")
    .read_only()
    .help("Always empty: no license or subscription is needed.");

static LICENSE_TYPE: CustomType = CustomType {
    name: "nested object",
    child: None,
    check: |value| Ok(value.clone()),
    json_schema: || json!({"type": "object"}),
};

pub(crate) static INSIGHTS_TRACKING_STATE: Setting = Setting::boolean("INSIGHTS_TRACKING_STATE", false)
    .label("Analytics")
    .read_only()
    .help("Always false: this server sends no data about its use.");

pub(crate) static ACTIVITY_STREAM_ENABLED_FOR_INVENTORY_SYNC: Setting =
    Setting::boolean("ACTIVITY_STREAM_ENABLED_FOR_INVENTORY_SYNC", false)
        .label("Enable Activity Stream for Inventory Sync")
        .required()
        .help("Records changes by updates of inventories in the activity stream.")
        .without_effect("updates of inventories add no entries");

pub(crate) static DEFAULT_CONTROL_PLANE_QUEUE_NAME: Setting =
    Setting::derived("DEFAULT_CONTROL_PLANE_QUEUE_NAME", ValueType::String { max_length: 512 }, |_| {
        "controlplane".into()
    })
    .label("The instance group where control plane tasks run")
    .help("The instance group of what the servers themselves do.");

pub(crate) static DEFAULT_EXECUTION_QUEUE_NAME: Setting =
    Setting::derived("DEFAULT_EXECUTION_QUEUE_NAME", ValueType::String { max_length: 512 }, |_| "default".into())
        .label("The instance group where user jobs run (currently only on non-VM installs)")
        .help("The instance group of jobs for which no other is chosen.");

pub(crate) static CLEANUP_HOST_METRICS_LAST_TS: Setting = Setting::time("CLEANUP_HOST_METRICS_LAST_TS")
    .label("Last cleanup date for HostMetrics")
    .required()
    .help("When metrics of hosts were last removed.")
    .without_effect("AWX's own tasks set it");

pub(crate) static HOST_METRIC_SUMMARY_TASK_LAST_TS: Setting = Setting::time("HOST_METRIC_SUMMARY_TASK_LAST_TS")
    .label("Last computing date of HostMetricSummaryMonthly")
    .required()
    .help("When metrics of hosts were last summarized.")
    .without_effect("AWX's own tasks set it");
