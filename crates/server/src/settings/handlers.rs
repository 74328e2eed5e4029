//! `/api/v2/settings/` and the categories below it.

use axum::http::StatusCode;
use hostler_engine::Error;
use hostler_schema::Actor;
use serde_json::{Map, Value as Json, json};

use super::change::{Refused, change, reset};
use super::definitions::{self, CATEGORIES, Category};
use super::options::describe;
use super::{Setting, Settings};
use crate::request::{Request, is_safe};
use crate::response::Response;
use crate::state::App;

/// The slug of all settings together.
pub(super) const EVERYTHING: &str = "all";
/// The slug of those that are not left to their defaults.
pub(super) const CHANGED: &str = "changed";

/// Which settings a path is about.
#[derive(Clone, Copy)]
pub(super) enum Selection {
    Everything,
    Changed,
    Of(&'static Category),
    One(&'static Setting),
}

impl Selection {
    /// What the last part of a path selects, if it is one of the categories.
    fn find(slug: &str) -> Option<Self> {
        match slug {
            EVERYTHING => Some(Selection::Everything),
            CHANGED => Some(Selection::Changed),
            _ => CATEGORIES.into_iter().find(|category| category.slug == slug).map(Selection::Of),
        }
    }

    /// The settings that it contains now.
    pub(super) fn settings(self, now: &Settings) -> impl Iterator<Item = (&'static Category, &'static Setting)> {
        definitions::all().filter(move |(category, setting)| match self {
            Selection::Everything => true,
            Selection::Changed => !setting.read_only && now.stored.contains_key(setting.name),
            Selection::Of(wanted) => category.slug == wanted.slug,
            Selection::One(wanted) => setting.name == wanted.name,
        })
    }
}

/// `GET /api/v2/settings/`: the categories, for superusers and system auditors.
pub(crate) fn list(actor: &Actor) -> Response {
    let may_see = actor.is_superuser || actor.is_system_auditor;
    let mut categories = vec![(EVERYTHING, "All"), (CHANGED, "Changed")];
    categories.extend(CATEGORIES.iter().map(|category| (category.slug, category.name)));
    // By slug, as AWX lists them.
    categories.sort_unstable();
    let results: Vec<Json> = categories
        .iter()
        .filter(|_| may_see)
        .map(|(slug, name)| json!({"url": format!("/api/v2/settings/{slug}/"), "slug": slug, "name": name}))
        .collect();
    Response::json(StatusCode::OK, json!({"count": results.len(), "next": null, "previous": null, "results": results}))
}

/// `/api/v2/settings/CATEGORY/`.
pub(crate) async fn category(app: &App, actor: &Actor, slug: &str, request: &Request) -> Result<Response, Error> {
    let Some(selection) = Selection::find(slug) else {
        return Ok(Response::detail(StatusCode::NOT_FOUND, "Not found."));
    };
    let writes = !is_safe(&request.method);
    if !(actor.is_superuser || (actor.is_system_auditor && !writes)) {
        return Err(Error::forbidden());
    }
    let outcome = match request.method.as_str() {
        "GET" | "HEAD" => return Ok(values(selection, &request.settings)),
        "OPTIONS" => {
            let settings: Vec<_> = selection.settings(&request.settings).collect();
            return Ok(Response::ok(describe(&settings, actor.is_superuser && actor.can_write)));
        }
        "PATCH" | "PUT" => {
            let body = match request.object() {
                Ok(body) => body,
                Err(response) => return Ok(response),
            };
            change(&app.engine, actor, selection, &body, request.method == "PUT").await
        }
        "DELETE" => reset(&app.engine, actor, selection).await,
        _ => return Err(Error::MethodNotAllowed),
    };
    match outcome {
        Ok(()) if request.method == "DELETE" => Ok(Response::no_content()),
        Ok(()) => Ok(values(selection, &*app.settings.now(&app.engine.database).await?)),
        Err(Refused::Invalid(problems)) => Ok(Response::json(StatusCode::BAD_REQUEST, problems)),
        Err(Refused::Failed(failure)) => Err(failure),
    }
}

/// The values of the selected settings.
fn values(selection: Selection, now: &Settings) -> Response {
    let values = selection.settings(now).map(|(_, setting)| (setting.name.to_owned(), now.shown(setting)));
    Response::ok(values.collect::<Map<_, _>>())
}
