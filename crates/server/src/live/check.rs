//! Ends the sockets whose sign-in is over: signed out, expired, a new password, a disabled or deleted user, a deleted token.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use hostler_auth::{SignIn, present_actors};
use tokio::time::sleep;

use super::lock;
use super::reader::sees_the_same;
use crate::state::App;

/// How long a socket may outlive its sign-in.
const INTERVAL: Duration = Duration::from_secs(2);

/// Checks all sockets, with a constant number of statements. Never completes.
pub(super) async fn run(app: &App) {
    loop {
        sleep(INTERVAL).await;
        let sign_ins: HashSet<SignIn> = {
            let mut sockets = lock(&app.live.sockets);
            sockets.retain(|socket| !socket.reader.is_closed());
            sockets.iter().map(|socket| socket.sign_in.clone()).collect()
        };
        if sign_ins.is_empty() {
            continue;
        }
        let actors = match present_actors(&app.auth, &sign_ins).await {
            Ok(actors) => actors,
            Err(error) => {
                // Nothing can be sent meanwhile, either.
                tracing::warn!(%error, "the sign-ins of sockets could not be checked");
                continue;
            }
        };
        let mut sockets = lock(&app.live.sockets);
        for socket in sockets.iter_mut().filter(|socket| sign_ins.contains(&socket.sign_in)) {
            match actors.get(&socket.sign_in) {
                None => {
                    socket.reader.send_replace(None);
                }
                Some(actor) if !sees_the_same(actor, &socket.user.actor) => {
                    socket.user = app.live.reader(app.engine(), actor.clone());
                    socket.reader.send_replace(Some(Arc::clone(&socket.user) as _));
                }
                Some(_) => {}
            }
        }
    }
}
