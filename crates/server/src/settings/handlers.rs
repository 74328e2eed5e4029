//! Handlers of `/api/v2/settings/` and its categories.

use axum::http::StatusCode;
use hostler_engine::Error;
use hostler_schema::Actor;
use serde_json::{Value as Json, json};

use super::change::{ChangeError, change, reset};
use super::definitions::{self, CATEGORIES, Category};
use super::options::category_options;
use super::{Setting, Settings};
use crate::error::{HandlerError, HandlerResult};
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
    pub(super) fn settings(self, stored: &Settings) -> impl Iterator<Item = (&'static Category, &'static Setting)> {
        definitions::all().filter(move |(category, setting)| match self {
            Selection::All => true,
            Selection::Changed => !setting.read_only && stored.stored.contains_key(setting.name),
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
pub(crate) async fn category(app: &App, actor: &Actor, slug: &str, request: &Request) -> HandlerResult {
    let Some(selection) = Selection::find(slug) else {
        return Ok(Response::not_found());
    };
    if !(actor.is_superuser || (actor.is_system_auditor && is_safe(&request.method))) {
        return Err(Error::forbidden().into());
    }
    match request.method.as_str() {
        "GET" | "HEAD" => Ok(values(selection, &request.settings)),
        "OPTIONS" => {
            let settings: Vec<_> = selection.settings(&request.settings).collect();
            Ok(Response::ok(category_options(&settings, actor.is_superuser && actor.can_write)))
        }
        "PATCH" | "PUT" => {
            let body = request.object()?;
            change(&app.engine, actor, selection, &body, request.method == "PUT").await?;
            Ok(values(selection, &*app.settings.reload(&app.engine.database).await?))
        }
        "DELETE" => {
            reset(&app.engine, actor, selection).await?;
            Ok(Response::no_content())
        }
        _ => Err(Error::MethodNotAllowed.into()),
    }
}

impl From<ChangeError> for HandlerError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Invalid(messages) => Response::json(StatusCode::BAD_REQUEST, messages).into(),
            ChangeError::Failed(error) => error.into(),
        }
    }
}

/// The values of the selected settings.
fn values(selection: Selection, settings: &Settings) -> Response {
    let values = selection.settings(settings);
    Response::ok(values.map(|(_, setting)| (setting.name.to_owned(), settings.response_value(setting))).collect())
}
