//! `/api/v2/users/N/second_factor/`: codes of a device in addition to the password.
//!
//! Users enable and disable it themselves, with their password. Users who may change
//! them can only remove it, for a lost device.

use hostler_database::Type;
use hostler_engine::{ActionInput, ActionRequest, ActionResponse, Error, HIDDEN, ObjectKey, find_id, time_text};
use hostler_http::Request;
use hostler_identity::totp;
use hostler_resources::USER;
use hostler_resources::users::actions::{
    CODE, CURRENT_PASSWORD, DISABLE_SECOND_FACTOR, RENEW_RECOVERY_CODES, SECOND_FACTOR, VERIFY_SECOND_FACTOR,
};
use hostler_schema::{Actor, HttpMethod, column};
use sea_query::{Alias, ExprTrait, Query};
use serde_json::json;

use super::second_factor_store::{self, SecondFactor};
use super::{
    AttemptSubject, CheckedPassword, PasswordCredentials, admit, compare_password, consume_code, require_other,
};
use crate::authenticator::Authenticator;

/// The issuer that apps for codes show.
const ISSUER: &str = "Hostler";

/// Handles the actions of a second factor. Only the user may POST.
pub(super) async fn act(
    auth: &Authenticator,
    action: ActionRequest<'_>,
    request: &Request,
) -> Result<ActionResponse, Error> {
    let (actor, user) = (action.actor, action.id);
    match action.method {
        HttpMethod::Get => return show(auth, user).await,
        HttpMethod::Delete => {
            require_other(&action)?;
            remove(auth, actor, user).await?;
            return Ok(ActionResponse::Nothing);
        }
        _ => {}
    }
    let own = OwnRequest { auth, actor, request, input: action.input };
    match action.action.path {
        SECOND_FACTOR => own.set_up().await,
        VERIFY_SECOND_FACTOR => own.verify().await,
        RENEW_RECOVERY_CODES => own.renew_recovery_codes().await,
        DISABLE_SECOND_FACTOR => own.disable().await,
        path => Err(Error::Internal(format!("{path} has no handler"))),
    }
}

async fn show(auth: &Authenticator, user: i64) -> Result<ActionResponse, Error> {
    let factor = SecondFactor::load(&auth.engine, user).await?;
    let confirmed = factor.as_ref().and_then(|factor| factor.confirmed);
    let left = if confirmed.is_some() {
        Some(second_factor_store::recovery_codes_left(&auth.engine, user).await?)
    } else {
        None
    };
    Ok(ActionResponse::Fields(json!({
        "user": user,
        "type": "second_factor",
        "url": format!("{}second_factor/", USER.url(user)),
        "enabled": confirmed.is_some(),
        "created": factor.as_ref().map(|factor| time_text(factor.created)),
        "confirmed": confirmed.map(time_text),
        "recovery_codes_left": left,
    })))
}

/// Removes a user's second factor, if there is one.
async fn remove(auth: &Authenticator, actor: &Actor, user: i64) -> Result<(), Error> {
    let mut tx = auth.engine.database.begin().await?;
    if second_factor_store::delete(&mut tx, user).await? {
        second_factor_store::record(&auth.engine, &mut tx, user, actor, "second_factor", [true.into(), false.into()])
            .await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Removes the second factor of a user, for the command line.
///
/// # Errors
/// [`Error::NotFound`], and errors of the database.
pub async fn reset_second_factor(auth: &Authenticator, operator: &Actor, username: &str) -> Result<(), Error> {
    let id = find_id(&auth.engine, operator, &USER, &ObjectKey::Name(username.to_owned())).await?;
    remove(auth, operator, id).await
}

/// A user's request about their own second factor.
struct OwnRequest<'a> {
    auth: &'a Authenticator,
    actor: &'a Actor,
    request: &'a Request,
    input: ActionInput,
}

impl OwnRequest<'_> {
    async fn factor(&self) -> Result<Option<SecondFactor>, Error> {
        SecondFactor::load(&self.auth.engine, self.actor.id).await
    }

    /// The enabled second factor.
    async fn enabled(&self) -> Result<SecondFactor, Error> {
        let factor = self.factor().await?.filter(|factor| factor.confirmed.is_some());
        factor.ok_or_else(|| Error::BadRequest("There is no second factor.".into()))
    }

    /// Checks the password: an open session alone must not change a second factor.
    async fn check_password(&self) -> Result<(), Error> {
        let password = self.input.text(&CURRENT_PASSWORD);
        let query = Query::select()
            .expr(column("users", "password"))
            .from(Alias::new("users"))
            .and_where(column("users", "id").eq(self.actor.id))
            .to_owned();
        let rows = self.auth.engine.database.read(&query, &[Type::Text]).await?;
        let stored = rows.first().and_then(|row| row.text(0)).unwrap_or_default();
        let address = self.request.client.address;
        let credentials = PasswordCredentials { username: &self.actor.username, password, address };
        match compare_password(self.auth, &self.request.settings, Some((self.actor.id, stored)), credentials).await? {
            CheckedPassword::Wrong(permit) => {
                permit.failed().await?;
                Err(Error::field(CURRENT_PASSWORD.name, "This is not your password."))
            }
            // The request is not complete yet, so no failure is forgiven.
            CheckedPassword::Correct(_) | CheckedPassword::CorrectNeedsRehash(_) => Ok(()),
        }
    }

    /// Checks a code of the device, or a recovery code.
    async fn check_code(&self) -> Result<(), Error> {
        let code = self.input.text(&CODE);
        let permit = admit(self.auth, &self.request.settings, self.subject()).await?;
        if consume_code(&self.auth.engine, self.actor, code).await? {
            permit.succeeded().await;
            return Ok(());
        }
        permit.failed().await?;
        Err(wrong_code())
    }

    fn subject(&self) -> AttemptSubject<'_> {
        let address = self.request.client.address;
        AttemptSubject { username: &self.actor.username, user: Some(self.actor.id), address }
    }

    /// Sets up a new device, which counts once it is verified.
    async fn set_up(&self) -> Result<ActionResponse, Error> {
        if self.actor.external_account.is_some() {
            return Err(Error::BadRequest("Only users with a local password can have a second factor.".into()));
        }
        if self.factor().await?.is_some_and(|factor| factor.confirmed.is_some()) {
            return Err(Error::BadRequest("There is a second factor already: disable it first.".into()));
        }
        self.check_password().await?;
        let secret = totp::new_secret();
        let uri = totp::uri(&secret, ISSUER, &self.actor.username)
            .ok_or_else(|| Error::Internal("no otpauth URI for a second factor".into()))?;
        second_factor_store::store_unconfirmed(&self.auth.engine, self.actor.id, &secret).await?;
        Ok(ActionResponse::NewFields(json!({"secret": secret.as_str(), "uri": uri.as_str()})))
    }

    /// Verifies the first code of a new device and enables it. Other sessions, which were opened without a code, end.
    async fn verify(&self) -> Result<ActionResponse, Error> {
        let (engine, user) = (&self.auth.engine, self.actor.id);
        let Some(factor) = self.factor().await?.filter(|factor| factor.confirmed.is_none()) else {
            return Err(Error::BadRequest("There is no second factor to verify: set one up first.".into()));
        };
        let code = self.input.text(&CODE);
        let permit = admit(self.auth, &self.request.settings, self.subject()).await?;
        let Some(step) = factor.step(engine, user, code)? else {
            permit.failed().await?;
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
        permit.succeeded().await;
        Ok(shown_once(&codes))
    }

    async fn renew_recovery_codes(&self) -> Result<ActionResponse, Error> {
        self.enabled().await?;
        self.check_password().await?;
        self.check_code().await?;
        let (engine, user) = (&self.auth.engine, self.actor.id);
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

    async fn disable(&self) -> Result<ActionResponse, Error> {
        self.enabled().await?;
        self.check_password().await?;
        self.check_code().await?;
        remove(self.auth, self.actor, self.actor.id).await?;
        Ok(ActionResponse::Nothing)
    }
}

fn wrong_code() -> Error {
    Error::field(CODE.name, "This code is wrong, too old, or was used before.")
}

fn shown_once(codes: &[hostler_identity::token::NewSecret]) -> ActionResponse {
    let codes: Vec<&str> = codes.iter().map(|code| code.plain.as_str()).collect();
    ActionResponse::Fields(json!({"recovery_codes": codes}))
}
