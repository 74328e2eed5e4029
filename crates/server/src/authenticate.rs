//! Who makes the request: Bearer, then Basic, then a session.

use axum::http::{HeaderMap, Method, StatusCode, header};
use hostler_database::{Row, Type};
use hostler_identity::csrf;
use hostler_identity::header::{Credentials, Malformed, parse_authorization};
use hostler_identity::password::{Verdict, passwords};
use hostler_identity::session::{Session, binding};
use hostler_identity::token::{self, Scope, digest, parse_scope};
use hostler_resource::{Actor, column};
use hostler_rest::Failure;
use sea_query::{Alias, ExprTrait, Query, SelectStatement};

use crate::browse::form::is_form;
use crate::last_used::Used;
use crate::reply::Reply;
use crate::settings::Settings;
use crate::state::App;
use crate::status::reply_to;

/// The cookie that names a session, as AWX calls it.
pub(crate) const SESSION_COOKIE: &str = "awx_sessionid";
/// The cookie whose value must come back in a header for session requests that write.
pub(crate) const CSRF_COOKIE: &str = "csrftoken";
pub(crate) const CSRF_HEADER: &str = "x-csrftoken";

const NOT_PROVIDED: &str =
    "Authentication credentials were not provided. To establish a login session, visit /api/login/.";

/// The one answer to whoever is not, or wrongly, authenticated: it does not
/// tell which, nor whether the user exists.
pub(crate) fn unauthenticated() -> Reply {
    Reply::detail(StatusCode::UNAUTHORIZED, NOT_PROVIDED)
        .with(header::WWW_AUTHENTICATE, "Bearer realm=api authorization_url=/api/o/authorize/")
}

/// The columns of `users` that make an actor, in the order of [`actor`].
const USER_COLUMNS: [&str; 6] = ["id", "username", "is_superuser", "is_system_auditor", "is_active", "password"];
const USER_TYPES: [Type; 6] = [Type::Integer, Type::Text, Type::Boolean, Type::Boolean, Type::Boolean, Type::Text];

/// The actor of a request; `None` for nobody.
///
/// # Errors
/// 401 for credentials that are wrong, 403 for a forged session request.
pub(crate) async fn authenticate(
    app: &App,
    headers: &HeaderMap,
    method: &Method,
    settings: &Settings,
) -> Result<Option<Actor>, Reply> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let parsed = value.to_str().map(parse_authorization);
        return match parsed {
            Ok(Ok(Credentials::Bearer(token))) => by_token(app, &token, settings).await.map(Some),
            Ok(Ok(Credentials::Basic { username, password })) if settings.auth_basic_enabled => {
                by_password(app, &username, &password, settings).await.map(Some)
            }
            // A scheme that we do not speak counts as no credentials, as in AWX.
            Ok(Err(Malformed::UnknownScheme)) => Ok(None),
            _ => Err(unauthenticated()),
        };
    }
    let Some(secret) = cookie(headers, SESSION_COOKIE) else { return Ok(None) };
    let Some(actor) = by_session(app, secret, settings).await? else { return Ok(None) };
    // A form shows its token once its body is read: see `form::unwrap`, which every form of a session goes through.
    if !is_safe(method) && !is_form(method, headers) {
        require_csrf(headers)?;
    }
    Ok(Some(actor))
}

/// Whether a method promises to change nothing.
pub(crate) fn is_safe(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS].contains(method)
}

/// The value of a cookie.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let pairs = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'));
    pairs.filter_map(|pair| pair.trim().split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// Refuses a request that another site could have made a browser send.
fn require_csrf(headers: &HeaderMap) -> Result<(), Reply> {
    check_csrf(headers, headers.get(CSRF_HEADER).and_then(|value| value.to_str().ok()))
}

/// Checks what was sent, in a header or in a form, against the cookie, and where the request comes from.
pub(crate) fn check_csrf(headers: &HeaderMap, sent: Option<&str>) -> Result<(), Reply> {
    let failed = |why: &str| Reply::detail(StatusCode::FORBIDDEN, format!("CSRF Failed: {why}"));
    let text = |name| headers.get(name).and_then(|value: &axum::http::HeaderValue| value.to_str().ok());
    let host = text(header::HOST).unwrap_or_default();
    if !csrf::origin_allowed(text(header::ORIGIN).or(text(header::REFERER)), host, false, &[]) {
        return Err(failed("Origin checking failed: the request does not come from this site."));
    }
    match (cookie(headers, CSRF_COOKIE), sent) {
        (None, _) => Err(failed("CSRF cookie not set.")),
        (_, None) => Err(failed("CSRF token missing.")),
        (Some(cookie), Some(sent)) if csrf::matches(cookie, sent) => Ok(()),
        _ => Err(failed("CSRF token incorrect.")),
    }
}

async fn by_token(app: &App, token: &str, settings: &Settings) -> Result<Actor, Reply> {
    let mut query = users();
    query
        .expr(column("tokens", "scope"))
        .expr(column("tokens", "expires"))
        .exprs(["id", "last_used"].map(|name| column("tokens", name)))
        .inner_join(Alias::new("tokens"), column("tokens", "user_id").eq(column("users", "id")))
        .and_where(column("tokens", "digest").eq(digest(token)));
    let mut types = USER_TYPES.to_vec();
    types.extend([Type::Text, Type::Time, Type::Integer, Type::Time]);
    let row = first(app, &query, &types).await?.ok_or_else(unauthenticated)?;
    let live = row.time(7).is_some_and(|expires| expires > app.engine.clock.now());
    let mut actor = actor(&row, settings).filter(|_| live).ok_or_else(unauthenticated)?;
    // A scope that cannot be read allows the least.
    actor.can_write = matches!(parse_scope(row.text(6).unwrap_or_default()), Ok(Scope::Write));
    if let Some(id) = row.integer(8) {
        app.last_used.note(&app.engine, Used::Token, id, row.time(9));
    }
    Ok(actor)
}

async fn by_password(app: &App, username: &str, password: &str, settings: &Settings) -> Result<Actor, Reply> {
    check_password(app, username, password).await?.and_then(|row| actor(&row, settings)).ok_or_else(unauthenticated)
}

/// The row of the active user with this name and password, in the order of [`USER_COLUMNS`].
///
/// Whoever does not exist costs as much time as whoever does.
pub(crate) async fn check_password(app: &App, username: &str, password: &str) -> Result<Option<Row>, Reply> {
    let mut query = users();
    query.and_where(column("users", "username").eq(username));
    // No name holds a NUL, and PostgreSQL would refuse the question.
    let row = if username.contains('\0') { None } else { first(app, &query, &USER_TYPES).await? };
    let Some(row) = row else {
        passwords().verify_nobody(password.to_owned()).await;
        return Ok(None);
    };
    let (id, stored) = (row.integer(0).unwrap_or_default(), row.text(5).unwrap_or_default().to_owned());
    if !app.verified.recall(username, password, &stored) {
        match passwords().verify(password.to_owned(), stored.clone()).await {
            Verdict::Wrong => return Ok(None),
            Verdict::Right => app.verified.remember(username, password, &stored),
            Verdict::RightButRehash => rehash(app, id, password, &stored).await,
        }
    }
    Ok(Some(row).filter(|row| row.boolean(4)))
}

/// Stores a password in today's form. Failing to is no reason to refuse the login.
async fn rehash(app: &App, id: i64, password: &str, stored: &str) {
    let stored = stored.to_owned();
    let outcome = async {
        let hash =
            passwords().hash(password.to_owned()).await.map_err(|problem| Failure::Internal(problem.to_string()))?;
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
        tx.commit().await.map_err(Failure::from)
    };
    if let Err(problem) = outcome.await {
        tracing::warn!(user = id, ?problem, "could not store a password in today's form");
    }
}

/// The active user with this id.
pub(crate) async fn by_id(app: &App, id: i64, settings: &Settings) -> Result<Option<Actor>, Reply> {
    let mut query = users();
    query.and_where(column("users", "id").eq(id));
    Ok(first(app, &query, &USER_TYPES).await?.and_then(|row| actor(&row, settings)))
}

/// The user of a session, by the secret in its cookie.
pub(crate) async fn by_session(app: &App, secret: &str, settings: &Settings) -> Result<Option<Actor>, Reply> {
    let mut query = users();
    query
        .exprs(["id", "binding", "expires", "last_used"].map(|name| column("sessions", name)))
        .inner_join(Alias::new("sessions"), column("sessions", "user_id").eq(column("users", "id")))
        .and_where(column("sessions", "digest").eq(token::digest(secret)));
    let mut types = USER_TYPES.to_vec();
    types.extend([Type::Integer, Type::Text, Type::Time, Type::Time]);
    let Some(row) = first(app, &query, &types).await? else { return Ok(None) };
    let (Some(user_id), Some(id), Some(bound), Some(expires_at)) =
        (row.integer(0), row.integer(6), row.text(7), row.time(8))
    else {
        return Ok(None);
    };
    let current = binding(&app.engine.secret, user_id, row.text(5).unwrap_or_default());
    let session = Session { user_id, binding: bound.to_owned(), expires_at };
    if !session.is_alive(app.engine.clock.now(), &current) {
        return Ok(None);
    }
    let Some(actor) = actor(&row, settings) else { return Ok(None) };
    app.last_used.note(&app.engine, Used::Session, id, row.time(9));
    Ok(Some(Actor { session: Some(id), ..actor }))
}

fn users() -> SelectStatement {
    let mut query = Query::select();
    query.exprs(USER_COLUMNS.map(|name| column("users", name))).from(Alias::new("users"));
    query
}

async fn first(app: &App, query: &SelectStatement, types: &[Type]) -> Result<Option<Row>, Reply> {
    let rows = app.engine.database.read(query, types).await.map_err(|error| reply_to(error.into(), ""))?;
    Ok(rows.into_iter().next())
}

/// The actor that a row of [`USER_COLUMNS`] makes; none for a user who is not active.
pub(crate) fn actor(row: &Row, settings: &Settings) -> Option<Actor> {
    let id = row.integer(0)?;
    row.boolean(4).then(|| Actor {
        id,
        username: row.text(1).unwrap_or_default().to_owned(),
        is_superuser: row.boolean(2),
        is_system_auditor: row.boolean(3),
        can_write: true,
        session: None,
        policy: settings.policy(),
    })
}
