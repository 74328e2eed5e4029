//! How the server stands among users and other servers.

use serde_json::json;

use super::Category;
use crate::settings::Setting;
use crate::trusted_proxies::{check_headers, check_proxies};

pub(crate) const CATEGORY: Category = Category {
    slug: "system",
    name: "System",
    settings: &[
        &ACTIVITY_STREAM_ENABLED,
        &ORG_ADMINS_CAN_SEE_ALL_USERS,
        &MANAGE_ORGANIZATION_AUTH,
        &TOWER_URL_BASE,
        &REMOTE_HOST_HEADERS,
        &PROXY_IP_ALLOWED_LIST,
        &INSTALL_UUID,
    ],
};

pub(crate) static ACTIVITY_STREAM_ENABLED: Setting = Setting::boolean("ACTIVITY_STREAM_ENABLED", true)
    .label("Record activity")
    .required()
    .help("Whether the activity stream records what is done. What was recorded before stays.");

pub(crate) static ORG_ADMINS_CAN_SEE_ALL_USERS: Setting = Setting::boolean("ORG_ADMINS_CAN_SEE_ALL_USERS", true)
    .label("Organization admins see everybody")
    .required()
    .help("Whether organization admins see all users and teams, or only those of their organizations.");

pub(crate) static MANAGE_ORGANIZATION_AUTH: Setting =
    Setting::boolean("MANAGE_ORGANIZATION_AUTH", true).label("Organization admins manage people").required().help(
        "Whether organization admins may change users, and who is in which organization or team. Without it only \
         superusers may, and users cannot change themselves either.",
    );

pub(crate) static TOWER_URL_BASE: Setting = Setting::web_address("TOWER_URL_BASE")
    .label("Address of this server")
    .required()
    .placeholder(|| json!("https://awx.example.org"))
    .help(
        "The address by which people reach this server, for where a whole address is needed. A page from there counts \
         as our own, and if it starts with https, cookies for it are sent by https only.",
    );

pub(crate) static REMOTE_HOST_HEADERS: Setting =
    Setting::texts("REMOTE_HOST_HEADERS", || json!(["REMOTE_ADDR", "REMOTE_HOST"]))
        .label("Where the client's address stands")
        .required()
        .rule(check_headers)
        .placeholder(|| json!(["HTTP_X_FORWARDED_FOR", "REMOTE_ADDR", "REMOTE_HOST"]))
        .help(
            "Where to look for a client's address, first to last: headers as HTTP_X_FORWARDED_FOR, and REMOTE_ADDR for \
             the other end of the connection. Headers are believed only from proxies in PROXY_IP_ALLOWED_LIST.",
        );

pub(crate) static PROXY_IP_ALLOWED_LIST: Setting = Setting::texts("PROXY_IP_ALLOWED_LIST", || json!([]))
    .label("TrustedProxies to be believed")
    .rule(check_proxies)
    .placeholder(|| json!(["10.0.1.100", "10.0.2.0/24"]))
    .help(
        "The addresses, or networks, of the proxies in front of this server. Only what they say in headers about where \
         a request comes from, and whether it came by https, is believed; if the list is empty, only those \
         are who come by a Unix socket.",
    );

pub(crate) static INSTALL_UUID: Setting = Setting::text("INSTALL_UUID", 36)
    .label("Id of this installation")
    .read_only()
    .help("The id that this installation gave itself, as /api/v2/ping/ tells it.");
