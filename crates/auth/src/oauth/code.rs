//! Authorization codes: created when a user consents, used once.

use async_trait::async_trait;
use hostler_database::{Error as DatabaseError, Transaction, Type};
use hostler_engine::{Engine, Error, SystemWrite};
use hostler_http::{HandlerError, HandlerResult};
use hostler_identity::pkce;
use hostler_identity::token::{digest, new_token};
use hostler_schema::{Actor, column};
use hostler_settings::Settings;
use jiff::SignedDuration;
use sea_query::{Alias, ExprTrait, Query};

use super::client::Client;
use super::error::OAuthError;
use super::params::Params;
use super::revoke::revoke_family;
use crate::authenticator::Authenticator;
use crate::user_row::UserRow;

/// What a user consented to.
pub(super) struct Consent<'a> {
    pub user: i64,
    pub application: i64,
    /// As the request named it; empty if it named none.
    pub redirect_uri: &'a str,
    pub scope: &'a str,
    pub code_challenge: Option<&'a str>,
}

/// Creates a code for a consent.
pub(super) async fn create(
    auth: &Authenticator,
    consent: Consent<'_>,
    settings: &Settings,
) -> Result<String, DatabaseError> {
    let code = new_token();
    let now = auth.engine.clock.now();
    let age = SignedDuration::from_secs(settings.lifetimes.authorization_code);
    let insert = Query::insert()
        .into_table(Alias::new("authorization_codes"))
        .columns(
            ["digest", "user_id", "application_id", "redirect_uri", "scope", "code_challenge", "created", "expires"]
                .map(Alias::new),
        )
        .values_panic([
            code.digest.into(),
            consent.user.into(),
            consent.application.into(),
            consent.redirect_uri.into(),
            consent.scope.into(),
            consent.code_challenge.map(str::to_owned).into(),
            now.into(),
            now.checked_add(age).unwrap_or(now).into(),
        ])
        .to_owned();
    // Used codes stay with their token, so that reuse is recognized.
    let expired = Query::delete()
        .from_table(Alias::new("authorization_codes"))
        .and_where(column("authorization_codes", "expires").lt(now))
        .and_where(column("authorization_codes", "token_id").is_null())
        .to_owned();
    let mut tx = auth.engine.database.begin().await?;
    tx.execute(&expired).await?;
    tx.insert(&insert).await?;
    tx.commit().await?;
    Ok(code.plain)
}

/// The grant `authorization_code` (RFC 6749, section 4.1.3).
pub(super) async fn exchange(
    auth: &Authenticator,
    client: &Client,
    params: &Params,
    settings: &Settings,
) -> HandlerResult {
    let code = params.required("code")?;
    let (redirect_uri, verifier) = (params.get("redirect_uri")?, params.get("code_verifier")?);
    let query = Query::select()
        .exprs(
            ["id", "user_id", "redirect_uri", "scope", "code_challenge", "expires", "token_id"]
                .map(|name| column("authorization_codes", name)),
        )
        .from(Alias::new("authorization_codes"))
        .and_where(column("authorization_codes", "digest").eq(digest(code)))
        .and_where(column("authorization_codes", "application_id").eq(client.id))
        .to_owned();
    let types = [Type::Integer, Type::Integer, Type::Text, Type::Text, Type::Text, Type::Time, Type::Integer];
    let rows = auth.engine.database.read(&query, &types).await?;
    let row = rows.first().ok_or_else(OAuthError::invalid_grant)?;
    if row.integer(6).is_some() {
        return Err(reused(auth, code, settings).await);
    }
    let is_valid = row.time(5).is_some_and(|expires| expires > auth.engine.clock.now());
    let requested = row.text(2).unwrap_or_default();
    let same_redirect_uri = match redirect_uri {
        Some(uri) if requested.is_empty() => client.redirect_uri(None) == Some(uri),
        sent => sent.unwrap_or_default() == requested,
    };
    let is_proved = match (row.text(4), verifier) {
        (Some(challenge), Some(verifier)) => pkce::verify(challenge, verifier),
        // A verifier without a challenge means that an attacker removed the
        // challenge from the request (RFC 9700, section 4.8.2).
        (None, None) => true,
        _ => false,
    };
    if !(is_valid && same_redirect_uri && is_proved) {
        return Err(OAuthError::invalid_grant().into());
    }
    let (Some(id), Some(user), Some(scope)) = (row.integer(0), row.integer(1), row.text(3)) else {
        return Err(OAuthError::invalid_grant().into());
    };
    let user = UserRow::by_id(auth, user).await?.actor().ok_or_else(OAuthError::invalid_grant)?;
    match super::token::issue(auth, &user, client, scope, &Code { id }).await {
        // Another request used the same code first.
        Err(HandlerError::Engine(Error::Conflict(_))) => Err(reused(auth, code, settings).await),
        other => other,
    }
}

/// A code that is used twice was stolen: the token from its first use is revoked
/// (RFC 6749, section 4.1.2).
async fn reused(auth: &Authenticator, code: &str, settings: &Settings) -> HandlerError {
    tracing::warn!("an authorization code was used again: its token is revoked");
    match revoke_family(auth, "authorization_codes", code, settings).await {
        Ok(()) => OAuthError::invalid_grant().into(),
        Err(error) => error.into(),
    }
}

/// Creating a token consumes the code.
struct Code {
    id: i64,
}

#[async_trait]
impl SystemWrite for Code {
    async fn consume(&self, _engine: &Engine, tx: &mut Transaction, _actor: &Actor, id: i64) -> Result<(), Error> {
        let consume = Query::update()
            .table(Alias::new("authorization_codes"))
            .value(Alias::new("token_id"), id)
            .and_where(column("authorization_codes", "id").eq(self.id))
            .and_where(column("authorization_codes", "token_id").is_null())
            .to_owned();
        match tx.execute(&consume).await? {
            1 => Ok(()),
            _ => Err(Error::Conflict("The code was used at the same moment.".into())),
        }
    }
}
