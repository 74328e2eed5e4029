//! The client's address and scheme behind reverse proxies.
//!
//! Any client can send `X-Forwarded-For` and `X-Forwarded-Proto`. They are used only if the peer is one of the proxies in
//! the settings (none by default), or is connected to a Unix socket, whose permissions restrict who can connect.

use std::net::{IpAddr, SocketAddr};

use hostler_listener::PeerAddr;
use http::{HeaderMap, HeaderName};
use ipnet::IpNet;
use serde_json::{Map, Value as Json, json};

use crate::definitions::system::{PROXY_IP_ALLOWED_LIST, REMOTE_HOST_HEADERS};
use crate::values::Settings;

/// The names of the peer address in `REMOTE_HOST_HEADERS`.
const CONNECTION: [&str; 2] = ["REMOTE_ADDR", "REMOTE_HOST"];
/// The prefix of the name of a header in `REMOTE_HOST_HEADERS`.
const HEADER: &str = "HTTP_";
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The trusted proxies, and where to find the client's address.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
    sources: Vec<AddressSource>,
}

/// A source of the client's address.
#[derive(Clone, Debug, PartialEq)]
enum AddressSource {
    Connection,
    Header(HeaderName),
}

impl TrustedProxies {
    pub(crate) fn of(settings: &Settings) -> Self {
        // The settings API rejects invalid values; any others are ignored.
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
    pub fn client_address(&self, peer: PeerAddr, headers: &HeaderMap) -> Option<IpAddr> {
        let peer_address = peer.ip().map(|address| address.to_canonical());
        if !self.is_trusted_peer(peer) {
            return peer_address;
        }
        let found = self.sources.iter().find_map(|source| match source {
            AddressSource::Connection => peer_address,
            AddressSource::Header(name) => self.address_in_header(headers, name),
        });
        found.or(peer_address)
    }

    /// The address in a header. Each proxy appends the address of its own peer, so the rightmost addresses come from
    /// trusted proxies. The client may have sent anything left of the first address that is not a trusted proxy.
    fn address_in_header(&self, headers: &HeaderMap, name: &HeaderName) -> Option<IpAddr> {
        let values: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
        let mut last = None;
        for item in values.iter().rev().flat_map(|value| value.rsplit(',')) {
            // Nothing left of an invalid entry can be trusted.
            let Some(address) = address(item.trim()) else { break };
            last = Some(address);
            if !self.is_trusted(address) {
                break;
            }
        }
        last
    }

    /// Whether the client used HTTPS: as a trusted proxy reports, or else on this connection.
    pub fn is_https(&self, peer: PeerAddr, headers: &HeaderMap) -> bool {
        let value = headers.get_all(FORWARDED_PROTO).iter().next_back().and_then(|value| value.to_str().ok());
        match value.and_then(|value| value.rsplit(',').next()) {
            Some(scheme) if self.is_trusted_peer(peer) => scheme.trim().eq_ignore_ascii_case("https"),
            _ => peer.is_tls(),
        }
    }
}

/// Parses an address with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

/// Parses a network or a single address.
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

/// Validates `PROXY_IP_ALLOWED_LIST`.
pub(crate) fn check_proxies(value: &Json) -> Result<(), Json> {
    each(value, |text| network(text).is_some(), "is neither an IP address nor a network such as 10.0.0.0/8.")
}

/// Validates `REMOTE_HOST_HEADERS`.
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
    use http::HeaderValue;

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
    fn forwarded_headers_of_untrusted_peers_are_ignored() {
        let sources = ["HTTP_X_FORWARDED_FOR", "REMOTE_ADDR"];
        let untrusted = peer("192.0.2.1", false);
        assert_eq!(client(&proxies(&[], &sources), untrusted, &["198.51.100.7"]), "192.0.2.1");
        assert_eq!(client(&proxies(&["10.0.0.0/8"], &sources), untrusted, &["198.51.100.7"]), "192.0.2.1");
        assert_eq!(client(&proxies(&["10.0.0.0/8"], &sources), PeerAddr::Unknown, &["198.51.100.7"]), "");
    }

    #[test]
    fn client_address_is_the_rightmost_untrusted_one() {
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
    fn address_sources_are_tried_in_order() {
        let behind = proxies(&["10.0.0.0/8"], &["REMOTE_ADDR", "HTTP_X_FORWARDED_FOR"]);
        assert_eq!(client(&behind, peer("10.0.0.1", false), &["198.51.100.7"]), "10.0.0.1");
    }

    #[test]
    fn unix_socket_peers_are_trusted() {
        let sources = ["REMOTE_ADDR", "HTTP_X_FORWARDED_FOR"];
        assert_eq!(client(&proxies(&[], &sources), PeerAddr::Unix, &["203.0.113.9, 198.51.100.7"]), "198.51.100.7");
        assert_eq!(client(&proxies(&[], &sources), PeerAddr::Unix, &[]), "");
        assert_eq!(client(&proxies(&[], &sources[..1]), PeerAddr::Unix, &["198.51.100.7"]), "");
    }

    #[test]
    fn forwarded_proto_is_used_for_trusted_peers_only() {
        let behind = proxies(&["10.0.0.0/8"], &[]);
        let (proxy, untrusted) = (peer("10.0.0.1", false), peer("192.0.2.1", false));
        for (peer, scheme, expected) in [
            (proxy, "https", true),
            (proxy, "HTTPS", true),
            (proxy, "http", false),
            (proxy, "https, http", false),
            (untrusted, "https", false),
            (PeerAddr::Unix, "https", true),
            (PeerAddr::Unix, "http", false),
            (PeerAddr::Unknown, "https", false),
            (peer("192.0.2.1", true), "http", true),
            // The proxy uses TLS to this server, and its client does not.
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
