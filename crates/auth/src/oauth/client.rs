//! OAuth2 clients: the registered applications.

use hostler_database::{Error as DatabaseError, Type};
use hostler_http::{HandlerError, Request};
use hostler_identity::header::{AuthorizationHeader, parse_authorization};
use hostler_identity::token::is_digest_of;
use hostler_resources::applications::{CONFIDENTIAL, redirect_uris};
use hostler_schema::column;
use http::header;
use percent_encoding::percent_decode_str;
use sea_query::{Alias, ExprTrait, Query};

use super::error::OAuthError;
use super::params::Params;
use crate::authenticator::Authenticator;

/// A registered application.
pub(super) struct Client {
    pub id: i64,
    pub name: String,
    pub organization: String,
    pub is_confidential: bool,
    pub grant_type: String,
    pub skips_consent: bool,
    secret_digest: Option<String>,
    redirect_uris: String,
}

impl Client {
    /// The application with this `client_id`.
    pub(super) async fn find(auth: &Authenticator, client_id: &str) -> Result<Option<Self>, DatabaseError> {
        const COLUMNS: [&str; 7] = [
            "id",
            "name",
            "client_type",
            "authorization_grant_type",
            "skip_authorization",
            "client_secret",
            "redirect_uris",
        ];
        let query = Query::select()
            .exprs(COLUMNS.map(|name| column("applications", name)))
            .expr(column("organizations", "name"))
            .from(Alias::new("applications"))
            .inner_join(
                Alias::new("organizations"),
                column("organizations", "id").eq(column("applications", "organization_id")),
            )
            .and_where(column("applications", "client_id").eq(client_id))
            .to_owned();
        let types =
            [Type::Integer, Type::Text, Type::Text, Type::Text, Type::Boolean, Type::Text, Type::Text, Type::Text];
        let rows = auth.engine.database.read(&query, &types).await?;
        let text = |index| rows.first().and_then(|row| row.text(index)).unwrap_or_default().to_owned();
        Ok(rows.first().and_then(|row| {
            Some(Client {
                id: row.integer(0)?,
                name: text(1),
                organization: text(7),
                is_confidential: text(2) == CONFIDENTIAL,
                grant_type: text(3),
                skips_consent: row.boolean(4),
                secret_digest: row.text(5).map(str::to_owned),
                redirect_uris: text(6),
            })
        }))
    }

    /// Authenticates the application by HTTP Basic or by parameters in the body, not
    /// by both (RFC 6749, section 2.3). A public one only sends its `client_id`.
    pub(super) async fn authenticated(
        auth: &Authenticator,
        request: &Request,
        params: &Params,
    ) -> Result<Self, HandlerError> {
        let (named, secret) = (params.get("client_id")?, params.get("client_secret")?);
        let by_header = match request.headers.get(header::AUTHORIZATION) {
            None => None,
            Some(value) => match value.to_str().map(parse_authorization) {
                Ok(Ok(AuthorizationHeader::Basic { username, password })) => {
                    Some((decoded(&username), decoded(&password)))
                }
                _ => return Err(OAuthError::InvalidClient(true).into()),
            },
        };
        let unknown = || HandlerError::from(OAuthError::InvalidClient(by_header.is_some()));
        let (client_id, secret) = match (&by_header, named, secret) {
            (Some(_), _, Some(_)) => {
                return Err(OAuthError::Protocol(
                    "invalid_request",
                    "The application uses two authentication methods at once.",
                )
                .into());
            }
            (Some((header_id, _)), Some(named), None) if header_id != named => return Err(unknown()),
            (Some((header_id, secret)), _, None) => (header_id.as_str(), secret.as_str()),
            (None, Some(named), secret) => (named, secret.unwrap_or_default()),
            (None, None, _) => return Err(unknown()),
        };
        let client = Self::find(auth, client_id).await?.ok_or_else(unknown)?;
        // A missing digest matches nothing.
        let is_proved = is_digest_of(client.secret_digest.as_deref().unwrap_or_default(), secret);
        if client.is_confidential && !is_proved { Err(unknown()) } else { Ok(client) }
    }

    /// The address to redirect to: the requested one if exactly that is registered, or
    /// the only registered one if none is requested (RFC 6749, section
    /// 3.1.2.3; RFC 9700, section 2.1).
    pub(super) fn redirect_uri<'a>(&'a self, requested: Option<&str>) -> Option<&'a str> {
        let mut registered = redirect_uris(&self.redirect_uris);
        match requested {
            Some(requested) => registered.find(|uri| *uri == requested),
            None => registered.next().filter(|_| registered.next().is_none()),
        }
    }
}

/// Name and secret are form-encoded before they go into the header (RFC 6749, section 2.3.1).
fn decoded(text: &str) -> String {
    // PostgreSQL rejects NUL in a parameter; no client_id contains a space.
    percent_decode_str(text).decode_utf8_lossy().replace('\0', " ")
}
