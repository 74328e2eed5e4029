//! Authenticates a request: by a bearer token, else a username and password (Basic), else a session.

use std::borrow::Cow;
use std::sync::Arc;

use hostler_database::Error as DatabaseError;
use hostler_http::{
    CSRF_HEADER, ClientInfo, Content, HandlerError, Response, SESSION_COOKIE, check_csrf, cookie, is_form, is_safe,
};
use hostler_identity::header::{AuthorizationHeader, InvalidAuthorization, parse_authorization};
use hostler_identity::session::{Session, binding};
use hostler_identity::token::{Scope, parse_scope};
use hostler_identity::username::normalize_username;
use hostler_listener::PeerAddr;
use hostler_schema::Actor;
use hostler_settings::Settings;
use http::{HeaderMap, Method, StatusCode, header};
use serde_json::json;

use crate::authenticator::Authenticator;
use crate::last_used::Used;
use crate::session_age;
use crate::sign_in::{CacheUse, PasswordCredentials, check_user_password};
use crate::user_row::{SessionColumns, UserRow};

const NOT_AUTHENTICATED: &str =
    "Authentication credentials were not provided. To establish a login session, visit /api/login/.";

const CODE_REQUIRED: &str =
    "This user has a second factor, which Basic authentication cannot carry: use a token, or log in.";

/// 401 with the same body for missing and wrong credentials, so that it does not reveal whether the user exists.
pub fn unauthenticated() -> Response {
    Response::detail(StatusCode::UNAUTHORIZED, NOT_AUTHENTICATED)
        .with(header::WWW_AUTHENTICATE, "Bearer realm=api authorization_url=/api/o/authorize/")
}

/// 401 for the right password of a user with a second factor.
fn code_required() -> Response {
    Response { content: Content::Json(json!({"detail": CODE_REQUIRED})), ..unauthenticated() }
}

/// The authentication result of a request, before its body is read.
pub struct Authentication {
    /// The settings in force; if the database is unavailable, the cached ones.
    pub settings: Arc<Settings>,
    /// The client of the request.
    pub client: ClientInfo,
    /// Whether the credentials are valid.
    pub outcome: AuthOutcome,
}

/// The outcome of verifying a request's credentials.
pub enum AuthOutcome {
    /// There are no credentials, or ones that count as none, as in AWX.
    Anonymous,
    /// The credentials are valid.
    Authenticated {
        /// The user.
        actor: Actor,
        /// Whether the session now lasts longer, so that its cookie must be set again.
        session_renewed: bool,
    },
    /// 401 for wrong credentials, 403 for a forged session request, 429 for too many attempts, or an error of the
    /// server.
    Rejected(HandlerError),
}

impl AuthOutcome {
    fn authenticated(actor: Actor) -> Self {
        AuthOutcome::Authenticated { actor, session_renewed: false }
    }

    fn rejected(error: impl Into<HandlerError>) -> Self {
        AuthOutcome::Rejected(error.into())
    }
}

/// The credentials in a request's headers.
pub(crate) enum RequestCredentials<'a> {
    None,
    /// An `Authorization` header that cannot be read.
    Malformed,
    BearerToken(String),
    Basic {
        username: String,
        password: String,
    },
    /// The secret of a session.
    Session(&'a str),
}

impl<'a> RequestCredentials<'a> {
    pub(crate) fn from_headers(headers: &'a HeaderMap) -> Self {
        let Some(value) = headers.get(header::AUTHORIZATION) else {
            return cookie(headers, SESSION_COOKIE).map_or(Self::None, Self::Session);
        };
        match value.to_str().map(parse_authorization) {
            Ok(Ok(AuthorizationHeader::Bearer(token))) => Self::BearerToken(token),
            Ok(Ok(AuthorizationHeader::Basic { username, password })) => Self::Basic { username, password },
            // An unknown scheme counts as no credentials, as in AWX.
            Ok(Err(InvalidAuthorization::UnknownScheme)) => Self::None,
            Ok(Err(_)) | Err(_) => Self::Malformed,
        }
    }
}

/// The parts of a request that authenticate it.
#[derive(Clone, Copy)]
pub struct RequestHead<'a> {
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The method.
    pub method: &'a Method,
    /// The peer address of the connection.
    pub peer: PeerAddr,
}

/// The settings in force, and the outcome.
type Verified = (Arc<Settings>, AuthOutcome);

impl RequestHead<'_> {
    /// Verifies the request's credentials and loads the actor and the settings, in one statement.
    pub async fn authenticate(self, auth: &Authenticator) -> Authentication {
        let verified = match RequestCredentials::from_headers(self.headers) {
            RequestCredentials::None => self.count_as_none(auth).await,
            RequestCredentials::Malformed => {
                self.count_as_none(auth).await.map(|(settings, _)| (settings, AuthOutcome::rejected(unauthenticated())))
            }
            RequestCredentials::BearerToken(token) => verify_token(auth, &token).await,
            // Boxed: their futures are large, and every request would reserve the space for them.
            RequestCredentials::Basic { username, password } => {
                Box::pin(self.verify_basic(auth, &username, &password)).await
            }
            RequestCredentials::Session(secret) => Box::pin(self.verify_session(auth, secret)).await,
        };
        self.conclude(auth, verified)
    }

    /// Treats the request as anonymous, whatever its credentials.
    pub async fn anonymous(self, auth: &Authenticator) -> Authentication {
        let verified = self.count_as_none(auth).await;
        self.conclude(auth, verified)
    }

    async fn count_as_none(self, auth: &Authenticator) -> Result<Verified, DatabaseError> {
        Ok((auth.settings.reload(&auth.engine.database).await?, AuthOutcome::Anonymous))
    }

    fn conclude(self, auth: &Authenticator, verified: Result<Verified, DatabaseError>) -> Authentication {
        let (settings, outcome) =
            verified.unwrap_or_else(|error| (auth.settings.cached(), AuthOutcome::rejected(error)));
        Authentication { client: self.client(&settings), settings, outcome }
    }

    fn client(self, settings: &Settings) -> ClientInfo {
        ClientInfo::new(settings, self.peer, self.headers)
    }

    async fn verify_basic(
        self,
        auth: &Authenticator,
        username: &str,
        password: &str,
    ) -> Result<Verified, DatabaseError> {
        let username: Cow<'_, str> = normalize_username(username);
        let user = UserRow::by_name(auth, &username).await?;
        let settings = Arc::clone(&user.settings);
        // With Basic authentication disabled the header counts as no credentials.
        if !settings.basic_enabled {
            return Ok((settings, AuthOutcome::Anonymous));
        }
        let address = self.client(&settings).address;
        let credentials = PasswordCredentials { username: &username, password, address };
        let outcome = match check_user_password(auth, &user, credentials, CacheUse::Allowed).await {
            Ok(Some(verified)) if verified.needs_code => AuthOutcome::rejected(code_required()),
            Ok(Some(verified)) => AuthOutcome::authenticated(verified.complete().await),
            Ok(None) => AuthOutcome::rejected(unauthenticated()),
            Err(error) => AuthOutcome::rejected(error),
        };
        Ok((settings, outcome))
    }

    /// A session that is unknown or over counts as no credentials.
    async fn verify_session(self, auth: &Authenticator, secret: &str) -> Result<Verified, DatabaseError> {
        let user = UserRow::by_session(auth, secret).await?;
        let settings = Arc::clone(&user.settings);
        let Some((actor, session)) = session_actor(auth, &user) else {
            return Ok((settings, AuthOutcome::Anonymous));
        };
        auth.last_used.note(&auth.engine, Used::Session, session.id, session.last_used);
        // Another site may have made the browser send the request. A form's token is checked when its body is read: see
        // `form::decode`, which every form of a session passes.
        if !is_safe(self.method) && !is_form(self.method, self.headers) {
            let sent = self.headers.get(CSRF_HEADER).and_then(|value| value.to_str().ok());
            if let Err(response) = check_csrf(&settings, self.client(&settings), self.headers, sent) {
                return Ok((settings, AuthOutcome::rejected(response)));
            }
        }
        let session_renewed = match actor.session {
            Some(id) => session_age::renew(auth, &settings, self.headers, id, session.expires).await,
            None => false,
        };
        Ok((settings, AuthOutcome::Authenticated { actor, session_renewed }))
    }
}

async fn verify_token(auth: &Authenticator, token: &str) -> Result<Verified, DatabaseError> {
    let user = UserRow::by_token(auth, token).await?;
    let settings = Arc::clone(&user.settings);
    let token = user.token().filter(|token| token.expires > auth.engine.clock.now());
    let (Some(token), Some(actor)) = (token, user.actor()) else {
        return Ok((settings, AuthOutcome::rejected(unauthenticated())));
    };
    auth.last_used.note(&auth.engine, Used::Token, token.id, token.last_used);
    // A scope that cannot be read allows the least.
    let can_write = matches!(parse_scope(token.scope), Ok(Scope::Write));
    Ok((settings, AuthOutcome::authenticated(Actor { can_write, ..actor })))
}

/// The actor of a session that is not over, and the session.
pub(crate) fn session_actor<'u>(auth: &Authenticator, user: &'u UserRow) -> Option<(Actor, SessionColumns<'u>)> {
    let (user_id, columns) = (user.id()?, user.session()?);
    let session = Session { user_id, binding: columns.binding.to_owned(), expires_at: columns.expires };
    let current_binding = binding(&auth.engine.secret, user_id, user.password_hash());
    if !session.is_valid(auth.engine.clock.now(), &current_binding) {
        return None;
    }
    let actor = user.actor()?;
    Some((Actor { session: Some(columns.id), ..actor }, columns))
}

/// The actor of the session with this secret, if it is not over.
///
/// # Errors
/// Errors of the database.
pub(crate) async fn find_session(auth: &Authenticator, secret: &str) -> Result<Option<Actor>, DatabaseError> {
    let user = UserRow::by_session(auth, secret).await?;
    Ok(session_actor(auth, &user).map(|(actor, session)| {
        auth.last_used.note(&auth.engine, Used::Session, session.id, session.last_used);
        actor
    }))
}
