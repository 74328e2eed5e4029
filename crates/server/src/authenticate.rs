//! Authenticates a request: by a bearer token, else a username and password (Basic), else a session.

use std::borrow::Cow;
use std::sync::Arc;

use axum::http::{HeaderMap, Method, StatusCode, header};
use hostler_database::Error as DatabaseError;
use hostler_identity::header::{AuthorizationHeader, InvalidAuthorization, parse_authorization};
use hostler_identity::session::{Session, binding};
use hostler_identity::token::{Scope, parse_scope};
use hostler_identity::username::normalize_username;
use hostler_listener::PeerAddr;
use hostler_schema::Actor;
use serde_json::json;

use crate::browse::form::is_form;
use crate::client_info::ClientInfo;
use crate::cookies::{CSRF_HEADER, SESSION_COOKIE, check_csrf, cookie};
use crate::error::error_response;
use crate::last_used::Used;
use crate::request::is_safe;
use crate::response::{Content, Response};
use crate::session_age;
use crate::settings::Settings;
use crate::settings::definitions::authentication::AUTH_BASIC_ENABLED;
use crate::sign_in::{CacheUse, PasswordCredentials, check_user_password};
use crate::state::App;
use crate::user_row::UserRow;

const NOT_AUTHENTICATED: &str =
    "Authentication credentials were not provided. To establish a login session, visit /api/login/.";

const CODE_REQUIRED: &str =
    "This user has a second factor, which Basic authentication cannot carry: use a token, or log in.";

/// 401 with the same body for missing and wrong credentials, so that it does not reveal whether the user exists.
pub(crate) fn unauthenticated() -> Response {
    Response::detail(StatusCode::UNAUTHORIZED, NOT_AUTHENTICATED)
        .with(header::WWW_AUTHENTICATE, "Bearer realm=api authorization_url=/api/o/authorize/")
}

/// 401 for the right password of a user with a second factor.
fn code_required() -> Response {
    Response { content: Content::Json(json!({"detail": CODE_REQUIRED})), ..unauthenticated() }
}

/// The authentication result of a request, before its body is read.
pub(crate) struct Authentication {
    /// The settings in force; if the database is unavailable, the cached ones.
    pub settings: Arc<Settings>,
    pub client: ClientInfo,
    pub outcome: AuthOutcome,
}

/// The outcome of verifying a request's credentials.
pub(crate) enum AuthOutcome {
    /// There are no credentials, or ones that count as none, as in AWX.
    Anonymous,
    Authenticated {
        actor: Actor,
        /// Whether the session now lasts longer, so that its cookie must be set again.
        session_renewed: bool,
    },
    /// 401 for wrong credentials, 403 for a forged session request, 429 for too many attempts, or an error of the
    /// server.
    Rejected(Response),
}

impl AuthOutcome {
    fn authenticated(actor: Actor) -> Self {
        AuthOutcome::Authenticated { actor, session_renewed: false }
    }
}

/// The credentials in a request's headers.
enum RequestCredentials<'a> {
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
    fn from_headers(headers: &'a HeaderMap) -> Self {
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
pub(crate) struct RequestHead<'a> {
    pub headers: &'a HeaderMap,
    pub method: &'a Method,
    /// The peer address of the connection.
    pub peer: PeerAddr,
}

/// The settings in force, and the outcome.
type Verified = (Arc<Settings>, AuthOutcome);

impl RequestHead<'_> {
    /// Verifies the request's credentials and loads the actor and the settings, in one statement.
    pub(crate) async fn authenticate(self, app: &App) -> Authentication {
        let verified = match RequestCredentials::from_headers(self.headers) {
            RequestCredentials::None => self.count_as_none(app).await,
            RequestCredentials::Malformed => {
                self.count_as_none(app).await.map(|(settings, _)| (settings, AuthOutcome::Rejected(unauthenticated())))
            }
            RequestCredentials::BearerToken(token) => verify_token(app, &token).await,
            // Boxed: their futures are large, and every request would reserve the space for them.
            RequestCredentials::Basic { username, password } => {
                Box::pin(self.verify_basic(app, &username, &password)).await
            }
            RequestCredentials::Session(secret) => Box::pin(self.verify_session(app, secret)).await,
        };
        self.conclude(app, verified)
    }

    /// Treats the request as anonymous, whatever its credentials.
    pub(crate) async fn anonymous(self, app: &App) -> Authentication {
        let verified = self.count_as_none(app).await;
        self.conclude(app, verified)
    }

    async fn count_as_none(self, app: &App) -> Result<Verified, DatabaseError> {
        Ok((app.settings.reload(&app.engine.database).await?, AuthOutcome::Anonymous))
    }

    fn conclude(self, app: &App, verified: Result<Verified, DatabaseError>) -> Authentication {
        let (settings, outcome) = verified.unwrap_or_else(|error| {
            (app.settings.cached(), AuthOutcome::Rejected(error_response(error.into(), self.method.as_str())))
        });
        Authentication { client: self.client(&settings), settings, outcome }
    }

    fn client(self, settings: &Settings) -> ClientInfo {
        ClientInfo::new(settings, self.peer, self.headers)
    }

    async fn verify_basic(self, app: &App, username: &str, password: &str) -> Result<Verified, DatabaseError> {
        let username: Cow<'_, str> = normalize_username(username);
        let user = UserRow::by_name(app, &username).await?;
        let settings = Arc::clone(&user.settings);
        // With Basic authentication disabled the header counts as no credentials.
        if !settings.boolean(&AUTH_BASIC_ENABLED) {
            return Ok((settings, AuthOutcome::Anonymous));
        }
        let address = self.client(&settings).address;
        let credentials = PasswordCredentials { username: &username, password, address };
        let outcome = match check_user_password(app, &user, credentials, CacheUse::Allowed).await {
            Ok(Some(verified)) if verified.needs_code => AuthOutcome::Rejected(code_required()),
            Ok(Some(verified)) => AuthOutcome::authenticated(verified.complete().await),
            Ok(None) => AuthOutcome::Rejected(unauthenticated()),
            Err(error) => AuthOutcome::Rejected(error_response(error, self.method.as_str())),
        };
        Ok((settings, outcome))
    }

    /// A session that is unknown or over counts as no credentials.
    async fn verify_session(self, app: &App, secret: &str) -> Result<Verified, DatabaseError> {
        let user = UserRow::by_session(app, secret).await?;
        let settings = Arc::clone(&user.settings);
        let Some((actor, expires)) = session_actor(app, &user) else {
            return Ok((settings, AuthOutcome::Anonymous));
        };
        // Another site may have made the browser send the request. A form's token is checked when its body is read: see
        // `form::decode`, which every form of a session passes.
        if !is_safe(self.method) && !is_form(self.method, self.headers) {
            let sent = self.headers.get(CSRF_HEADER).and_then(|value| value.to_str().ok());
            if let Err(response) = check_csrf(&settings, self.client(&settings), self.headers, sent) {
                return Ok((settings, AuthOutcome::Rejected(response)));
            }
        }
        let session_renewed = match actor.session {
            Some(id) => session_age::renew(app, &settings, self.headers, id, expires).await,
            None => false,
        };
        Ok((settings, AuthOutcome::Authenticated { actor, session_renewed }))
    }
}

async fn verify_token(app: &App, token: &str) -> Result<Verified, DatabaseError> {
    let user = UserRow::by_token(app, token).await?;
    let settings = Arc::clone(&user.settings);
    let token = user.token().filter(|token| token.expires > app.engine.clock.now());
    let (Some(token), Some(actor)) = (token, user.actor()) else {
        return Ok((settings, AuthOutcome::Rejected(unauthenticated())));
    };
    app.last_used.note(&app.engine, Used::Token, token.id, token.last_used);
    // A scope that cannot be read allows the least.
    let can_write = matches!(parse_scope(token.scope), Ok(Scope::Write));
    Ok((settings, AuthOutcome::authenticated(Actor { can_write, ..actor })))
}

/// The actor of a session that is not over, and when it ends.
fn session_actor(app: &App, user: &UserRow) -> Option<(Actor, jiff::Timestamp)> {
    let (user_id, columns) = (user.id()?, user.session()?);
    let session = Session { user_id, binding: columns.binding.to_owned(), expires_at: columns.expires };
    let current_binding = binding(&app.engine.secret, user_id, user.password_hash());
    if !session.is_valid(app.engine.clock.now(), &current_binding) {
        return None;
    }
    let actor = user.actor()?;
    app.last_used.note(&app.engine, Used::Session, columns.id, columns.last_used);
    Some((Actor { session: Some(columns.id), ..actor }, columns.expires))
}

/// The actor of the session with this secret, if it is not over.
///
/// # Errors
/// Errors of the database.
pub(crate) async fn find_session(app: &App, secret: &str) -> Result<Option<Actor>, DatabaseError> {
    let user = UserRow::by_session(app, secret).await?;
    Ok(session_actor(app, &user).map(|(actor, _)| actor))
}
