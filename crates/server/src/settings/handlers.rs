//! Handlers of `/api/v2/settings/` and its categories.

use axum::http::StatusCode;
use hostler_engine::Error;
use hostler_schema::Actor;
use serde_json::{Map, Value as Json, json};

use super::change::{ChangeError, change, reset};
use super::definitions::{self, CATEGORIES, Category};
use super::options::category_options;
use super::{Setting, Settings};
use crate::request::{Request, is_safe};
use crate::response::Response;
use crate::state::App;

/// The slug that selects all settings.
pub(super) const ALL: &str = "all";
/// The slug that selects the settings with a stored value.
pub(super) const CHANGED: &str = "changed";

/// Which settings a request is about.
#[derive(Clone, Copy)]
pub(super) enum Selection {
    All,
    Changed,
    Category(&'static Category),
    One(&'static Setting),
}

impl Selection {
    /// The selection for the last part of a path.
    fn find(slug: &str) -> Option<Self> {
        match slug {
            ALL => Some(Selection::All),
            CHANGED => Some(Selection::Changed),
            _ => CATEGORIES.into_iter().find(|category| category.slug == slug).map(Selection::Category),
        }
    }

    /// The selected settings.
    pub(super) fn settings(self, now: &Settings) -> impl Iterator<Item = (&'static Category, &'static Setting)> {
        definitions::all().filter(move |(category, setting)| match self {
            Selection::All => true,
            Selection::Changed => !setting.read_only && now.stored.contains_key(setting.name),
            Selection::Category(wanted) => category.slug == wanted.slug,
            Selection::One(wanted) => setting.name == wanted.name,
        })
    }
}

/// `GET /api/v2/settings/`: the categories, for superusers and system auditors.
pub(crate) fn list(actor: &Actor) -> Response {
    let is_permitted = actor.is_superuser || actor.is_system_auditor;
    let mut categories = vec![(ALL, "All"), (CHANGED, "Changed")];
    categories.extend(CATEGORIES.iter().map(|category| (category.slug, category.name)));
    // By slug, as in AWX.
    categories.sort_unstable();
    let results: Vec<Json> = categories
        .iter()
        .filter(|_| is_permitted)
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
            return Ok(Response::ok(category_options(&settings, actor.is_superuser && actor.can_write)));
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
        Ok(()) => Ok(values(selection, &*app.settings.reload(&app.engine.database).await?)),
        Err(ChangeError::Invalid(messages)) => Ok(Response::json(StatusCode::BAD_REQUEST, messages)),
        Err(ChangeError::Failed(failure)) => Err(failure),
    }
}

/// The values of the selected settings.
fn values(selection: Selection, now: &Settings) -> Response {
    let values = selection.settings(now).map(|(_, setting)| (setting.name.to_owned(), now.response_value(setting)));
    Response::ok(values.collect::<Map<_, _>>())
}
