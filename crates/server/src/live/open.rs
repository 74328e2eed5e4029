//! The handshake of a WebSocket (RFC 6455).

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use hostler_auth::RequestHead;
use hostler_engine::Error;
use hostler_http::{CSRF_COOKIE, HandlerResult, Request, Response, cookie};
use hostler_listener::PeerAddr;
use hostler_schema::Actor;
use hostler_settings::definitions::authentication::WEBSOCKETS_PER_USER;
use hostler_websocket::{Client, Reader, TooMany, derive_accept_key, serve};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::sync::watch;

use super::{OpenSocket, lock};
use crate::state::App;

/// The only version of the protocol.
const VERSION: &str = "13";
/// The length of 16 bytes in Base64.
const KEY_LENGTH: usize = 24;

/// Opens the socket of a user.
///
/// # Errors
/// 405 for another method, 426 without a handshake of this version, 400 for an invalid one, 403 for a browser that shows a
/// page of another site, 429 for too many sockets.
pub(crate) async fn open(app: &App, actor: &Actor, request: &Request, upgrade: Option<OnUpgrade>) -> HandlerResult {
    if request.method != Method::GET {
        return Err(Error::MethodNotAllowed.into());
    }
    let headers = &request.headers;
    let is_handshake = lists(headers, &header::CONNECTION, "upgrade") && lists(headers, &header::UPGRADE, "websocket");
    let (true, Some(upgrade)) = (is_handshake, upgrade) else {
        return Ok(upgrade_required("This path is for WebSockets."));
    };
    if text(headers, &header::SEC_WEBSOCKET_VERSION) != Some(VERSION) {
        return Ok(upgrade_required("The version of the WebSocket protocol is not 13."));
    }
    let Some(key) = text(headers, &header::SEC_WEBSOCKET_KEY).filter(|key| key.len() == KEY_LENGTH) else {
        return Ok(Response::detail(StatusCode::BAD_REQUEST, "Sec-WebSocket-Key is missing or invalid."));
    };
    // Browsers send it, and they send the cookie of the session from pages of all sites.
    if actor.session.is_some()
        && headers.contains_key(header::ORIGIN)
        && !request.client.is_same_origin(&request.settings, headers)
    {
        let detail = "Origin checking failed: the request does not come from this site.";
        return Ok(Response::detail(StatusCode::FORBIDDEN, detail));
    }
    let accepted = derive_accept_key(key.as_bytes());
    let most = usize::try_from(request.settings.integer(&WEBSOCKETS_PER_USER)).unwrap_or(usize::MAX);
    let permit = match app.live.hub.open(actor.id, most) {
        Ok(permit) => permit,
        Err(TooMany) => {
            let detail = format!("You have {most} WebSockets, which is the maximum.");
            return Ok(Response::detail(StatusCode::TOO_MANY_REQUESTS, detail));
        }
    };
    let head = RequestHead { headers, method: &request.method, peer: PeerAddr::Unknown };
    let sign_in = head.sign_in(&app.auth, actor).await?;
    let user = app.live.reader(app.engine(), actor.clone());
    let (sender, receiver) = watch::channel(Some(Arc::clone(&user) as Arc<dyn Reader>));
    lock(&app.live.sockets).push(OpenSocket { sign_in, reader: sender, user });
    let csrf_cookie = cookie(headers, CSRF_COOKIE).map(str::to_owned);
    let client = Client { permit, csrf_cookie, reader: receiver };
    let hub = Arc::clone(&app.live.hub);
    app.live.hub.spawn(async move {
        match upgrade.await {
            Ok(connection) => serve(hub, TokioIo::new(connection), client).await,
            Err(error) => tracing::debug!(%error, "a WebSocket was not opened"),
        }
    });
    let response = Response::empty(StatusCode::SWITCHING_PROTOCOLS);
    let response = response.with(header::CONNECTION, "Upgrade").with(header::UPGRADE, "websocket");
    Ok(response.with(header::SEC_WEBSOCKET_ACCEPT, accepted))
}

fn upgrade_required(detail: &str) -> Response {
    let response = Response::detail(StatusCode::UPGRADE_REQUIRED, detail).with(header::CONNECTION, "Upgrade");
    response.with(header::UPGRADE, "websocket").with(header::SEC_WEBSOCKET_VERSION, VERSION)
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// Whether a header is a list with this word.
fn lists(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|value| value.trim().eq_ignore_ascii_case(word))
}
