//! Routes. The paths of resources come from the registry.

use std::borrow::Cow;

use axum::http::Method;
use hostler_auth::oauth::Endpoint;
use hostler_engine::{Registered, Registry};
use hostler_schema::{ActionFormat, ActionParent, ResourceAction, Sublist};
use percent_encoding::percent_decode_str;

use crate::metrics::RoutePattern;

/// Lists of AWX's API that are not implemented yet. They respond with 501, and to OPTIONS without actions: the `awx`
/// command requests OPTIONS of some of them before any command on users or teams.
pub(crate) const UNIMPLEMENTED_LISTS: &[&str] = &[
    "notifications",
    "schedules",
    "system_job_templates",
    "system_jobs",
    "workflow_approvals",
    "workflow_job_nodes",
    "workflow_job_template_nodes",
    "workflow_job_templates",
    "workflow_jobs",
];

/// The route of a path.
pub(crate) enum Route {
    ApiRoot,
    /// The path of WebSockets.
    Websocket,
    VersionRoot,
    OpenApi,
    Stylesheet,
    Ping,
    Metrics,
    Config,
    Me,
    Login,
    Logout,
    OAuthRoot,
    OAuth(Endpoint),
    SettingList,
    SettingCategory(String),
    List(&'static Registered),
    Detail(&'static Registered, String),
    Sublist(&'static Registered, String, &'static Sublist),
    /// An action, with the key of its object if it is below one.
    Action(&'static Registered, Option<String>, &'static ResourceAction),
    /// A list of AWX that is not implemented yet.
    UnimplementedList(&'static str),
}

impl Route {
    /// The route of a path. All paths but those of files end with a slash.
    pub(crate) fn find(registry: Registry, path: &str) -> Option<Route> {
        if ["/websocket/", "/api/websocket/"].contains(&path) {
            return Some(Route::Websocket);
        }
        let rest = path.strip_prefix("/api/")?;
        match rest {
            "" => return Some(Route::ApiRoot),
            "v2/openapi.json" => return Some(Route::OpenApi),
            "static/hostler.css" => return Some(Route::Stylesheet),
            _ => {}
        }
        let parts = decoded(rest.strip_suffix('/')?)?;
        let parts: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
        match parts.as_slice() {
            ["login"] => Some(Route::Login),
            ["logout"] => Some(Route::Logout),
            ["o"] => Some(Route::OAuthRoot),
            ["o", name] => Endpoint::find(name).map(Route::OAuth),
            ["v2"] => Some(Route::VersionRoot),
            ["v2", "ping"] => Some(Route::Ping),
            ["v2", "metrics"] => Some(Route::Metrics),
            ["v2", "config"] => Some(Route::Config),
            ["v2", "me"] => Some(Route::Me),
            ["v2", "settings"] => Some(Route::SettingList),
            ["v2", "settings", category] => Some(Route::SettingCategory((*category).to_owned())),
            ["v2", plural, rest @ ..] => match registry.by_plural(plural) {
                Some(found) => Self::of_resource(found, rest),
                None => Self::without_resource(registry, plural, rest),
            },
            _ => None,
        }
    }

    /// The route below the list of a resource.
    fn of_resource(found: &'static Registered, rest: &[&str]) -> Option<Route> {
        let resource = found.resource;
        let (key, below) = match rest {
            [] => return resource.has_list.then_some(Route::List(found)),
            [key, below @ ..] => ((*key).to_owned(), below),
        };
        if let Some(action) = resource.action(ActionParent::List, rest) {
            return Some(Route::Action(found, None, action));
        }
        if resource.variants.is_some() {
            // Its objects are those of the variants.
            return None;
        }
        let sublist = match below {
            [] => return Some(Route::Detail(found, key)),
            [name] => resource.sublist(name),
            _ => None,
        };
        if let Some(sublist) = sublist {
            return Some(Route::Sublist(found, key, sublist));
        }
        resource.action(ActionParent::Object, below).map(|action| Route::Action(found, Some(key), action))
    }

    /// The route of a path that begins with the plural of no resource.
    fn without_resource(registry: Registry, first: &str, rest: &[&str]) -> Option<Route> {
        if rest.is_empty()
            && let Some(name) = UNIMPLEMENTED_LISTS.iter().find(|name| **name == first)
        {
            return Some(Route::UnimplementedList(name));
        }
        let segments = [&[first], rest].concat();
        registry.0.iter().find_map(|found| {
            let action = found.resource.action(ActionParent::Root, &segments)?;
            Some(Route::Action(found, None, action))
        })
    }

    /// The label of the route in metrics and traces.
    pub(crate) fn pattern(&self) -> RoutePattern {
        match self {
            Route::ApiRoot => RoutePattern::Fixed(""),
            Route::Websocket => RoutePattern::Fixed("websocket/"),
            Route::VersionRoot => RoutePattern::Fixed("v2/"),
            Route::OpenApi => RoutePattern::Fixed("v2/openapi.json"),
            Route::Stylesheet => RoutePattern::Fixed("static/hostler.css"),
            Route::Ping => RoutePattern::Fixed("v2/ping/"),
            Route::Metrics => RoutePattern::Fixed("v2/metrics/"),
            Route::Config => RoutePattern::Fixed("v2/config/"),
            Route::Me => RoutePattern::Fixed("v2/me/"),
            Route::Login => RoutePattern::Fixed("login/"),
            Route::Logout => RoutePattern::Fixed("logout/"),
            Route::OAuthRoot => RoutePattern::Fixed("o/"),
            Route::OAuth(_) => RoutePattern::Fixed("o/{endpoint}/"),
            Route::SettingList => RoutePattern::Fixed("v2/settings/"),
            Route::SettingCategory(_) => RoutePattern::Fixed("v2/settings/{category}/"),
            Route::List(found) => RoutePattern::List(found.resource.plural),
            Route::UnimplementedList(name) => RoutePattern::List(name),
            Route::Detail(found, _) => RoutePattern::Detail(found.resource.plural),
            Route::Sublist(found, _, sublist) => RoutePattern::Below(found.resource.plural, sublist.name),
            Route::Action(found, _, action) => match action.parent {
                ActionParent::Object => RoutePattern::Below(found.resource.plural, action.path),
                ActionParent::List => RoutePattern::BelowList(found.resource.plural, action.path),
                ActionParent::Root => RoutePattern::List(action.path),
            },
        }
    }

    /// The value of the `Allow` header.
    pub(crate) fn allowed_methods(&self) -> Cow<'static, str> {
        const READ: &str = "GET, HEAD, OPTIONS";
        const READ_CREATE: &str = "GET, POST, HEAD, OPTIONS";
        const READ_CHANGE_DELETE: &str = "GET, PUT, PATCH, DELETE, HEAD, OPTIONS";
        let methods = match self {
            Route::OAuth(endpoint) => endpoint.allow(),
            Route::Websocket => "GET",
            Route::Login | Route::Logout => READ_CREATE,
            Route::List(found) if found.resource.creatable => READ_CREATE,
            Route::Sublist(_, _, sublist) if sublist.post.is_allowed() => READ_CREATE,
            Route::Sublist(_, _, sublist) if sublist.emptied_by_delete => "GET, DELETE, HEAD, OPTIONS",
            Route::Detail(found, _) => match (found.resource.editable, found.resource.deletable) {
                (true, true) => READ_CHANGE_DELETE,
                (true, false) => "GET, PUT, PATCH, HEAD, OPTIONS",
                (false, true) => "GET, DELETE, HEAD, OPTIONS",
                (false, false) => READ,
            },
            Route::SettingCategory(_) => READ_CHANGE_DELETE,
            // What is not implemented may be read in AWX.
            Route::Action(_, _, action) if action.methods().next().is_some() => {
                let mut methods: Vec<&str> = action.methods().map(|(method, _)| method.name()).collect();
                methods.extend(action.get.map(|_| "HEAD"));
                methods.push("OPTIONS");
                return methods.join(", ").into();
            }
            _ => READ,
        };
        methods.into()
    }

    /// The formats of responses beside JSON, YAML and HTML pages.
    pub(crate) fn formats(&self) -> &'static [ActionFormat] {
        match self {
            Route::Action(_, _, action) => action.formats,
            _ => &[],
        }
    }

    /// Whether the route needs no authentication.
    pub(crate) fn is_public(&self) -> bool {
        matches!(
            self,
            Route::ApiRoot
                | Route::VersionRoot
                | Route::Ping
                | Route::OAuthRoot
                | Route::Login
                | Route::Logout
                | Route::Stylesheet
        )
    }

    /// Whether the handler authenticates a request with this method itself.
    pub(crate) fn authenticates_itself(&self, method: &Method) -> bool {
        match self {
            Route::Login | Route::Logout | Route::OAuth(_) => true,
            Route::Action(_, _, action) => action.post_by_key && method == Method::POST,
            _ => false,
        }
    }

    /// Whether responses are JSON that browsers get as HTML pages.
    pub(crate) fn has_html(&self) -> bool {
        !matches!(
            self,
            Route::Login | Route::Logout | Route::OAuth(_) | Route::OpenApi | Route::Stylesheet | Route::Websocket
        )
    }
}

/// The decoded parts of a path; `None` if one is empty or not UTF-8.
fn decoded(path: &str) -> Option<Vec<Cow<'_, str>>> {
    path.split('/')
        .map(|part| {
            let part = percent_decode_str(part).decode_utf8().ok()?;
            (!part.is_empty() && !part.contains('\0')).then_some(part)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use hostler_resources::REGISTRY;

    use super::*;

    #[test]
    fn unimplemented_lists_are_not_lists_of_resources() {
        for name in UNIMPLEMENTED_LISTS {
            assert!(REGISTRY.by_plural(name).is_none(), "{name}");
        }
    }
}
