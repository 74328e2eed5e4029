//! Who makes the request: Bearer, then Basic, then a session.

use std::sync::Arc;

use axum::http::{HeaderMap, Method, StatusCode, header};
use hostler_access::is_organization_admin;
use hostler_database::{Dialect, Error as DatabaseError, PreparedQuery, Row, Type};
use hostler_engine::Error;
use hostler_identity::header::{Credentials, InvalidAuthorization, parse_authorization};
use hostler_identity::password::passwords;
use hostler_identity::session::{Session, binding};
use hostler_identity::token::{self, Scope, digest, parse_scope};
use hostler_listener::PeerAddr;
use hostler_schema::{Actor, column};
use jiff::Timestamp;
use sea_query::{Alias, Expr, ExprTrait, Query, SelectStatement, Value};
use serde_json::json;
use tokio::time::Instant;

use crate::browse::form::is_form;
use crate::client_info::ClientInfo;
use crate::cookies::{CSRF_HEADER, SESSION_COOKIE, check_csrf, cookie};
use crate::error::error_response;
use crate::last_used::Used;
use crate::ldap;
use crate::request::is_safe;
use crate::response::{Content, Response};
use crate::session_age;
use crate::settings::definitions::authentication::{AUTH_BASIC_ENABLED, DISABLE_LOCAL_AUTH};
use crate::settings::{GENERATION_TABLE, Settings};
use crate::sign_in::{Attempt, CheckedPassword, PasswordCredentials, check, has_second_factor};
use crate::state::App;

const NOT_PROVIDED: &str =
    "Authentication credentials were not provided. To establish a login session, visit /api/login/.";

const CODE_NEEDED: &str =
    "This user has a second factor, for which a password with each request has no place: use a token, or log in.";

/// The one answer to whoever is not, or wrongly, authenticated: it does not
/// tell which, nor whether the user exists.
pub(crate) fn unauthenticated() -> Response {
    Response::detail(StatusCode::UNAUTHORIZED, NOT_PROVIDED)
        .with(header::WWW_AUTHENTICATE, "Bearer realm=api authorization_url=/api/o/authorize/")
}

/// The columns of `users` that make an actor, in the order of [`actor`].
const USER_COLUMNS: [&str; 7] =
    ["id", "username", "is_superuser", "is_system_auditor", "is_active", "password", "external_account"];
const USER_TYPES: [Type; 7] =
    [Type::Integer, Type::Text, Type::Boolean, Type::Boolean, Type::Boolean, Type::Text, Type::Text];
/// How many columns [`asking`] reads: those of a user, the generation of the settings, and whether the user
/// administers an organization.
const ASKED: usize = USER_COLUMNS.len() + 2;

/// What a request's credentials come to.
pub(crate) struct Authentication {
    /// The settings in force when the credentials were looked up; if the database did not answer, the last that
    /// were known.
    pub settings: Arc<Settings>,
    pub client: ClientInfo,
    /// Whether the session lasts longer now, so that the browser must be told.
    pub renewed: bool,
    /// The actor, `None` for nobody; or 401 for credentials that are wrong, 403 for a forged session request.
    pub actor: Result<Option<Actor>, Response>,
}

/// What a request presents of itself.
#[derive(Clone, Copy)]
pub(crate) struct RequestHead<'a> {
    pub headers: &'a HeaderMap,
    pub method: &'a Method,
    /// The other end of the connection.
    pub peer: PeerAddr,
}

impl RequestHead<'_> {
    /// Finds out who asks, and what settings are in force: both in one statement.
    pub(crate) async fn authenticate(self, app: &App) -> Authentication {
        let authorization = self.headers.get(header::AUTHORIZATION);
        let found = match authorization.map(|value| value.to_str().map(parse_authorization)) {
            Some(Ok(Ok(Credentials::Bearer(token)))) => by_token(app, &token).await,
            Some(Ok(Ok(Credentials::Basic { username, password }))) => {
                // Boxed, here and elsewhere: each request moves a future that has room for whatever it may come to.
                Box::pin(by_basic(app, self, &username, &password)).await
            }
            // A scheme that we do not speak counts as no credentials, as in AWX.
            Some(Ok(Err(InvalidAuthorization::UnknownScheme))) => return self.of_nobody(app).await,
            Some(_) => {
                let asking = self.of_nobody(app).await;
                return Authentication { actor: asking.actor.and_then(|_| Err(unauthenticated())), ..asking };
            }
            None => match cookie(self.headers, SESSION_COOKIE) {
                Some(secret) => match find_session(app, secret).await {
                    Ok(found) => return Box::pin(self.in_session(app, found)).await,
                    Err(error) => Err(error),
                },
                None => return self.of_nobody(app).await,
            },
        };
        match found {
            Ok((settings, actor)) => self.come_to(settings, actor),
            Err(error) => self.unanswered(app, error),
        }
    }

    /// For whom a session was looked up.
    async fn in_session(self, app: &App, found: SessionLookup) -> Authentication {
        let SessionLookup { settings, session } = found;
        let Some((actor, id, expires)) = session else { return self.come_to(settings, Ok(None)) };
        let asking = self.come_to(settings, Ok(Some(actor)));
        // A browser may have been made to send it. A form shows its token once its body is read: see `form::decode`,
        // which every form of a session goes through.
        if !is_safe(self.method) && !is_form(self.method, self.headers) {
            let sent = self.headers.get(CSRF_HEADER).and_then(|value| value.to_str().ok());
            if let Err(response) = check_csrf(&asking.settings, asking.client, self.headers, sent) {
                return Authentication { actor: Err(response), ..asking };
            }
        }
        let renewed = session_age::renew(app, &asking.settings, self.headers, id, expires).await;
        Authentication { renewed, ..asking }
    }

    /// For whom there is nothing to look up; the settings are read all the same.
    pub(crate) async fn of_nobody(self, app: &App) -> Authentication {
        match app.settings.now(&app.engine.database).await {
            Ok(settings) => self.come_to(settings, Ok(None)),
            Err(error) => self.unanswered(app, error),
        }
    }

    fn unanswered(self, app: &App, error: DatabaseError) -> Authentication {
        self.come_to(app.settings.last(), Err(error_response(error.into(), self.method.as_str())))
    }

    fn come_to(self, settings: Arc<Settings>, actor: Result<Option<Actor>, Response>) -> Authentication {
        Authentication { client: ClientInfo::new(&settings, self.peer, self.headers), settings, renewed: false, actor }
    }
}

/// The settings in force, and the actor or the refusal.
type Found = (Arc<Settings>, Result<Option<Actor>, Response>);

async fn by_token(app: &App, token: &str) -> Result<Found, DatabaseError> {
    let (settings, row) = ask(app, &app.user_queries.by_token, digest(token)).await?;
    let live = row.time(ASKED + 1).is_some_and(|expires| expires > app.engine.clock.now());
    let Some(mut actor) = actor(&row, &settings).filter(|_| live) else {
        return Ok((settings, Err(unauthenticated())));
    };
    // A scope that cannot be read allows the least.
    actor.can_write = matches!(parse_scope(row.text(ASKED).unwrap_or_default()), Ok(Scope::Write));
    if let Some(id) = row.integer(ASKED + 2) {
        app.last_used.note(&app.engine, Used::Token, id, row.time(ASKED + 3));
    }
    Ok((settings, Ok(Some(actor))))
}

async fn by_basic(
    app: &App,
    presented: RequestHead<'_>,
    username: &str,
    password: &str,
) -> Result<Found, DatabaseError> {
    let (settings, row) = named(app, username).await?;
    // Ignored, as in AWX: what anybody may see is answered.
    if !settings.boolean(&AUTH_BASIC_ENABLED) {
        return Ok((settings, Ok(None)));
    }
    let address = ClientInfo::new(&settings, presented.peer, presented.headers).address;
    let actor = match check_row(app, &settings, &row, PasswordCredentials { username, password, address }, true).await {
        Ok(Some(entered)) if entered.needs_code => Err(code_needed()),
        Ok(Some(entered)) => Ok(Some(entered.complete().await)),
        Ok(None) => Err(unauthenticated()),
        Err(failure) => Err(error_response(failure, presented.method.as_str())),
    };
    Ok((settings, actor))
}

/// What is told to those who gave the right password of a user with a second factor, with a request that has no place
/// for a code.
fn code_needed() -> Response {
    Response { content: Content::Json(json!({"detail": CODE_NEEDED})), ..unauthenticated() }
}

/// A user whose password was right. They are not in before [`PasswordVerified::complete`].
pub(crate) struct PasswordVerified {
    actor: Actor,
    /// Whether the user has a second factor, of which a code is to be asked for.
    pub needs_code: bool,
    /// None if the password was found right a moment ago.
    attempt: Option<Attempt>,
}

impl PasswordVerified {
    pub(crate) fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Nothing more is asked for.
    pub(crate) async fn complete(self) -> Actor {
        if let Some(attempt) = self.attempt {
            attempt.succeeded().await;
        }
        self.actor
    }
}

/// The user with this name and password, if they may use it.
///
/// # Errors
/// [`Error::TooManyAttempts`], and what the database says.
pub(crate) async fn check_password(
    app: &App,
    given: PasswordCredentials<'_>,
) -> Result<Option<PasswordVerified>, Error> {
    let (settings, row) = named(app, given.username).await?;
    check_row(app, &settings, &row, given, false).await
}

/// The settings, and the row of the user with this name.
async fn named(app: &App, username: &str) -> Result<(Arc<Settings>, Row), DatabaseError> {
    // No name holds a NUL, and PostgreSQL would refuse the question.
    let name = if username.contains('\0') { "" } else { username };
    ask(app, &app.user_queries.by_name, name).await
}

/// The user in this row of [`named`], if the password is theirs and they may use it.
///
/// Whoever does not exist, or may not, costs as much time as whoever may.
///
/// `remembers` is whether a directory's word of a moment ago will do.
async fn check_row(
    app: &App,
    settings: &Settings,
    row: &Row,
    given: PasswordCredentials<'_>,
    remembers: bool,
) -> Result<Option<PasswordVerified>, Error> {
    // Names that local users have are theirs, whatever a directory knows of them.
    let is_local = row.integer(0).is_some() && row.text(6).is_none();
    if settings.has_directories() && !is_local {
        let Some((user, attempt)) = ldap::check(app, settings, given, remembers).await? else { return Ok(None) };
        // What the directory says of the user has just been written.
        let Some(actor) = load_actor(app, user).await? else {
            refuse(app, settings, given, attempt).await;
            return Ok(None);
        };
        return Ok(Some(PasswordVerified { actor, needs_code: row.integer(ASKED).is_some(), attempt }));
    }
    let stored = row.integer(0).map(|id| (id, row.text(5).unwrap_or_default()));
    let (attempt, rehashes) = match check(app, settings, stored, given).await? {
        CheckedPassword::Wrong(attempt) => {
            refuse(app, settings, given, Some(attempt)).await;
            return Ok(None);
        }
        CheckedPassword::Correct(attempt) => (attempt, false),
        CheckedPassword::CorrectNeedsRehash(attempt) => (Some(attempt), true),
    };
    let user = if settings.boolean(&DISABLE_LOCAL_AUTH) { None } else { actor(row, settings) };
    let Some(actor) = user else {
        // As it is for a wrong one: who may not sign in is not told that the password is right.
        refuse(app, settings, given, attempt).await;
        return Ok(None);
    };
    if let (true, Some((id, stored))) = (rehashes, stored) {
        rehash(app, id, given.password, stored).await;
    }
    Ok(Some(PasswordVerified { actor, needs_code: row.integer(ASKED).is_some(), attempt }))
}

/// Counts a failed attempt, and where there are directories takes as long over it as they do.
async fn refuse(app: &App, settings: &Settings, given: PasswordCredentials<'_>, attempt: Option<Attempt>) {
    let began = attempt.as_ref().map_or_else(Instant::now, Attempt::began);
    if let Some(attempt) = attempt {
        attempt.failed();
    }
    if settings.has_directories() {
        ldap::refuse_alike(app, settings, given.username, began).await;
    }
}

/// Stores a password in today's form. Failing to is no reason to refuse the login.
async fn rehash(app: &App, id: i64, password: &str, stored: &str) {
    let stored = stored.to_owned();
    let outcome = async {
        let hash =
            passwords().hash(password.to_owned()).await.map_err(|problem| Error::Internal(problem.to_string()))?;
        let mut tx = app.engine.database.begin().await?;
        let update = Query::update()
            .table(Alias::new("users"))
            .value(Alias::new("password"), hash.as_str())
            .and_where(column("users", "id").eq(id))
            // Unless it was changed meanwhile.
            .and_where(column("users", "password").eq(stored.as_str()))
            .to_owned();
        tx.execute(&update).await?;
        // The same password in another form: its sessions stay.
        let rebind = Query::update()
            .table(Alias::new("sessions"))
            .value(Alias::new("binding"), binding(&app.engine.secret, id, &hash))
            .and_where(column("sessions", "user_id").eq(id))
            .to_owned();
        tx.execute(&rebind).await?;
        tx.commit().await.map_err(Error::from)
    };
    if let Err(problem) = outcome.await {
        tracing::warn!(user = id, ?problem, "could not store a password in today's form");
    }
}

/// The active user with this id.
pub(crate) async fn load_actor(app: &App, id: i64) -> Result<Option<Actor>, DatabaseError> {
    let (settings, row) = ask(app, &app.user_queries.by_id, id).await?;
    Ok(actor(&row, &settings))
}

/// The active user with this id, and the stored password, for whoever has given the right one a moment ago.
pub(crate) async fn load_actor_and_hash(app: &App, id: i64) -> Result<Option<(Actor, String)>, DatabaseError> {
    let (settings, row) = ask(app, &app.user_queries.by_id, id).await?;
    Ok(actor(&row, &settings).map(|user| (user, row.text(5).unwrap_or_default().to_owned())))
}

/// What a session comes to.
pub(crate) struct SessionLookup {
    pub settings: Arc<Settings>,
    /// Its user, its id and its end, if it is one and not over.
    pub session: Option<(Actor, i64, Timestamp)>,
}

/// The user of a session, by the secret in its cookie.
pub(crate) async fn find_session(app: &App, secret: &str) -> Result<SessionLookup, DatabaseError> {
    let (settings, row) = ask(app, &app.user_queries.by_session, token::digest(secret)).await?;
    let (Some(user_id), Some(id), Some(bound), Some(expires_at)) =
        (row.integer(0), row.integer(ASKED), row.text(ASKED + 1), row.time(ASKED + 2))
    else {
        return Ok(SessionLookup { settings, session: None });
    };
    let current = binding(&app.engine.secret, user_id, row.text(5).unwrap_or_default());
    let session = Session { user_id, binding: bound.to_owned(), expires_at };
    let user = actor(&row, &settings).filter(|_| session.is_alive(app.engine.clock.now(), &current));
    if user.is_some() {
        app.last_used.note(&app.engine, Used::Session, id, row.time(ASKED + 3));
    }
    let session = user.map(|user| (Actor { session: Some(id), ..user }, id, session.expires_at));
    Ok(SessionLookup { settings, session })
}

/// The questions for one user, each told one value.
pub(crate) struct UserQueries {
    /// By the digest of a token; with its scope, end, id and last use.
    by_token: PreparedQuery,
    /// By the name; with the id of the second factor.
    by_name: PreparedQuery,
    /// By the digest of a session's secret; with its id, binding, end and last use.
    by_session: PreparedQuery,
    /// By the id.
    by_id: PreparedQuery,
}

impl UserQueries {
    pub(crate) fn new(dialect: Dialect) -> Self {
        let of_user = |table| ("users", column("users", "id").eq(column(table, "user_id")));
        let by_token = [("tokens", column("tokens", "digest").eq(SOMETHING)), of_user("tokens")];
        let mut by_token = asking(by_token);
        by_token.exprs(["scope", "expires", "id", "last_used"].map(|name| column("tokens", name)));
        let by_name = [("users", column("users", "username").eq(SOMETHING)), ("second_factors", has_second_factor())];
        let mut by_name = asking(by_name);
        by_name.expr(column("second_factors", "id"));
        let by_session = [("sessions", column("sessions", "digest").eq(SOMETHING)), of_user("sessions")];
        let mut by_session = asking(by_session);
        by_session.exprs(["id", "binding", "expires", "last_used"].map(|name| column("sessions", name)));
        let by_id = asking([("users", column("users", "id").eq(SOMETHING))]);
        let question = |query: &SelectStatement, more: &[Type]| {
            let types = [&USER_TYPES, &[Type::Integer, Type::Boolean][..], more].concat();
            PreparedQuery::new(dialect, query, types, [SOMETHING.into()])
        };
        UserQueries {
            by_token: question(&by_token, &[Type::Text, Type::Time, Type::Integer, Type::Time]),
            by_name: question(&by_name, &[Type::Integer]),
            by_session: question(&by_session, &[Type::Integer, Type::Text, Type::Time, Type::Time]),
            by_id: question(&by_id, &[]),
        }
    }
}

/// Stands in a question for what it is told.
const SOMETHING: &str = "?";

/// The question for one user, by joining these tables one after the other, and for the generation of the settings.
/// It is answered by one row, with nulls where there is no such user.
fn asking<const N: usize>(by: [(&'static str, Expr); N]) -> SelectStatement {
    let mut query = Query::select();
    query
        .exprs(USER_COLUMNS.map(|name| column("users", name)))
        .expr(column(GENERATION_TABLE, "generation"))
        .expr(is_organization_admin(column("users", "id")))
        .from(Alias::new(GENERATION_TABLE));
    for (table, condition) in by {
        query.left_join(Alias::new(table), condition);
    }
    query
}

/// The settings in force, and the row that answers the question.
async fn ask(
    app: &App,
    question: &PreparedQuery,
    told: impl Into<Value>,
) -> Result<(Arc<Settings>, Row), DatabaseError> {
    let rows = app.engine.database.read_prepared(question, &[told.into()]).await?;
    let missing = || DatabaseError::Internal("the generation of the settings is missing".into());
    let row = rows.into_iter().next().ok_or_else(missing)?;
    let generation = row.integer(USER_COLUMNS.len()).ok_or_else(missing)?;
    Ok((app.settings.of_generation(generation, &app.engine.database).await?, row))
}

/// The actor that a row of [`asking`] makes; none for a user who is not active, or is known here only by a
/// password when such do not count.
fn actor(row: &Row, settings: &Settings) -> Option<Actor> {
    let id = row.integer(0)?;
    let external_account = row.text(6).map(str::to_owned);
    let counts = external_account.is_some() || !settings.boolean(&DISABLE_LOCAL_AUTH);
    (row.boolean(4) && counts).then(|| Actor {
        id,
        username: row.text(1).unwrap_or_default().to_owned(),
        is_superuser: row.boolean(2),
        is_system_auditor: row.boolean(3),
        is_organization_admin: row.boolean(USER_COLUMNS.len() + 1),
        can_write: true,
        session: None,
        external_account,
        policy: settings.policy(),
    })
}
