//! `POST /api/o/revoke_token/`: applications give tokens back (RFC 7009).

use axum::http::StatusCode;
use hostler_database::{Transaction, Type};
use hostler_engine::{Error, ObjectKey};
use hostler_identity::token::digest;
use hostler_resources::TOKEN;
use hostler_schema::column;
use sea_query::{Alias, ExprTrait, LockType, Query};
use serde_json::Map;

use super::client::Client;
use super::form::Params;
use super::problem::Problem;
use super::refresh;
use crate::request::Request;
use crate::response::Response;
use crate::settings::Settings;
use crate::state::App;

/// Ends a token and its family, whichever of the two tokens is given back. What
/// is no token of this application is answered alike: there is nothing left to revoke.
pub(super) async fn revoke(app: &App, request: &Request) -> Result<Response, Problem> {
    let params = Params::of_body(request)?;
    let client = Client::authenticated(app, request, &params).await?;
    let sent = params.required("token")?;
    let settings = &*request.settings;
    // The hint which of the two it is (section 2.1) saves us nothing.
    let access = Query::select()
        .expr(column("tokens", "id"))
        .from(Alias::new("tokens"))
        .and_where(column("tokens", "digest").eq(digest(sent)))
        .and_where(column("tokens", "application_id").eq(client.id))
        .to_owned();
    let database = &app.engine.database;
    if let Some(token) = database.read(&access, &[Type::Integer]).await?.first().and_then(|row| row.integer(0)) {
        let mut tx = database.begin().await?;
        delete(app, &mut tx, token, settings).await?;
        tx.commit().await?;
    } else if !database.read(&refresh::find(sent, client.id), &refresh::TYPES).await?.is_empty() {
        revoke_family(app, "refresh_tokens", sent, settings).await?;
    }
    Ok(Response::json(StatusCode::OK, Map::new()))
}

/// Ends what came of a code or a refresh token, whatever token that has become by now.
pub(super) async fn revoke_family(
    app: &App,
    table: &'static str,
    secret: &str,
    settings: &Settings,
) -> Result<(), Problem> {
    // In the transaction, and locked: a refresh under way at this moment must not carry the family off.
    let query = Query::select()
        .expr(column(table, "token_id"))
        .from(Alias::new(table))
        .and_where(column(table, "digest").eq(digest(secret)))
        .lock(LockType::Update)
        .to_owned();
    let mut tx = app.engine.database.begin().await?;
    let rows = tx.read(&query, &[Type::Integer]).await?;
    if let Some(token) = rows.first().and_then(|row| row.integer(0)) {
        delete(app, &mut tx, token, settings).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Deletes a token, with which its refresh tokens go. No user did it, so the
/// activity stream names none.
async fn delete(app: &App, tx: &mut Transaction, token: i64, settings: &Settings) -> Result<(), Problem> {
    match app.engine.delete_in_transaction(tx, &settings.system_actor(), &TOKEN, &ObjectKey::Id(token), None).await {
        // Gone already.
        Ok(()) | Err(Error::NotFound(_)) => Ok(()),
        Err(failure) => Err(failure.into()),
    }
}
