//! `/api/v2/users/N/second_factor/`: codes of a device beside the password.
//!
//! Users set it up and do without it themselves, each time with their password;
//! whoever may change a user can only take it away, for a device that is lost.

use axum::http::{Method, StatusCode};
use hostler_database::Type;
use hostler_engine::{Error, HIDDEN, ObjectKey, find_id, time_text};
use hostler_identity::totp;
use hostler_resources::USER;
use hostler_schema::{Actor, column};
use sea_query::{Alias, ExprTrait, Query};
use serde_json::{Map, Value as Json, json};

use super::second_factor_store::{self, Factor};
use super::sign_in_status::Subject;
use super::{AttemptSubject, CheckedPassword, PasswordCredentials, UserPath, check, consume_code, wait};
use crate::request::Request;
use crate::response::Response;
use crate::service_info::OWN_NAME;
use crate::state::App;

/// Answers a request to one of the paths of a second factor.
pub(super) async fn respond(
    app: &App,
    actor: &Actor,
    key: &str,
    path: UserPath,
    request: &Request,
) -> Result<Response, Error> {
    let subject = Subject::find(&app.engine, actor, key).await?;
    match (path, &request.method) {
        (UserPath::SecondFactor, &Method::GET | &Method::HEAD) => show(app, subject.id).await,
        (UserPath::SecondFactor, &Method::DELETE) => {
            subject.require_other()?;
            take_away(app, actor, subject.id).await?;
            Ok(Response::no_content())
        }
        (_, &Method::POST) => {
            if !subject.is_self {
                return Err(Error::forbidden());
            }
            let body = match request.object() {
                Ok(body) => body,
                Err(response) => return Ok(response),
            };
            let own = Own { app, actor, request, body };
            match path {
                UserPath::SecondFactor => own.begin().await,
                UserPath::VerifySecondFactor => own.verify().await,
                UserPath::RecoveryCodes => own.renew_recovery_codes().await,
                UserPath::DisableSecondFactor => own.disable().await,
                UserPath::SignIn => Err(Error::MethodNotAllowed),
            }
        }
        _ => Err(Error::MethodNotAllowed),
    }
}

async fn show(app: &App, user: i64) -> Result<Response, Error> {
    let factor = Factor::of(&app.engine, user).await?;
    let confirmed = factor.as_ref().and_then(|factor| factor.confirmed);
    let left = if confirmed.is_some() {
        Some(second_factor_store::recovery_codes_left(&app.engine, user).await?)
    } else {
        None
    };
    Ok(Response::json(
        StatusCode::OK,
        json!({
            "user": user,
            "type": "second_factor",
            "url": format!("{}second_factor/", USER.url(user)),
            "enabled": confirmed.is_some(),
            "created": factor.as_ref().map(|factor| time_text(factor.created)),
            "confirmed": confirmed.map(time_text),
            "recovery_codes_left": left,
        }),
    ))
}

/// Takes a user's second factor away. Nothing happens if there is none.
async fn take_away(app: &App, actor: &Actor, user: i64) -> Result<(), Error> {
    let mut tx = app.engine.database.begin().await?;
    if second_factor_store::forget(&mut tx, user).await? {
        second_factor_store::record(&app.engine, &mut tx, user, actor, "second_factor", [true.into(), false.into()])
            .await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Takes the second factor of this user away, for whoever works on the data itself.
///
/// # Errors
/// [`Error::NotFound`], and what the database says.
pub async fn reset_second_factor(app: &App, operator: &Actor, username: &str) -> Result<(), Error> {
    let id = find_id(&app.engine, operator, &USER, &ObjectKey::Name(username.to_owned())).await?;
    take_away(app, operator, id).await
}

/// A request of a user about their own second factor.
struct Own<'a> {
    app: &'a App,
    actor: &'a Actor,
    request: &'a Request,
    body: Map<String, Json>,
}

impl Own<'_> {
    fn text(&self, name: &str) -> Result<&str, Error> {
        match self.body.get(name).and_then(Json::as_str) {
            Some(text) if !text.is_empty() => Ok(text),
            _ => Err(Error::field(name, "This field is required.")),
        }
    }

    async fn factor(&self) -> Result<Option<Factor>, Error> {
        Factor::of(&self.app.engine, self.actor.id).await
    }

    /// The second factor, if it is asked for.
    async fn enabled(&self) -> Result<Factor, Error> {
        let factor = self.factor().await?.filter(|factor| factor.confirmed.is_some());
        factor.ok_or_else(|| Error::BadRequest("There is no second factor.".into()))
    }

    /// Proves that it is the user in person, and not somebody who found a session open: by the password.
    async fn prove_password(&self) -> Result<(), Error> {
        let password = self.text("password")?;
        let query = Query::select()
            .expr(column("users", "password"))
            .from(Alias::new("users"))
            .and_where(column("users", "id").eq(self.actor.id))
            .to_owned();
        let rows = self.app.engine.database.read(&query, &[Type::Text]).await?;
        let stored = rows.first().and_then(|row| row.text(0)).unwrap_or_default();
        let address = self.request.client.address;
        let given = PasswordCredentials { username: &self.actor.username, password, address };
        match check(self.app, &self.request.settings, Some((self.actor.id, stored)), given).await? {
            CheckedPassword::Wrong(attempt) => {
                attempt.failed();
                Err(Error::field("password", "This is not your password."))
            }
            // What the attempt was for is not done yet, so nothing is forgiven.
            CheckedPassword::Correct(_) | CheckedPassword::CorrectNeedsRehash(_) => Ok(()),
        }
    }

    /// Proves that the device is at hand, or a recovery code.
    async fn prove_code(&self) -> Result<(), Error> {
        let code = self.text("code")?;
        let attempt = wait(self.app, &self.request.settings, self.candidate()).await?;
        if consume_code(&self.app.engine, self.actor, code).await? {
            attempt.succeeded().await;
            return Ok(());
        }
        attempt.failed();
        Err(wrong_code())
    }

    fn candidate(&self) -> AttemptSubject<'_> {
        let address = self.request.client.address;
        AttemptSubject { username: &self.actor.username, user: Some(self.actor.id), address }
    }

    /// A new device, which counts once it has been verified.
    async fn begin(&self) -> Result<Response, Error> {
        if self.actor.external_account.is_some() {
            return Err(Error::BadRequest(
                "A second factor belongs to a password that is kept here; yours is kept elsewhere.".into(),
            ));
        }
        if self.factor().await?.is_some_and(|factor| factor.confirmed.is_some()) {
            return Err(Error::BadRequest("There is a second factor already: disable it first.".into()));
        }
        self.prove_password().await?;
        let secret = totp::new_secret();
        let uri = totp::uri(&secret, OWN_NAME, &self.actor.username)
            .ok_or_else(|| Error::Internal("a secret that fits no address".into()))?;
        second_factor_store::begin(&self.app.engine, self.actor.id, &secret).await?;
        Ok(Response::json(StatusCode::CREATED, json!({"secret": secret.as_str(), "uri": uri.as_str()})))
    }

    /// The first code of a new device: from now on one is asked for. Other sessions, which were opened without, end.
    async fn verify(&self) -> Result<Response, Error> {
        let (engine, user) = (&self.app.engine, self.actor.id);
        let Some(factor) = self.factor().await?.filter(|factor| factor.confirmed.is_none()) else {
            return Err(Error::BadRequest("There is no second factor to verify: begin with a new one.".into()));
        };
        let code = self.text("code")?;
        let attempt = wait(self.app, &self.request.settings, self.candidate()).await?;
        let Some(step) = factor.step(engine, user, code)? else {
            attempt.failed();
            return Err(wrong_code());
        };
        let mut tx = engine.database.begin().await?;
        if !second_factor_store::confirm(engine, &mut tx, user, step).await? {
            return Err(Error::Conflict("Another request changed the second factor at the same moment.".into()));
        }
        let codes = second_factor_store::renew_recovery_codes(&mut tx, user).await?;
        let others = Query::delete()
            .from_table(Alias::new("sessions"))
            .and_where(column("sessions", "user_id").eq(user))
            .and_where_option(self.actor.session.map(|own| column("sessions", "id").ne(own)))
            .to_owned();
        tx.execute(&others).await?;
        second_factor_store::record(engine, &mut tx, user, self.actor, "second_factor", [false.into(), true.into()])
            .await?;
        tx.commit().await?;
        attempt.succeeded().await;
        Ok(shown_once(&codes))
    }

    async fn renew_recovery_codes(&self) -> Result<Response, Error> {
        self.enabled().await?;
        self.prove_password().await?;
        self.prove_code().await?;
        let (engine, user) = (&self.app.engine, self.actor.id);
        let mut tx = engine.database.begin().await?;
        let codes = second_factor_store::renew_recovery_codes(&mut tx, user).await?;
        second_factor_store::record(
            engine,
            &mut tx,
            user,
            self.actor,
            "recovery_codes",
            [HIDDEN.into(), HIDDEN.into()],
        )
        .await?;
        tx.commit().await?;
        Ok(shown_once(&codes))
    }

    async fn disable(&self) -> Result<Response, Error> {
        self.enabled().await?;
        self.prove_password().await?;
        self.prove_code().await?;
        take_away(self.app, self.actor, self.actor.id).await?;
        Ok(Response::no_content())
    }
}

fn wrong_code() -> Error {
    Error::field("code", "This code is wrong, too old, or was used before.")
}

fn shown_once(codes: &[hostler_identity::token::NewSecret]) -> Response {
    let codes: Vec<&str> = codes.iter().map(|code| code.plain.as_str()).collect();
    Response::json(StatusCode::OK, json!({"recovery_codes": codes}))
}
