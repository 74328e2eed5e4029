//! The paths that are not resources: roots, ping, config.

use axum::http::StatusCode;
use hostler_engine::{Engine, Registry};
use hostler_http::{HandlerResult, Response};
use hostler_resources::free_manual_folders;
use hostler_schema::{ActionParent, Actor};
use hostler_settings::Settings;
use hostler_settings::definitions::authentication::LOGIN_REDIRECT_OVERRIDE;
use hostler_settings::definitions::system::INSTALL_UUID;
use hostler_settings::definitions::ui::{CUSTOM_LOGIN_INFO, CUSTOM_LOGO};
use serde_json::{Map, Value as Json, json};

use crate::route::Route;
use crate::state::App;

/// The AWX version of the API.
pub(crate) const AWX_VERSION: &str = "24.6.1";

/// `GET /api/`.
pub(crate) fn api_root(settings: &Settings) -> Response {
    Response::json(
        StatusCode::OK,
        json!({
            "description": "AWX REST API",
            "current_version": "/api/v2/",
            "available_versions": {"v2": "/api/v2/"},
            "oauth2": "/api/o/",
            "custom_logo": settings.text(&CUSTOM_LOGO),
            "custom_login_info": settings.text(&CUSTOM_LOGIN_INFO),
            "login_redirect_override": settings.text(&LOGIN_REDIRECT_OVERRIDE),
        }),
    )
}

/// The OPTIONS response of a path that is neither list nor object; none for other routes.
pub(crate) fn options(route: &Route) -> Option<Response> {
    let (name, description) = match route {
        Route::ApiRoot => ("REST API", "The versions of the API that this server speaks."),
        Route::VersionRoot => ("Version 2", "What this version of the API has: the path of each list."),
        Route::Metrics => ("Metrics", "Figures for Prometheus, of the database and of this server."),
        Route::Ping => ("Ping", "Whether the server answers, and which one it is. Anybody may ask."),
        Route::Config => ("Configuration", "How the server is set up."),
        _ => return None,
    };
    let json = "application/json";
    let words = json!({"name": name, "description": description, "renders": [json, "text/html"], "parses": [json]});
    Some(Response::json(StatusCode::OK, words))
}

/// Lists that `awx export` and `awx import` require to start, even if they are not exported: by their name in the API
/// root, and their path. Until they are implemented they respond with 501.
const LISTS_REQUIRED_BY_AWXKIT: &[(&str, &str)] = &[
    ("schedules", "schedules"),
    ("system_job_templates", "system_job_templates"),
    ("workflow_job_templates", "workflow_job_templates"),
];

/// `GET /api/v2/`: the lists that exist, and those that clients require.
pub(crate) fn version_root(registry: Registry) -> Response {
    let mut links = Map::new();
    for name in ["ping", "config", "settings", "me", "metrics"] {
        links.insert(name.into(), format!("/api/v2/{name}/").into());
    }
    for resource in registry.0.iter().map(|entry| entry.resource).filter(|resource| resource.has_list) {
        let plural = resource.plural;
        // The lists with another name in AWX's root.
        let name = match plural {
            "inventories" => "inventory",
            "constructed_inventories" => "constructed_inventory",
            plural => plural,
        };
        links.insert(name.into(), format!("/api/v2/{plural}/").into());
    }
    for action in registry.resources().flat_map(|resource| resource.actions) {
        if action.parent == ActionParent::Root && action.get.is_some() && !action.path.contains('/') {
            links.insert(action.path.into(), format!("/api/v2/{}/", action.path).into());
        }
    }
    for (name, path) in LISTS_REQUIRED_BY_AWXKIT {
        links.entry(*name).or_insert_with(|| format!("/api/v2/{path}/").into());
    }
    Response::ok(links)
}

/// `GET /api/v2/ping/`: without authentication, so it reveals no internals.
pub(crate) fn ping(app: &App, settings: &Settings) -> Response {
    Response::json(
        StatusCode::OK,
        json!({
            "ha": false,
            "version": AWX_VERSION,
            "active_node": &*app.engine().node,
            "install_uuid": settings.text(&INSTALL_UUID),
            "instances": [],
            "instance_groups": [],
            "server": SERVER_NAME,
        }),
    )
}

/// `GET /api/v2/config/`.
pub(crate) async fn config(engine: &Engine, actor: &Actor) -> HandlerResult {
    const BECOME: [(&str, &str); 12] = [
        ("sudo", "Sudo"),
        ("su", "Su"),
        ("pbrun", "Pbrun"),
        ("pfexec", "Pfexec"),
        ("dzdo", "DZDO"),
        ("pmrun", "Pmrun"),
        ("runas", "Runas"),
        ("enable", "Enable"),
        ("doas", "Doas"),
        ("ksu", "Ksu"),
        ("machinectl", "Machinectl"),
        ("sesu", "Sesu"),
    ];
    let methods: Vec<Json> = BECOME.iter().map(|(word, name)| json!([word, name])).collect();
    let mut body = json!({
        "time_zone": "UTC",
        "license_info": {"license_type": "open", "valid_key": true, "subscription_name": "OPEN", "product_name": "AWX"},
        "version": AWX_VERSION,
        "eula": "",
        "analytics_status": "off",
        "analytics_collectors": {},
        "become_methods": methods,
    });
    if let (true, Some(body)) = (actor.is_superuser || actor.is_system_auditor, body.as_object_mut()) {
        body.insert("custom_virtualenvs".into(), json!([]));
        body.insert("project_base_dir".into(), engine.manual_projects.display().to_string().into());
        body.insert("project_local_paths".into(), json!(free_manual_folders(engine).await?));
    }
    Ok(Response::json(StatusCode::OK, body))
}

/// The product name with its version, in the header `Server`.
pub(crate) const SERVER_NAME: &str = concat!("Hostler/", env!("CARGO_PKG_VERSION"));
