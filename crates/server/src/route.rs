//! Routes. The paths of resources come from the registry.

use std::borrow::Cow;

use hostler_auth::oauth::Endpoint;
use hostler_auth::sign_in::UserPath;
use hostler_engine::{Registered, Registry};
use hostler_resources::{CREDENTIAL, CREDENTIAL_TYPE, USER};
use hostler_schema::Sublist;
use percent_encoding::percent_decode_str;

use crate::metrics::RoutePattern;

/// Lists of AWX's API that are not implemented yet. They respond with 501, and to OPTIONS without actions: the `awx`
/// command requests OPTIONS of some of them before any command on users or teams.
pub(crate) const UNIMPLEMENTED_LISTS: &[&str] = &[
    "ad_hoc_commands",
    "constructed_inventories",
    "groups",
    "hosts",
    "inventories",
    "inventory_sources",
    "inventory_updates",
    "job_templates",
    "jobs",
    "notifications",
    "project_updates",
    "schedules",
    "system_job_templates",
    "system_jobs",
    "unified_jobs",
    "workflow_approvals",
    "workflow_job_nodes",
    "workflow_job_template_nodes",
    "workflow_job_templates",
    "workflow_jobs",
];

/// The route of a path.
#[derive(Clone)]
pub(crate) enum Route {
    ApiRoot,
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
    /// Sign-in status and second factor of a user; not in AWX.
    UserSignIn(String, UserPath),
    /// `copy/` of an object.
    Copy(&'static Registered, String),
    /// The test of a lookup, below a credential or a credential type.
    LookupTest(&'static Registered, String),
    /// Why a user has permissions; not in AWX.
    ExplainAccess(&'static Registered, String),
    /// A list of AWX that is not implemented yet.
    UnimplementedList(&'static str),
    /// A path of AWX below an object that is not implemented yet.
    UnimplementedSublist(&'static Registered, String, &'static str),
}

impl Route {
    /// The route of a path. All paths but those of files end with a slash.
    pub(crate) fn find(registry: Registry, path: &str) -> Option<Route> {
        let rest = path.strip_prefix("/api/")?;
        match rest {
            "" => return Some(Route::ApiRoot),
            "v2/openapi.json" => return Some(Route::OpenApi),
            "static/hostler.css" => return Some(Route::Stylesheet),
            _ => {}
        }
        let parts = decoded(rest.strip_suffix('/')?)?;
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
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
            ["v2", plural] => match registry.by_plural(plural) {
                Some(found) => Some(Route::List(found)),
                None => {
                    UNIMPLEMENTED_LISTS.iter().find(|name| *name == plural).map(|name| Route::UnimplementedList(name))
                }
            },
            ["v2", plural, key] => with_objects(registry, plural).map(|found| Route::Detail(found, (*key).to_owned())),
            ["v2", plural, key, rest @ ..] if *plural == USER.plural && UserPath::find(rest).is_some() => {
                UserPath::find(rest).map(|path| Route::UserSignIn((*key).to_owned(), path))
            }
            ["v2", plural, key, below] => {
                let found = with_objects(registry, plural)?;
                if *plural == USER.plural && *below == "explain_access" {
                    return Some(Route::ExplainAccess(found, (*key).to_owned()));
                }
                if *below == "test" && [CREDENTIAL.plural, CREDENTIAL_TYPE.plural].contains(plural) {
                    return Some(Route::LookupTest(found, (*key).to_owned()));
                }
                if found.resource.copyable && *below == "copy" {
                    return Some(Route::Copy(found, (*key).to_owned()));
                }
                if let Some(sublist) = found.resource.sublist(below) {
                    return Some(Route::Sublist(found, (*key).to_owned(), sublist));
                }
                let name = found.resource.unimplemented.iter().find(|name| *name == below)?;
                Some(Route::UnimplementedSublist(found, (*key).to_owned(), name))
            }
            _ => None,
        }
    }

    /// The label of the route in metrics and traces.
    pub(crate) fn pattern(&self) -> RoutePattern {
        match self {
            Route::ApiRoot => RoutePattern::Fixed(""),
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
            Route::UserSignIn(_, path) => RoutePattern::Below(
                USER.plural,
                match path {
                    UserPath::SignIn => "sign_in",
                    UserPath::SecondFactor => "second_factor",
                    UserPath::VerifySecondFactor => "second_factor/verify",
                    UserPath::RecoveryCodes => "second_factor/recovery_codes",
                    UserPath::DisableSecondFactor => "second_factor/disable",
                },
            ),
            Route::Copy(found, _) => RoutePattern::Below(found.resource.plural, "copy"),
            Route::LookupTest(found, _) => RoutePattern::Below(found.resource.plural, "test"),
            Route::ExplainAccess(found, _) => RoutePattern::Below(found.resource.plural, "explain_access"),
            Route::UnimplementedSublist(found, _, name) => RoutePattern::Below(found.resource.plural, name),
        }
    }

    /// The value of the `Allow` header.
    pub(crate) fn allowed_methods(&self) -> Cow<'static, str> {
        if let Route::OAuth(endpoint) = self {
            return endpoint.allow().into();
        }
        let mut methods = vec!["GET"];
        match self {
            Route::List(found) if found.resource.creatable => methods.push("POST"),
            Route::Copy(..) | Route::LookupTest(..) => methods.push("POST"),
            Route::Sublist(_, _, sublist) if sublist.post.is_allowed() => methods.push("POST"),
            Route::Detail(found, _) => {
                if found.resource.editable {
                    methods.extend(["PUT", "PATCH"]);
                }
                if found.resource.deletable {
                    methods.push("DELETE");
                }
            }
            Route::SettingCategory(_) => methods.extend(["PUT", "PATCH", "DELETE"]),
            Route::UserSignIn(_, path) => {
                methods = path.methods().to_vec();
                methods.push("OPTIONS");
                return methods.join(", ").into();
            }
            Route::Login | Route::Logout => methods.push("POST"),
            _ => {}
        }
        methods.extend(["HEAD", "OPTIONS"]);
        methods.join(", ").into()
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

    /// Whether the handler authenticates the request itself.
    pub(crate) fn authenticates_itself(&self) -> bool {
        matches!(self, Route::Login | Route::Logout | Route::OAuth(_))
    }

    /// Whether responses are JSON that browsers get as HTML pages.
    pub(crate) fn has_html(&self) -> bool {
        !matches!(self, Route::Login | Route::Logout | Route::OAuth(_) | Route::OpenApi | Route::Stylesheet)
    }
}

/// The resource with this path, unless it has only a list, whose objects are those of its variants.
fn with_objects(registry: Registry, plural: &str) -> Option<&'static Registered> {
    registry.by_plural(plural).filter(|found| found.resource.variants.is_none())
}

/// The decoded parts of a path; `None` if one is empty or not UTF-8.
fn decoded(path: &str) -> Option<Vec<String>> {
    path.split('/')
        .map(|part| {
            let part = percent_decode_str(part).decode_utf8().ok()?;
            (!part.is_empty() && !part.contains('\0')).then(|| part.into_owned())
        })
        .collect()
}
