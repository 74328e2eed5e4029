//! Browser sessions: `/api/login/` and `/api/logout/`.

use hostler_database::Transaction;
use hostler_engine::Error;
use hostler_http::{
    HandlerResult, Request, Response, SESSION_COOKIE, SESSION_COOKIE_HEADER, cookie, csrf_token, with_csrf_token,
    with_session_cookie,
};
use hostler_identity::csrf;
use hostler_identity::mfa_challenge;
use hostler_identity::session::{binding, new_session};
use hostler_identity::token::digest;
use hostler_schema::{Actor, column};
use hostler_settings::definitions::authentication::SESSIONS_PER_USER;
use hostler_settings::definitions::ui::{CUSTOM_LOGIN_INFO, CUSTOM_LOGO};
use http::{HeaderMap, Method, StatusCode, header};
use sea_query::{Alias, ExprTrait, Order, Query};

use crate::authenticator::Authenticator;
use crate::login_page::LoginPage;
use crate::session_age;
use crate::sign_in::{AttemptSubject, PasswordCredentials, admit, check_password, consume_code};
use crate::user_row::UserRow;

/// `GET`: a form. `POST`: opens a session.
///
/// # Errors
/// Errors of the engine.
pub async fn login(auth: &Authenticator, request: &Request) -> HandlerResult {
    match request.method {
        Method::GET | Method::HEAD => Ok(form(request, None, StatusCode::OK)),
        Method::POST => sign_in(auth, request).await,
        Method::OPTIONS => Ok(Response::no_content()),
        _ => Err(Error::MethodNotAllowed.into()),
    }
}

/// Ends the session.
///
/// # Errors
/// Errors of the engine.
pub async fn logout(auth: &Authenticator, request: &Request) -> HandlerResult {
    match request.method {
        Method::GET | Method::POST => {}
        // A safe method: it ends nothing.
        Method::HEAD => return Ok(Response::redirect(StatusCode::FOUND, "/api/login/")),
        Method::OPTIONS => return Ok(Response::no_content()),
        _ => return Err(Error::MethodNotAllowed.into()),
    }
    // As in AWX, a GET ends the session too. The cookie is SameSite=Lax, so images and frames of other sites cannot do it.
    if request.method == Method::POST {
        request.check_csrf(csrf_sent(request).as_deref())?;
    }
    if let Some(secret) = cookie(&request.headers, SESSION_COOKIE) {
        let delete = Query::delete()
            .from_table(Alias::new("sessions"))
            .and_where(column("sessions", "digest").eq(digest(secret)))
            .to_owned();
        let mut tx = auth.engine.database.begin().await?;
        tx.execute(&delete).await?;
        tx.commit().await?;
    }
    let delete_cookie = |name: &str| request.cookie(format!("{name}=; Path=/; Max-Age=0; SameSite=Lax"));
    Ok(Response::redirect(StatusCode::FOUND, "/api/login/")
        .with(header::SET_COOKIE, delete_cookie(SESSION_COOKIE))
        .with(header::SET_COOKIE, delete_cookie("userLoggedIn")))
}

fn fields(request: &Request) -> Vec<(String, String)> {
    form_urlencoded::parse(&request.body).into_owned().collect()
}

fn field(fields: &[(String, String)], name: &str) -> Option<String> {
    fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
}

fn csrf_sent(request: &Request) -> Option<String> {
    let header = request.headers.get("x-csrftoken").and_then(|value| value.to_str().ok()).map(str::to_owned);
    header.or_else(|| field(&fields(request), "csrfmiddlewaretoken"))
}

async fn sign_in(auth: &Authenticator, request: &Request) -> HandlerResult {
    request.check_csrf(csrf_sent(request).as_deref())?;
    let sent = fields(request);
    match field(&sent, "mfa_challenge") {
        Some(challenge) => second_step(auth, request, &sent, &challenge).await,
        None => first_step(auth, request, &sent).await,
    }
}

/// The username and the password, and for users with a second factor the code if it is sent along.
async fn first_step(auth: &Authenticator, request: &Request, sent: &[(String, String)]) -> HandlerResult {
    let text = |name| field(sent, name).unwrap_or_default();
    let (username, password) = (text("username"), text("password"));
    let credentials = PasswordCredentials { username: &username, password: &password, address: request.client.address };
    let verified = match check_password(auth, credentials).await {
        Ok(Some(verified)) => verified,
        Ok(None) => return Ok(form(request, Some(WRONG_PASSWORD), StatusCode::UNAUTHORIZED)),
        Err(error) => {
            return too_many_attempts(error, |words| form(request, Some(words), StatusCode::TOO_MANY_REQUESTS));
        }
    };
    if !verified.needs_code {
        let actor = verified.complete().await;
        return open_session(auth, request, sent, &actor).await;
    }
    let user = UserRow::by_id(auth, verified.actor().id).await?;
    let Some(actor) = user.actor() else {
        return Ok(form(request, Some(WRONG_PASSWORD), StatusCode::UNAUTHORIZED));
    };
    // Only the password was right: no failure is reset yet, and the code is another attempt.
    drop(verified);
    match field(sent, "otp").filter(|code| !code.is_empty()) {
        Some(code) => check_code(auth, request, sent, &actor, user.password_hash(), &code).await,
        None => Ok(code_form(auth, request, &actor, user.password_hash(), None, StatusCode::UNAUTHORIZED)),
    }
}

/// The code, and the challenge that proves that the password was right a moment ago.
async fn second_step(
    auth: &Authenticator,
    request: &Request,
    sent: &[(String, String)],
    challenge: &str,
) -> HandlerResult {
    let expired = || form(request, Some("That took too long: please begin again."), StatusCode::UNAUTHORIZED);
    let Some(id) = mfa_challenge::user_id(challenge) else { return Ok(expired()) };
    let user = UserRow::by_id(auth, id).await?;
    let Some(actor) = user.actor() else { return Ok(expired()) };
    let now = auth.engine.clock.now().as_second();
    if !mfa_challenge::is_valid(&auth.engine.secret, challenge, id, user.password_hash(), now) {
        return Ok(expired());
    }
    let code = field(sent, "otp").unwrap_or_default();
    check_code(auth, request, sent, &actor, user.password_hash(), &code).await
}

/// Opens a session for a user whose password was right, if the code is right too.
async fn check_code(
    auth: &Authenticator,
    request: &Request,
    sent: &[(String, String)],
    actor: &Actor,
    password_hash: &str,
    code: &str,
) -> HandlerResult {
    let address = request.client.address;
    let subject = AttemptSubject { username: &actor.username, user: Some(actor.id), address };
    let form = |words: &str, status| code_form(auth, request, actor, password_hash, Some(words), status);
    let permit = match admit(auth, &request.settings, subject).await {
        Ok(permit) => permit,
        Err(error) => return too_many_attempts(error, |words| form(words, StatusCode::TOO_MANY_REQUESTS)),
    };
    if !consume_code(&auth.engine, actor, code).await? {
        permit.failed().await?;
        return Ok(form("This code is wrong, too old, or was used before.", StatusCode::UNAUTHORIZED));
    }
    permit.succeeded().await;
    open_session(auth, request, sent, actor).await
}

/// Shows the form again, with `Retry-After`.
fn too_many_attempts(error: Error, page: impl FnOnce(&str) -> Response) -> HandlerResult {
    let Error::TooManyAttempts(seconds) = error else { return Err(error.into()) };
    let words = format!("Too many failed attempts to sign in: try again in {seconds} seconds.");
    Ok(page(&words).with(header::RETRY_AFTER, seconds.to_string()))
}

const WRONG_PASSWORD: &str = "Your username or password was incorrect.";

async fn open_session(
    auth: &Authenticator,
    request: &Request,
    sent: &[(String, String)],
    actor: &Actor,
) -> HandlerResult {
    let user = actor.id;
    let secret = new_session();
    let now = auth.engine.clock.now();
    let expires = now.checked_add(session_age::age(&request.settings)).unwrap_or(now);

    let mut tx = auth.engine.database.begin().await?;
    // This login may have replaced the hash.
    let stored = Query::select()
        .expr(column("users", "password"))
        .from(Alias::new("users"))
        .and_where(column("users", "id").eq(user))
        .to_owned();
    let rows = tx.read(&stored, &[hostler_database::Type::Text]).await?;
    let hash = rows.first().and_then(|row| row.text(0)).unwrap_or_default();
    let insert = Query::insert()
        .into_table(Alias::new("sessions"))
        .columns(["user_id", "digest", "binding", "created", "expires", "address", "user_agent"].map(Alias::new))
        .values_panic([
            user.into(),
            secret.digest.into(),
            binding(&auth.engine.secret, user, hash).into(),
            now.into(),
            expires.into(),
            request.client.address.map(|address| address.to_string()).unwrap_or_default().into(),
            user_agent(&request.headers).into(),
        ])
        .to_owned();
    tx.insert(&insert).await?;
    end_oldest_sessions(&mut tx, user, request.settings.integer(&SESSIONS_PER_USER)).await?;
    let last_login = Query::update()
        .table(Alias::new("users"))
        .value(Alias::new("last_login"), now)
        .and_where(column("users", "id").eq(user))
        .to_owned();
    tx.execute(&last_login).await?;
    tx.commit().await?;

    let next = field(sent, "next").filter(|next| is_local(next)).unwrap_or_else(|| "/api/".to_owned());
    let response = with_session_cookie(Response::redirect(StatusCode::FOUND, next), request, &secret.plain)
        .with(header::SET_COOKIE, request.cookie("userLoggedIn=true; Path=/; SameSite=Lax"));
    // A new token, so that one that was planted before the login is invalid after it.
    Ok(with_csrf_token(response, request, &csrf::new_token()).with(SESSION_COOKIE_HEADER, SESSION_COOKIE))
}

/// Ends the oldest sessions of a user who has more than this many; less than 0 sets no limit.
async fn end_oldest_sessions(tx: &mut Transaction, user: i64, most: i64) -> Result<(), Error> {
    let Ok(most) = u64::try_from(most) else { return Ok(()) };
    // Two concurrent logins would not see each other's session.
    tx.lock(&format!("sessions of user {user}")).await?;
    let kept = Query::select()
        .expr(column("kept", "id"))
        .from_as(Alias::new("sessions"), Alias::new("kept"))
        .and_where(column("kept", "user_id").eq(user))
        .order_by((Alias::new("kept"), Alias::new("id")), Order::Desc)
        .limit(most)
        .to_owned();
    let delete = Query::delete()
        .from_table(Alias::new("sessions"))
        .and_where(column("sessions", "user_id").eq(user))
        .and_where(column("sessions", "id").not_in_subquery(kept))
        .to_owned();
    if tx.execute(&delete).await? > 0 {
        let notice = Query::insert()
            .into_table(Alias::new("notices"))
            .columns(["kind", "object_id", "status"].map(Alias::new))
            .values_panic(["session_limit".into(), user.into(), "reached".into()])
            .to_owned();
        tx.execute(&notice).await?;
    }
    Ok(())
}

/// The start of the `User-Agent` header.
fn user_agent(headers: &HeaderMap) -> String {
    const MAX_LENGTH: usize = 256;
    let user_agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    user_agent.chars().take(MAX_LENGTH).collect()
}

/// Whether a redirect stays on this server: a path that browsers do not take for another host.
fn is_local(next: &str) -> bool {
    next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\r', '\n', '\t'])
}

/// The form for username and password.
fn form(request: &Request, error: Option<&str>, status: StatusCode) -> Response {
    form_with(request, None, error, status)
}

/// The form for the code of a user whose password was right.
fn code_form(
    auth: &Authenticator,
    request: &Request,
    actor: &Actor,
    password_hash: &str,
    error: Option<&str>,
    status: StatusCode,
) -> Response {
    let challenge =
        mfa_challenge::create(&auth.engine.secret, actor.id, password_hash, auth.engine.clock.now().as_second());
    form_with(request, Some(&challenge), error, status)
}

fn form_with(request: &Request, challenge: Option<&str>, error: Option<&str>, status: StatusCode) -> Response {
    let token = csrf_token(&request.headers);
    let sent = fields(request);
    // After a wrong password `next` is in the form.
    let next = request.parameter("next").map(str::to_owned).or_else(|| field(&sent, "next"));
    let next = next.filter(|next| is_local(next)).unwrap_or_else(|| "/api/".to_owned());
    // An application without a consent page redirects further, and browsers apply `form-action`
    // to redirects after a form too.
    let targets = if next.starts_with("/api/o/authorize/") { "'self' https: http:" } else { "'self'" };
    let (notice, logo) = (request.settings.text(&CUSTOM_LOGIN_INFO), request.settings.text(&CUSTOM_LOGO));
    let username = field(&sent, "username").unwrap_or_default();
    let page = LoginPage {
        status,
        token: &token,
        next: &next,
        challenge,
        username: &username,
        error,
        targets,
        notice: &notice,
        logo: &logo,
    };
    with_csrf_token(page.render(), request, &token).with(SESSION_COOKIE_HEADER, SESSION_COOKIE)
}
