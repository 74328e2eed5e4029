//! Where a request really comes from, when proxies stand between.
//!
//! A header can be written by anybody. So what headers say of the client's address, and of https, is believed only if
//! the other end of the connection is one of the proxies that the settings name, of which there are none by default, or
//! has come in by a Unix socket, whose permissions let only those in who are to be believed.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName};
use hostler_listener::PeerAddr;
use ipnet::IpNet;
use serde_json::{Map, Value as Json, json};

use crate::settings::Settings;
use crate::settings::definitions::system::{PROXY_IP_ALLOWED_LIST, REMOTE_HOST_HEADERS};

/// What stands for the other end of the connection, in AWX's words.
const CONNECTION: [&str; 2] = ["REMOTE_ADDR", "REMOTE_HOST"];
/// What stands before the name of a header, in AWX's words.
const HEADER: &str = "HTTP_";
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Which proxies are believed, and where they write.
#[derive(Clone, Debug, Default)]
pub(crate) struct TrustedProxies {
    networks: Vec<IpNet>,
    sources: Vec<AddressSource>,
}

/// Where the address of a client stands.
#[derive(Clone, Debug, PartialEq)]
enum AddressSource {
    Connection,
    Header(HeaderName),
}

impl TrustedProxies {
    pub(crate) fn of(settings: &Settings) -> Self {
        // What cannot be read was not stored by us, and is not believed.
        TrustedProxies {
            networks: settings.strings(&PROXY_IP_ALLOWED_LIST).iter().filter_map(|text| network(text)).collect(),
            sources: settings.strings(&REMOTE_HOST_HEADERS).iter().filter_map(|text| address_source(text)).collect(),
        }
    }

    fn is_trusted(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }

    fn is_trusted_peer(&self, peer: PeerAddr) -> bool {
        match peer {
            PeerAddr::Tcp { address, .. } => self.is_trusted(address.ip().to_canonical()),
            PeerAddr::Unix => true,
            PeerAddr::Unknown => false,
        }
    }

    /// The address of the client that made a request over a connection from `peer`.
    pub(crate) fn client_address(&self, peer: PeerAddr, headers: &HeaderMap) -> Option<IpAddr> {
        let other_end = peer.ip().map(|address| address.to_canonical());
        if !self.is_trusted_peer(peer) {
            return other_end;
        }
        let found = self.sources.iter().find_map(|place| match place {
            AddressSource::Connection => other_end,
            AddressSource::Header(name) => self.written(headers, name),
        });
        found.or(other_end)
    }

    /// The address in a header. Each proxy adds the one it was asked from, so what is right of our own proxies is
    /// what they saw; whatever stands left of that, the client may have made up.
    fn written(&self, headers: &HeaderMap, name: &HeaderName) -> Option<IpAddr> {
        let values: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
        let mut last = None;
        for item in values.iter().rev().flat_map(|value| value.rsplit(',')) {
            // From here on leftwards nothing can be trusted.
            let Some(address) = address(item.trim()) else { break };
            last = Some(address);
            if !self.is_trusted(address) {
                break;
            }
        }
        last
    }

    /// Whether the client spoke https: to the proxy, if one that is believed tells; else to us.
    pub(crate) fn is_https(&self, peer: PeerAddr, headers: &HeaderMap) -> bool {
        let value = headers.get_all(FORWARDED_PROTO).iter().next_back().and_then(|value| value.to_str().ok());
        match value.and_then(|value| value.rsplit(',').next()) {
            Some(scheme) if self.is_trusted_peer(peer) => scheme.trim().eq_ignore_ascii_case("https"),
            _ => peer.is_tls(),
        }
    }
}

/// An address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

/// A network, or one address.
fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| address(text).map(IpNet::from))
}

fn address_source(text: &str) -> Option<AddressSource> {
    if CONNECTION.contains(&text) {
        return Some(AddressSource::Connection);
    }
    let name = text.strip_prefix(HEADER)?.replace('_', "-").to_ascii_lowercase();
    HeaderName::try_from(name).ok().map(AddressSource::Header)
}

/// Whether all of these are addresses or networks.
pub(crate) fn check_proxies(value: &Json) -> Result<(), Json> {
    each(value, |text| network(text).is_some(), "is neither an IP address nor a network such as 10.0.0.0/8.")
}

/// Whether all of these name a header or the connection.
pub(crate) fn check_headers(value: &Json) -> Result<(), Json> {
    each(
        value,
        |text| address_source(text).is_some(),
        "is neither REMOTE_ADDR nor a header such as HTTP_X_FORWARDED_FOR.",
    )
}

fn each(value: &Json, is_good: impl Fn(&str) -> bool, otherwise: &str) -> Result<(), Json> {
    let texts = value.as_array().into_iter().flatten().filter_map(Json::as_str).enumerate();
    let bad = texts.filter(|(_, text)| !is_good(text));
    let problems: Map<String, Json> =
        bad.map(|(position, text)| (position.to_string(), json!([format!("\"{text}\" {otherwise}")]))).collect();
    if problems.is_empty() { Ok(()) } else { Err(problems.into()) }
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "tests report by panicking")]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn proxies(networks: &[&str], sources: &[&str]) -> TrustedProxies {
        TrustedProxies {
            networks: networks.iter().filter_map(|text| network(text)).collect(),
            sources: sources.iter().filter_map(|text| address_source(text)).collect(),
        }
    }

    fn peer(address: &str, is_tls: bool) -> PeerAddr {
        PeerAddr::Tcp { address: SocketAddr::new(address.parse().expect("an address"), 4711), is_tls }
    }

    fn client(proxies: &TrustedProxies, peer: PeerAddr, forwarded: &[&'static str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", HeaderValue::from_static(value));
        }
        proxies.client_address(peer, &headers).map(|address| address.to_string()).unwrap_or_default()
    }

    #[test]
    fn headers_of_strangers_are_ignored() {
        let sources = ["HTTP_X_FORWARDED_FOR", "REMOTE_ADDR"];
        let stranger = peer("192.0.2.1", false);
        assert_eq!(client(&proxies(&[], &sources), stranger, &["198.51.100.7"]), "192.0.2.1");
        assert_eq!(client(&proxies(&["10.0.0.0/8"], &sources), stranger, &["198.51.100.7"]), "192.0.2.1");
        assert_eq!(client(&proxies(&["10.0.0.0/8"], &sources), PeerAddr::Unknown, &["198.51.100.7"]), "");
    }

    #[test]
    fn a_proxy_tells_what_it_saw_and_not_what_it_was_told() {
        let behind = proxies(&["10.0.0.0/8", "2001:db8::1"], &["HTTP_X_FORWARDED_FOR", "REMOTE_ADDR"]);
        for (forwarded, expected) in [
            (&["198.51.100.7"][..], "198.51.100.7"),
            (&["203.0.113.9, 198.51.100.7"], "198.51.100.7"),
            (&["203.0.113.9", "198.51.100.7, 10.0.0.2"], "198.51.100.7"),
            (&["198.51.100.7:4711"], "198.51.100.7"),
            (&["[2001:db8::7]:4711"], "2001:db8::7"),
            (&["[2001:db8::7]"], "2001:db8::7"),
            (&["::ffff:198.51.100.7"], "198.51.100.7"),
            (&["10.0.0.3, 2001:db8::1"], "10.0.0.3"),
            (&["198.51.100.7, unknown, 10.0.0.2"], "10.0.0.2"),
            (&["unknown"], "10.0.0.1"),
            (&[""], "10.0.0.1"),
            (&[], "10.0.0.1"),
        ] {
            assert_eq!(client(&behind, peer("10.0.0.1", false), forwarded), expected, "{forwarded:?}");
            assert_eq!(client(&behind, peer("::ffff:10.0.0.1", false), forwarded), expected, "{forwarded:?}");
        }
    }

    #[test]
    fn the_order_of_places_counts() {
        let behind = proxies(&["10.0.0.0/8"], &["REMOTE_ADDR", "HTTP_X_FORWARDED_FOR"]);
        assert_eq!(client(&behind, peer("10.0.0.1", false), &["198.51.100.7"]), "10.0.0.1");
    }

    #[test]
    fn who_comes_by_a_unix_socket_is_believed() {
        let sources = ["REMOTE_ADDR", "HTTP_X_FORWARDED_FOR"];
        assert_eq!(client(&proxies(&[], &sources), PeerAddr::Unix, &["203.0.113.9, 198.51.100.7"]), "198.51.100.7");
        assert_eq!(client(&proxies(&[], &sources), PeerAddr::Unix, &[]), "");
        assert_eq!(client(&proxies(&[], &sources[..1]), PeerAddr::Unix, &["198.51.100.7"]), "");
    }

    #[test]
    fn https_is_believed_of_proxies_only() {
        let behind = proxies(&["10.0.0.0/8"], &[]);
        let (proxy, stranger) = (peer("10.0.0.1", false), peer("192.0.2.1", false));
        for (peer, scheme, expected) in [
            (proxy, "https", true),
            (proxy, "HTTPS", true),
            (proxy, "http", false),
            (proxy, "https, http", false),
            (stranger, "https", false),
            (PeerAddr::Unix, "https", true),
            (PeerAddr::Unix, "http", false),
            (PeerAddr::Unknown, "https", false),
            (peer("192.0.2.1", true), "http", true),
            // It speaks TLS to us, and http to the client.
            (peer("10.0.0.1", true), "http", false),
        ] {
            let headers = HeaderMap::from_iter([(FORWARDED_PROTO, HeaderValue::from_static(scheme))]);
            assert_eq!(behind.is_https(peer, &headers), expected, "{peer:?} {scheme}");
        }
        for (peer, expected) in [(proxy, false), (peer("10.0.0.1", true), true), (PeerAddr::Unix, false)] {
            assert_eq!(behind.is_https(peer, &HeaderMap::new()), expected, "{peer:?}");
        }
    }
}
