//! Handlers of `/api/v2/settings/` and its categories.

use axum::http::{Method, StatusCode};
use hostler_engine::Error;
use hostler_http::{HandlerResult, Request, Response, is_safe};
use hostler_schema::Actor;
use hostler_settings::{Selection, category_list, category_options, change, list_options, reset};

use crate::state::App;

/// `/api/v2/settings/`: the categories.
pub(crate) fn list(actor: &Actor, request: &Request) -> HandlerResult {
    match request.method {
        Method::OPTIONS => Ok(Response::ok(list_options())),
        Method::GET | Method::HEAD => Ok(Response::json(StatusCode::OK, category_list(actor))),
        _ => Err(Error::MethodNotAllowed.into()),
    }
}

/// `/api/v2/settings/CATEGORY/`.
pub(crate) async fn category(app: &App, actor: &Actor, slug: &str, request: &Request) -> HandlerResult {
    let Some(selection) = Selection::find(slug) else {
        return Ok(Response::not_found());
    };
    if !(actor.is_superuser || (actor.is_system_auditor && is_safe(&request.method))) {
        return Err(Error::forbidden().into());
    }
    match request.method {
        Method::GET | Method::HEAD => Ok(Response::ok(selection.values(&request.settings))),
        Method::OPTIONS => {
            let can_change = actor.is_superuser && actor.can_write;
            Ok(Response::ok(category_options(selection, &request.settings, can_change)))
        }
        Method::PATCH | Method::PUT => {
            let body = request.object()?;
            change(app.engine(), actor, selection, &body, request.method == Method::PUT).await?;
            let settings = app.auth.settings.reload(&app.engine().database).await?;
            Ok(Response::ok(selection.values(&settings)))
        }
        Method::DELETE => {
            reset(app.engine(), actor, selection).await?;
            Ok(Response::no_content())
        }
        _ => Err(Error::MethodNotAllowed.into()),
    }
}
