//! The client of a request: its address, https, and whether its page is of this origin.

use std::net::IpAddr;

use axum::http::{HeaderMap, header};
use hostler_identity::csrf;
use hostler_listener::PeerAddr;
use hostler_settings::Settings;
use url::Url;

/// What is known of a request's client.
#[derive(Clone, Copy, Debug)]
pub struct ClientInfo {
    /// `None` for a Unix socket without a trusted proxy that names the client.
    pub address: Option<IpAddr>,
    /// Whether the client used https: TLS ends here, a trusted proxy says so, or `TOWER_URL_BASE` is an https URL with
    /// the host that the request names.
    pub is_https: bool,
}

impl ClientInfo {
    /// What the connection's peer address and the headers say, given the trusted proxies of the settings.
    pub fn new(settings: &Settings, peer: PeerAddr, headers: &HeaderMap) -> Self {
        let is_own_https =
            || settings.base_url.as_ref().is_some_and(|own| own.scheme() == "https" && is_host(own, host(headers)));
        ClientInfo {
            address: settings.proxies.client_address(peer, headers),
            is_https: settings.proxies.is_https(peer, headers) || is_own_https(),
        }
    }

    /// Whether the request comes from a page of this server or of a trusted origin, by `Origin` or `Referer`.
    pub fn is_same_origin(self, settings: &Settings, headers: &HeaderMap) -> bool {
        let text = |name| headers.get(name).and_then(|value: &axum::http::HeaderValue| value.to_str().ok());
        let own = settings.base_url.as_ref().map(|url| url.origin().ascii_serialization());
        let trusted: Vec<String> = own.into_iter().chain(settings.trusted_origins.iter().cloned()).collect();
        let page = text(header::ORIGIN).or(text(header::REFERER));
        csrf::origin_allowed(page, host(headers), self.is_https, &trusted)
    }
}

fn host(headers: &HeaderMap) -> &str {
    headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Whether a `Host` header names the host and port of this URL.
fn is_host(address: &Url, host: &str) -> bool {
    Url::parse(&format!("{}://{host}/", address.scheme())).is_ok_and(|asked| {
        asked.host() == address.host() && asked.port_or_known_default() == address.port_or_known_default()
    })
}
