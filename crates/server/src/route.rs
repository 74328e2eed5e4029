//! From a path to what it names. The paths of resources come from the registry.

use hostler_engine::{Registered, Registry};
use hostler_resources::USER;
use hostler_schema::Sublist;
use percent_encoding::percent_decode_str;

use crate::metrics::RoutePattern;
use crate::oauth::Endpoint;
use crate::sign_in::UserPath;

/// The lists of AWX's API that Hostler does not serve yet. They say so (501), and
/// describe themselves as offering no action: the `awx` command asks some of
/// them what roles they have before it does anything with users or teams.
pub(crate) const UNIMPLEMENTED_LISTS: &[&str] = &[
    "ad_hoc_commands",
    "constructed_inventories",
    "execution_environments",
    "groups",
    "hosts",
    "instance_groups",
    "instances",
    "inventories",
    "inventory_sources",
    "inventory_updates",
    "job_templates",
    "jobs",
    "notification_templates",
    "notifications",
    "project_updates",
    "schedules",
    "system_job_templates",
    "system_jobs",
    "unified_job_templates",
    "unified_jobs",
    "workflow_approvals",
    "workflow_job_nodes",
    "workflow_job_template_nodes",
    "workflow_job_templates",
    "workflow_jobs",
];

/// What a path names.
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
    /// How a user signs in: beyond AWX.
    UserSignIn(String, UserPath),
    /// Below an object that can be copied.
    Copy(&'static Registered, String),
    /// Why a user may do what: beyond AWX.
    ExplainAccess(&'static Registered, String),
    /// A list that AWX serves and Hostler does not yet.
    UnimplementedList(&'static str),
    /// A link that AWX serves and Hostler does not yet.
    UnimplementedSublist(&'static Registered, String, &'static str),
}

impl Route {
    /// What a path names, if anything. All end with a slash but for files.
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
            ["v2", plural, key] => registry.by_plural(plural).map(|found| Route::Detail(found, (*key).to_owned())),
            ["v2", plural, key, rest @ ..] if *plural == USER.plural && UserPath::find(rest).is_some() => {
                UserPath::find(rest).map(|path| Route::UserSignIn((*key).to_owned(), path))
            }
            ["v2", plural, key, below] => {
                let found = registry.by_plural(plural)?;
                if *plural == USER.plural && *below == "explain_access" {
                    return Some(Route::ExplainAccess(found, (*key).to_owned()));
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

    /// The kind of path that it is, for counting.
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
            Route::ExplainAccess(found, _) => RoutePattern::Below(found.resource.plural, "explain_access"),
            Route::UnimplementedSublist(found, _, name) => RoutePattern::Below(found.resource.plural, name),
        }
    }

    /// Whether anybody may ask, logged in or not.
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

    /// Whether the path finds out by itself who asks.
    pub(crate) fn authenticates_itself(&self) -> bool {
        matches!(self, Route::Login | Route::Logout | Route::OAuth(_))
    }

    /// Whether the answers are JSON that a browser may have as a page.
    pub(crate) fn has_pages(&self) -> bool {
        !matches!(self, Route::Login | Route::Logout | Route::OAuth(_) | Route::OpenApi | Route::Stylesheet)
    }
}

/// The parts of a path; none if one is empty or no UTF-8.
fn decoded(path: &str) -> Option<Vec<String>> {
    path.split('/')
        .map(|part| {
            let part = percent_decode_str(part).decode_utf8().ok()?;
            (!part.is_empty() && !part.contains('\0')).then(|| part.into_owned())
        })
        .collect()
}
