//! The sign-ins of connections that stay open, and whether they are still valid.

use std::collections::{HashMap, HashSet};

use hostler_database::Error as DatabaseError;
use hostler_identity::session::binding;
use hostler_identity::token::digest;
use hostler_schema::Actor;

use crate::authenticate::{RequestCredentials, RequestHead, session_actor};
use crate::authenticator::Authenticator;
use crate::user_row::UserRow;

/// How the request that opened a connection was authenticated.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SignIn {
    /// By the session with this digest.
    Session(String),
    /// By the token with this digest.
    Token(String),
    /// By the password of this user, which was then bound to this value.
    Password {
        /// The user.
        user: i64,
        /// It changes with the password.
        binding: String,
    },
}

impl RequestHead<'_> {
    /// The sign-in of this request, which is that of the actor.
    ///
    /// # Errors
    /// Errors of the database.
    pub async fn sign_in(self, auth: &Authenticator, actor: &Actor) -> Result<SignIn, DatabaseError> {
        Ok(match RequestCredentials::from_headers(self.headers) {
            RequestCredentials::Session(secret) => SignIn::Session(digest(secret)),
            RequestCredentials::BearerToken(token) => SignIn::Token(digest(&token)),
            RequestCredentials::Basic { .. } | RequestCredentials::None | RequestCredentials::Malformed => {
                let user = UserRow::by_id(auth, actor.id).await?;
                let binding = binding(&auth.engine.secret, actor.id, user.password_hash());
                SignIn::Password { user: actor.id, binding }
            }
        })
    }
}

/// The present actors of those of these sign-ins that are valid. At most one statement for each kind of sign-in and 500 of
/// them.
///
/// # Errors
/// Errors of the database.
pub async fn present_actors(
    auth: &Authenticator,
    sign_ins: &HashSet<SignIn>,
) -> Result<HashMap<SignIn, Actor>, DatabaseError> {
    let now = auth.engine.clock.now();
    let (mut sessions, mut tokens, mut passwords): (Vec<&str>, Vec<&str>, HashMap<i64, Vec<&SignIn>>) =
        Default::default();
    for sign_in in sign_ins {
        match sign_in {
            SignIn::Session(digest) => sessions.push(digest),
            SignIn::Token(digest) => tokens.push(digest),
            SignIn::Password { user, .. } => passwords.entry(*user).or_default().push(sign_in),
        }
    }
    let mut actors = HashMap::new();
    for (digest, user) in UserRow::by_sessions(auth, &sessions).await? {
        if let Some((actor, _)) = session_actor(auth, &user) {
            actors.insert(SignIn::Session(digest), actor);
        }
    }
    for (digest, user) in UserRow::by_tokens(auth, &tokens).await? {
        if let (Some(actor), Some(token)) = (user.actor(), user.token())
            && token.expires > now
        {
            actors.insert(SignIn::Token(digest), actor);
        }
    }
    let users: Vec<i64> = passwords.keys().copied().collect();
    for user in UserRow::by_ids(auth, &users).await? {
        let (Some(actor), true) = (user.actor(), user.settings.basic_enabled) else { continue };
        let present = binding(&auth.engine.secret, actor.id, user.password_hash());
        for sign_in in passwords.remove(&actor.id).unwrap_or_default() {
            if matches!(sign_in, SignIn::Password { binding, .. } if *binding == present) {
                actors.insert(sign_in.clone(), actor.clone());
            }
        }
    }
    Ok(actors)
}
