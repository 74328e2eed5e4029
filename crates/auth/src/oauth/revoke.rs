//! `POST /api/o/revoke_token/`: applications revoke tokens (RFC 7009).

use hostler_database::{Transaction, Type};
use hostler_engine::{Error, ObjectKey};
use hostler_http::{HandlerResult, Request, Response};
use hostler_identity::token::digest;
use hostler_resources::TOKEN;
use hostler_schema::column;
use hostler_settings::Settings;
use http::StatusCode;
use sea_query::{Alias, ExprTrait, LockType, Query};
use serde_json::Map;

use super::client::Client;
use super::params::Params;
use super::refresh;
use crate::authenticator::Authenticator;

/// Revokes a token and its family, by the access token or the refresh token. The
/// response is the same for a token that is unknown or of another application.
pub(super) async fn revoke(auth: &Authenticator, request: &Request) -> HandlerResult {
    let params = Params::from_body(request)?;
    let client = Client::authenticated(auth, request, &params).await?;
    let sent = params.required("token")?;
    let settings = &*request.settings;
    // The parameter `token_type_hint` (section 2.1) is ignored: both are looked up by an index.
    let access = Query::select()
        .expr(column("tokens", "id"))
        .from(Alias::new("tokens"))
        .and_where(column("tokens", "digest").eq(digest(sent)))
        .and_where(column("tokens", "application_id").eq(client.id))
        .to_owned();
    let database = &auth.engine.database;
    if let Some(token) = database.read(&access, &[Type::Integer]).await?.first().and_then(|row| row.integer(0)) {
        let mut tx = database.begin().await?;
        delete(auth, &mut tx, token, settings).await?;
        tx.commit().await?;
    } else if !database.read(&refresh::find(sent, client.id), &refresh::TYPES).await?.is_empty() {
        revoke_family(auth, "refresh_tokens", sent, settings).await?;
    }
    Ok(Response::json(StatusCode::OK, Map::new()))
}

/// Revokes the token that a code or a refresh token led to.
pub(super) async fn revoke_family(
    auth: &Authenticator,
    table: &'static str,
    secret: &str,
    settings: &Settings,
) -> Result<(), Error> {
    // Read with a lock in the transaction: a concurrent refresh must not move the family.
    let query = Query::select()
        .expr(column(table, "token_id"))
        .from(Alias::new(table))
        .and_where(column(table, "digest").eq(digest(secret)))
        .lock(LockType::Update)
        .to_owned();
    let mut tx = auth.engine.database.begin().await?;
    let rows = tx.read(&query, &[Type::Integer]).await?;
    if let Some(token) = rows.first().and_then(|row| row.integer(0)) {
        delete(auth, &mut tx, token, settings).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Deletes a token and its refresh tokens. The activity stream entry has no actor,
/// because no user did it.
async fn delete(auth: &Authenticator, tx: &mut Transaction, token: i64, settings: &Settings) -> Result<(), Error> {
    match auth.engine.delete_in_transaction(tx, &settings.system_actor(), &TOKEN, &ObjectKey::Id(token), None).await {
        // Deleted already.
        Ok(()) | Err(Error::NotFound(_)) => Ok(()),
        Err(failure) => Err(failure),
    }
}
