//! Checking a name and a password.

use std::net::IpAddr;
use std::time::Duration;

use hostler_database::Error as DatabaseError;
use hostler_engine::Error;
use hostler_identity::password::{PasswordCheck, passwords};

use super::{Attempt, AttemptRefused, AttemptSubject, Rules};
use crate::settings::Settings;
use crate::state::App;

/// What somebody gives to sign in.
#[derive(Clone, Copy)]
pub(crate) struct PasswordCredentials<'a> {
    pub username: &'a str,
    pub password: &'a str,
    /// The client's address.
    pub address: Option<IpAddr>,
}

/// What a password is worth.
pub(crate) enum CheckedPassword {
    /// It is not the user's, or there is no such user.
    Wrong(Attempt),
    /// It is the user's. There is no attempt if it was found right a moment ago.
    Correct(Option<Attempt>),
    /// It is the user's, in a form that is to be renewed.
    CorrectNeedsRehash(Attempt),
}

/// Checks a password against what is stored for the user, if there is one.
///
/// # Errors
/// [`Error::TooManyAttempts`], whether or not there is such a user and whatever the password is worth; and what the
/// database says.
pub(crate) async fn check(
    app: &App,
    settings: &Settings,
    user: Option<(i64, &str)>,
    given: PasswordCredentials<'_>,
) -> Result<CheckedPassword, Error> {
    let PasswordCredentials { username, password, address } = given;
    let place = app.rate_limiter.place(address);
    if let Some((_, stored)) = user
        && app.password_cache.contains(&place, username, password, stored)
    {
        return match locked(app, settings, username) {
            Some(failure) => Err(failure),
            None => Ok(CheckedPassword::Correct(None)),
        };
    }
    let candidate = AttemptSubject { username, user: user.map(|(id, _)| id), address };
    let attempt = wait(app, settings, candidate).await?;
    let foreign = app.django_hashes.cost(&app.engine.database, user.map_or("", |(_, stored)| stored)).await?;
    let stored = user.map(|(_, stored)| stored.to_owned());
    Ok(match passwords().verify_constant_work(password.to_owned(), stored, foreign).await {
        PasswordCheck::Wrong => CheckedPassword::Wrong(attempt),
        PasswordCheck::CorrectNeedsRehash => CheckedPassword::CorrectNeedsRehash(attempt),
        PasswordCheck::Correct => {
            if let Some((_, stored)) = user {
                app.password_cache.insert(&place, username, password, stored);
            }
            CheckedPassword::Correct(Some(attempt))
        }
    })
}

/// Waits until an attempt may be made.
///
/// # Errors
/// [`Error::TooManyAttempts`], and what the database says.
pub(crate) async fn wait(app: &App, settings: &Settings, candidate: AttemptSubject<'_>) -> Result<Attempt, Error> {
    app.rate_limiter.admit(&app.engine, Rules::of(settings), candidate).await.map_err(|refused| match refused {
        AttemptRefused::RetryAfter(pause) => later(pause),
        AttemptRefused::Database(error) => failed(error),
    })
}

/// The refusal of whoever is locked out, for a password that was found right a moment ago.
pub(crate) fn locked(app: &App, settings: &Settings, username: &str) -> Option<Error> {
    app.rate_limiter.locked_for(&app.engine, Rules::of(settings), username).map(later)
}

fn failed(error: DatabaseError) -> Error {
    error.into()
}

/// The next whole second is the first at which it is worth while.
fn later(pause: Duration) -> Error {
    Error::TooManyAttempts(pause.as_secs() + u64::from(pause.subsec_nanos() > 0))
}
