//! `/api/v2/users/N/sign_in/`: failed attempts, locks, second factor and sessions of a user.

use hostler_database::Type;
use hostler_engine::{ActionRequest, ActionResponse, Engine, Error, ObjectKey, find_id, time_text};
use hostler_http::Request;
use hostler_identity::throttle::FAILURE_TTL;
use hostler_resources::USER;
use hostler_resources::users::actions::RESET_FAILED_ATTEMPTS;
use hostler_schema::{Actor, HttpMethod, column};
use hostler_settings::Settings;
use jiff::SignedDuration;
use sea_query::{Alias, Expr, ExprTrait, Func, Query};
use serde_json::json;

use super::second_factor_store::{self, SecondFactor};
use super::{LoginLimits, failure_store, require_other};
use crate::authenticator::Authenticator;

/// `GET` reads; `PATCH` with `{"failed_attempts": 0}` resets the failed attempts and ends a lock.
pub(super) async fn act(
    auth: &Authenticator,
    action: ActionRequest<'_>,
    request: &Request,
) -> Result<ActionResponse, Error> {
    if action.method == HttpMethod::Patch {
        require_other(&action)?;
        match action.input.integer(&RESET_FAILED_ATTEMPTS) {
            Some(0) => reset_failures(auth, action.actor, action.id).await?,
            Some(_) => return Err(Error::field(RESET_FAILED_ATTEMPTS.name, "Only 0 can be set, which resets them.")),
            None => {}
        }
    }
    show(auth, &request.settings, action.id).await
}

async fn show(auth: &Authenticator, settings: &Settings, id: i64) -> Result<ActionResponse, Error> {
    let (engine, now) = (&auth.engine, auth.engine.clock.now());
    let sessions = Query::select()
        .expr(Func::count(column("sessions", "id")))
        .from(Alias::new("sessions"))
        .and_where(column("sessions", "user_id").eq(id))
        .and_where(column("sessions", "expires").gt(now))
        .to_owned();
    let query = Query::select()
        .exprs(["username", "is_active"].map(|name| column("users", name)))
        .expr(Expr::SubQuery(None, Box::new(sessions.into())))
        .from(Alias::new("users"))
        .and_where(column("users", "id").eq(id))
        .to_owned();
    let rows = engine.database.read(&query, &[Type::Text, Type::Boolean, Type::Integer]).await?;
    let row = rows.first().ok_or(Error::NotFound(Some(USER.label)))?;
    let stored = failure_store::load(engine, &auth.rate_limiter.name_digest(row.text(0).unwrap_or_default())).await?;
    let ttl = SignedDuration::try_from(FAILURE_TTL).unwrap_or_default();
    let recent = stored.as_ref().filter(|stored| now.duration_since(stored.last_failure) < ttl);
    let limits = LoginLimits::new(settings);
    let locked_until = stored.as_ref().and_then(|stored| stored.locked_until);
    let locked_until = locked_until.filter(|until| limits.remaining_lock(now, *until).is_some());
    let factor = SecondFactor::load(engine, id).await?.filter(|factor| factor.confirmed.is_some());
    let codes = if factor.is_some() { Some(second_factor_store::recovery_codes_left(engine, id).await?) } else { None };
    Ok(ActionResponse::Fields(json!({
        "user": id,
        "type": "sign_in",
        "url": format!("{}sign_in/", USER.url(id)),
        "is_active": row.boolean(1),
        "failed_attempts": recent.map_or(0, |stored| stored.failures),
        "last_failure": stored.as_ref().map(|stored| time_text(stored.last_failure)),
        "last_failure_address": stored.as_ref().map(|stored| stored.address.as_str()),
        "locked_until": locked_until.map(time_text),
        "second_factor": factor.is_some(),
        "recovery_codes_left": codes,
        "sessions": row.integer(2),
    })))
}

async fn name_of(engine: &Engine, id: i64) -> Result<String, Error> {
    let query = Query::select()
        .expr(column("users", "username"))
        .from(Alias::new("users"))
        .and_where(column("users", "id").eq(id))
        .to_owned();
    let rows = engine.database.read(&query, &[Type::Text]).await?;
    rows.first().and_then(|row| row.text(0)).map(str::to_owned).ok_or(Error::NotFound(Some(USER.label)))
}

async fn reset_failures(auth: &Authenticator, actor: &Actor, id: i64) -> Result<(), Error> {
    let name = name_of(&auth.engine, id).await?;
    let stored = failure_store::load(&auth.engine, &auth.rate_limiter.name_digest(&name)).await?;
    auth.rate_limiter.forgive(&auth.engine, &name).await?;
    if let Some(stored) = stored {
        let mut tx = auth.engine.database.begin().await?;
        let change = [stored.failures.into(), 0.into()];
        second_factor_store::record(&auth.engine, &mut tx, id, actor, "failed_attempts", change).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Resets the failed attempts for a user and ends a lock, for the command line.
///
/// # Errors
/// [`Error::NotFound`], and errors of the database.
pub async fn unlock(auth: &Authenticator, operator: &Actor, username: &str) -> Result<(), Error> {
    let id = find_id(&auth.engine, operator, &USER, &ObjectKey::Name(username.to_owned())).await?;
    reset_failures(auth, operator, id).await
}
