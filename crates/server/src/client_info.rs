//! How a request came here.

use std::net::IpAddr;

use axum::http::{HeaderMap, header};
use hostler_identity::csrf;
use hostler_listener::PeerAddr;
use url::Url;

use crate::settings::Settings;

/// From where a request came, and by what, as far as that can be known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientInfo {
    /// The client's address; none if the request did not come over a network, and nobody who is believed tells one.
    pub address: Option<IpAddr>,
    /// Whether the client spoke https: a proxy that is believed says so, TLS ends here, or the settings say it of the
    /// address that the request names.
    pub is_https: bool,
}

impl ClientInfo {
    pub(crate) fn new(settings: &Settings, peer: PeerAddr, headers: &HeaderMap) -> Self {
        let is_own_https =
            || settings.base_url.as_ref().is_some_and(|own| own.scheme() == "https" && is_host(own, host(headers)));
        ClientInfo {
            address: settings.proxies.client_address(peer, headers),
            is_https: settings.proxies.is_https(peer, headers) || is_own_https(),
        }
    }

    /// Whether a session's request comes from a page of ours, by what its headers say of that page.
    pub(crate) fn is_same_origin(self, settings: &Settings, headers: &HeaderMap) -> bool {
        let text = |name| headers.get(name).and_then(|value: &axum::http::HeaderValue| value.to_str().ok());
        let trusted = settings.base_url.as_ref().map(|own| own.origin().ascii_serialization());
        let page = text(header::ORIGIN).or(text(header::REFERER));
        csrf::origin_allowed(page, host(headers), self.is_https, trusted.as_slice())
    }
}

fn host(headers: &HeaderMap) -> &str {
    headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Whether a `Host` header names the host and port of this address.
fn is_host(address: &Url, host: &str) -> bool {
    Url::parse(&format!("{}://{host}/", address.scheme())).is_ok_and(|asked| {
        asked.host() == address.host() && asked.port_or_known_default() == address.port_or_known_default()
    })
}
