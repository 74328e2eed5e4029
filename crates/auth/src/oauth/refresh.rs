//! Refreshing: a new token and a new refresh token for an old one.

use async_trait::async_trait;
use hostler_database::{Transaction, Type};
use hostler_engine::{Engine, Error, ObjectKey, SystemWrite};
use hostler_http::{HandlerError, HandlerResult};
use hostler_identity::token::{digest, parse_scope};
use hostler_resources::TOKEN;
use hostler_schema::{Actor, column};
use hostler_settings::Settings;
use sea_query::{Alias, ExprTrait, Query, SelectStatement};

use super::client::Client;
use super::error::OAuthError;
use super::params::Params;
use super::revoke::revoke_family;
use crate::authenticator::Authenticator;
use crate::user_row::UserRow;

/// The grant `refresh_token` (RFC 6749, section 6). Each refresh token is used
/// once: a second use, by a thief or by the owner, revokes the whole family
/// (RFC 9700, section 4.14.2).
pub(super) async fn refresh(
    auth: &Authenticator,
    client: &Client,
    params: &Params,
    settings: &Settings,
) -> HandlerResult {
    let (sent, requested) = (params.required("refresh_token")?, params.get("scope")?);
    let rows = auth.engine.database.read(&find(sent, client.id), &TYPES).await?;
    let row = rows.first().ok_or_else(OAuthError::invalid_grant)?;
    if row.time(3).is_some() {
        return Err(reused(auth, sent, settings).await);
    }
    let (Some(id), Some(token), Some(user), Some(scope)) =
        (row.integer(0), row.integer(1), row.integer(4), row.text(5))
    else {
        return Err(OAuthError::invalid_grant().into());
    };
    if row.time(2).is_none_or(|expires| expires <= auth.engine.clock.now()) {
        return Err(OAuthError::invalid_grant().into());
    }
    let scope = narrowed(scope, requested)?;
    let user = UserRow::by_id(auth, user).await?.actor().ok_or_else(OAuthError::invalid_grant)?;
    match super::token::issue(auth, &user, client, scope, &Rotation { id, token }).await {
        // Another request used the same refresh token first, or the user has just revoked it.
        Err(HandlerError::Engine(Error::Conflict(_) | Error::NotFound(_))) => Err(reused(auth, sent, settings).await),
        other => other,
    }
}

/// The types of the columns of [`find`].
pub(super) const TYPES: [Type; 6] = [Type::Integer, Type::Integer, Type::Time, Type::Time, Type::Integer, Type::Text];

/// The refresh token, if it is one of this application's: id, the family's
/// token, when it expires, when it was rotated, and the token's user and scope.
pub(super) fn find(refresh_token: &str, application: i64) -> SelectStatement {
    Query::select()
        .exprs(["id", "token_id", "expires", "rotated"].map(|name| column("refresh_tokens", name)))
        .exprs(["user_id", "scope"].map(|name| column("tokens", name)))
        .from(Alias::new("refresh_tokens"))
        .inner_join(Alias::new("tokens"), column("tokens", "id").eq(column("refresh_tokens", "token_id")))
        .and_where(column("refresh_tokens", "digest").eq(digest(refresh_token)))
        .and_where(column("tokens", "application_id").eq(application))
        .to_owned()
}

/// The scope of the next token: that of the last, or a narrower one if requested.
/// A scope that was given up, or taken away by the token's owner, does not come back.
fn narrowed<'a>(granted: &'a str, requested: Option<&'a str>) -> Result<&'a str, OAuthError> {
    let Some(requested) = requested else { return Ok(granted) };
    match (parse_scope(requested), parse_scope(granted)) {
        (Ok(wanted), Ok(most)) if wanted <= most => Ok(requested),
        _ => Err(OAuthError::Protocol("invalid_scope", "The scope is unknown, or wider than the one granted.")),
    }
}

async fn reused(auth: &Authenticator, refresh_token: &str, settings: &Settings) -> HandlerError {
    tracing::warn!("a refresh token was used again: its family is revoked");
    match revoke_family(auth, "refresh_tokens", refresh_token, settings).await {
        Ok(()) => OAuthError::invalid_grant().into(),
        Err(error) => error.into(),
    }
}

/// Creating a token consumes the refresh token and replaces the last token.
struct Rotation {
    id: i64,
    token: i64,
}

#[async_trait]
impl SystemWrite for Rotation {
    async fn consume(&self, engine: &Engine, tx: &mut Transaction, actor: &Actor, id: i64) -> Result<(), Error> {
        let now = engine.clock.now();
        let rotate = Query::update()
            .table(Alias::new("refresh_tokens"))
            .value(Alias::new("rotated"), now)
            .and_where(column("refresh_tokens", "id").eq(self.id))
            .and_where(column("refresh_tokens", "rotated").is_null())
            .to_owned();
        if tx.execute(&rotate).await? != 1 {
            return Err(Error::Conflict("The refresh token was used at the same moment.".into()));
        }
        // Expired refresh tokens need not be recognized any more.
        let expired = Query::delete()
            .from_table(Alias::new("refresh_tokens"))
            .and_where(column("refresh_tokens", "token_id").eq(self.token))
            .and_where(column("refresh_tokens", "expires").lt(now))
            .to_owned();
        tx.execute(&expired).await?;
        // The family moves to the newest token, so that it outlives the last.
        for table in ["refresh_tokens", "authorization_codes"] {
            let relink = Query::update()
                .table(Alias::new(table))
                .value(Alias::new("token_id"), id)
                .and_where(column(table, "token_id").eq(self.token))
                .to_owned();
            tx.execute(&relink).await?;
        }
        engine.delete_in_transaction(tx, actor, &TOKEN, &ObjectKey::Id(self.token), None).await
    }
}

#[cfg(test)]
mod tests {
    use super::narrowed;

    #[test]
    fn scope_is_never_widened() {
        for (granted, asked, next) in [
            ("read", None, Some("read")),
            ("read write", None, Some("read write")),
            ("write", Some("read"), Some("read")),
            ("read write", Some("write"), Some("write")),
            ("read", Some("read"), Some("read")),
            ("read", Some("write"), None),
            ("read", Some("read write"), None),
            ("write", Some("admin"), None),
            ("nonsense", Some("read"), None),
        ] {
            assert_eq!(narrowed(granted, asked).ok(), next, "{granted} {asked:?}");
        }
    }
}
