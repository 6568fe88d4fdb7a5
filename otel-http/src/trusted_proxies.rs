//! What proxies say of the client, and which of them are believed.

use std::error::Error;
use std::fmt;
use std::net::IpAddr;

use http::HeaderMap;
use ipnet::IpNet;

use crate::forwarded::{Element, forwarded, real_ip, single, x_forwarded_for};

/// Which senders of forwarding headers are believed.
///
/// Anybody can send `X-Forwarded-For`. Without this option a server takes the client's address from the socket and its
/// own address from `Host`, and ignores forwarding headers.
///
/// ```
/// use otel_http::{HttpServerLayer, TrustedProxies};
///
/// let proxies = TrustedProxies::networks(["10.0.0.0/8", "::1"])?;
/// let layer = HttpServerLayer::builder().with_trusted_proxies(proxies).build();
/// # Ok::<(), otel_http::InvalidNetwork>(())
/// ```
///
/// A proxy must overwrite the headers that it speaks through, or add to them: what it passes on unchanged is the client's
/// word. Most speak through `X-Forwarded-*`, so only those are read unless
/// [`by_forwarded_header`](Self::by_forwarded_header) says otherwise.
#[derive(Clone, Debug)]
pub struct TrustedProxies {
    trust: Trust,
    headers: Headers,
}

/// The headers that the proxies speak through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Headers {
    Any,
    XForwarded,
    Standard,
}

#[derive(Clone, Debug)]
enum Trust {
    All,
    Hops(usize),
    Networks(Vec<IpNet>),
}

impl TrustedProxies {
    /// Proxies in these networks: addresses, or networks such as `10.0.0.0/8`. The client is the last address that is
    /// not one of them. The socket's other end must be one of them, so axum's `ConnectInfo` or [`with_peer_address`] is
    /// needed.
    ///
    /// [`with_peer_address`]: crate::HttpServerLayerBuilder::with_peer_address
    ///
    /// # Errors
    ///
    /// Names the first text that is neither an address nor a network.
    pub fn networks<'a>(networks: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidNetwork> {
        let parse = |text: &str| {
            let address = || text.parse::<IpAddr>().map(IpNet::from);
            let network = text.parse::<IpNet>().or_else(|_| address());
            network.map(canonical).map_err(|_| InvalidNetwork(text.to_owned()))
        };
        networks
            .into_iter()
            .map(parse)
            .collect::<Result<_, _>>()
            .map(|networks| Self { trust: Trust::Networks(networks), headers: Headers::XForwarded })
    }

    /// This many proxies stand in front of the server, each of which adds the address it was called from. The client is
    /// the address that many places from the end; 0 trusts nobody. A request with fewer addresses has not come through all
    /// of them, and is not believed.
    #[must_use]
    pub fn hops(hops: usize) -> Self {
        Self { trust: Trust::Hops(hops), headers: Headers::XForwarded }
    }

    /// Everybody, for a server that only trusted proxies can reach. The client is the first address; all headers are
    /// read, `Forwarded` before `X-Forwarded-*` before `X-Real-IP`.
    #[must_use]
    pub fn all() -> Self {
        Self { trust: Trust::All, headers: Headers::Any }
    }

    /// The proxies speak through `Forwarded` (RFC 7239) and not through `X-Forwarded-*`.
    #[must_use]
    pub fn by_forwarded_header(mut self) -> Self {
        self.headers = Headers::Standard;
        self
    }

    /// What the trusted proxies say; nothing when there is none between the client and us.
    pub(crate) fn read<'a>(&self, headers: &'a HeaderMap, peer: Option<IpAddr>) -> Forwarded<'a> {
        let is_trusted = match &self.trust {
            Trust::All => true,
            Trust::Hops(hops) => *hops > 0,
            Trust::Networks(networks) => peer.is_some_and(|peer| contains(networks, peer)),
        };
        if !is_trusted {
            return Forwarded::default();
        }
        let elements = self.elements(headers);
        let Some(first) = self.first_believed(&elements) else { return Forwarded::default() };
        let believed = &elements[first..];
        let find = |field: fn(&Element<'a>) -> Option<&'a str>| believed.iter().find_map(field);
        let reads_x = self.headers != Headers::Standard;
        let single = |name: &str, from_end: bool| single(headers, name, from_end).filter(|_| reads_x);
        let from_end = !matches!(self.trust, Trust::All);
        let client = match self.trust {
            Trust::All => find(|element| element.client).or_else(|| {
                let first = || x_forwarded_for(headers).into_iter().find_map(|element| element.client);
                if reads_x { first().or_else(|| real_ip(headers)) } else { None }
            }),
            // What stands behind it are proxies, not the client.
            Trust::Hops(_) | Trust::Networks(_) => believed.first().and_then(|element| element.client),
        };
        Forwarded {
            client,
            host: find(|element| element.host).or_else(|| single("x-forwarded-host", from_end)),
            scheme: find(|element| element.proto).or_else(|| single("x-forwarded-proto", from_end)),
        }
    }

    /// The elements in the order of the way here.
    fn elements<'a>(&self, headers: &'a HeaderMap) -> Vec<Element<'a>> {
        let standard = if self.headers == Headers::XForwarded { Vec::new() } else { forwarded(headers) };
        if !standard.is_empty() || self.headers == Headers::Standard {
            return standard;
        }
        x_forwarded_for(headers)
    }

    /// The element that the outermost trusted proxy has written, which tells its caller. Those before it may be made up.
    /// `None` when there are fewer than there are proxies: then the request has not come through all of them, and nobody
    /// knows who has written the rest.
    fn first_believed(&self, elements: &[Element<'_>]) -> Option<usize> {
        match &self.trust {
            Trust::All => Some(0),
            Trust::Hops(hops) => elements.len().checked_sub(*hops),
            Trust::Networks(networks) => {
                let is_proxy = |element: &Element<'_>| {
                    let address = element.client.and_then(|client| client.parse().ok());
                    address.is_some_and(|address| contains(networks, address))
                };
                Some(elements.iter().rposition(|element| !is_proxy(element)).unwrap_or(0))
            }
        }
    }
}

/// A text that is neither an address nor a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidNetwork(String);

impl fmt::Display for InvalidNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "trusted proxies: {:?} is no address and no network; write 10.1.2.3, 10.0.0.0/8 or fd00::/8",
            self.0
        )
    }
}

impl Error for InvalidNetwork {}

/// What was said and is believed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Forwarded<'a> {
    /// The client's address without its port.
    pub(crate) client: Option<&'a str>,
    /// Host and maybe port, as in `Host`.
    pub(crate) host: Option<&'a str>,
    pub(crate) scheme: Option<&'a str>,
}

fn contains(networks: &[IpNet], address: IpAddr) -> bool {
    // A dual-stack socket shows IPv4 peers as IPv6 addresses.
    let address = address.to_canonical();
    networks.iter().any(|network| network.contains(&address))
}

/// An IPv4 network in the form of IPv6 as the former.
fn canonical(network: IpNet) -> IpNet {
    let inside = network.prefix_len().checked_sub(96).filter(|_| network.addr().is_ipv6());
    let mapped = inside.and_then(|length| IpNet::new(network.addr().to_canonical(), length).ok());
    mapped.filter(|mapped| mapped.addr().is_ipv4()).unwrap_or(network)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn client(proxies: &TrustedProxies, pairs: &[(&'static str, &str)], peer: &str) -> Option<String> {
        proxies.read(&headers(pairs), peer.parse().ok()).client.map(str::to_owned)
    }

    #[test]
    fn the_client_is_the_last_address_that_is_no_proxy() {
        let proxies = TrustedProxies::networks(["10.0.0.0/8", "fd00::/8"]).unwrap();
        let made_up = [("x-forwarded-for", "6.6.6.6, 192.0.2.7, 10.0.0.1")];
        assert_eq!(client(&proxies, &made_up, "10.0.0.2").as_deref(), Some("192.0.2.7"));
        assert_eq!(client(&proxies, &made_up, "::ffff:10.0.0.2").as_deref(), Some("192.0.2.7"));
        assert_eq!(client(&proxies, &made_up, "192.0.2.9"), None, "called by somebody else");
        assert_eq!(client(&proxies, &made_up, "unknown"), None);
        let standard =
            [("forwarded", "for=6.6.6.6, for=\"[2001:db8::7]:5\";proto=https, for=10.0.0.1;proto=http")];
        let forwarded = headers(&standard);
        let read = proxies.by_forwarded_header().read(&forwarded, "fd00::1".parse().ok());
        assert_eq!(read.client, Some("2001:db8::7"));
        assert_eq!(read.scheme, Some("https"));
    }

    #[test]
    fn the_header_that_the_proxy_does_not_speak_through_is_the_client_s_word() {
        let proxies = TrustedProxies::networks(["10.0.0.0/8"]).unwrap();
        let sent = headers(&[
            ("forwarded", "for=6.6.6.6;host=evil.example;proto=https"),
            ("x-real-ip", "6.6.6.6"),
            ("x-forwarded-for", "192.0.2.7, , 10.0.0.1"),
        ]);
        let read = proxies.read(&sent, "10.0.0.2".parse().ok());
        assert_eq!(read, Forwarded { client: Some("192.0.2.7"), host: None, scheme: None });
        let read = proxies.by_forwarded_header().read(&sent, "10.0.0.2".parse().ok());
        assert_eq!(read.client, Some("6.6.6.6"));
    }

    #[test]
    fn quotation_marks_within_quotation_marks_end_nothing() {
        let proxies = TrustedProxies::hops(1).by_forwarded_header();
        for (sent, expected) in [
            ("for=192.0.2.7;host=\"x\\\", for=6.6.6.6;host=\\\"y\"", Some("192.0.2.7")),
            ("for=192.0.2.7;host=\"x\\\\\", for=10.0.0.1", Some("10.0.0.1")),
            ("for=\"\\\"6.6.6.6\\\"\"", None),
        ] {
            assert_eq!(client(&proxies, &[("forwarded", sent)], "").as_deref(), expected, "{sent}");
        }
    }

    #[test]
    fn unknown_is_nobody_s_address() {
        let proxies = TrustedProxies::networks(["10.0.0.0/8"]).unwrap();
        for (sent, expected) in [("for=Unknown", None), ("for=_hidden", Some("_hidden"))] {
            let standard = proxies.clone().by_forwarded_header();
            assert_eq!(client(&standard, &[("forwarded", sent)], "10.0.0.2").as_deref(), expected, "{sent}");
        }
        assert_eq!(client(&proxies, &[("x-forwarded-for", "unknown, 10.0.0.1")], "10.0.0.2"), None);
    }

    #[test]
    fn hops_are_counted_from_the_end() {
        let pairs = [("x-forwarded-for", "6.6.6.6, 192.0.2.7, 10.0.0.1")];
        for (hops, expected) in
            [(0, None), (1, Some("10.0.0.1")), (2, Some("192.0.2.7")), (3, Some("6.6.6.6")), (4, None)]
        {
            assert_eq!(client(&TrustedProxies::hops(hops), &pairs, "").as_deref(), expected, "{hops}");
        }
    }

    /// Whoever calls the proxy chooses what comes before its word.
    #[test]
    fn what_is_no_text_hides_nothing_of_what_follows() {
        let mut sent = HeaderMap::new();
        let odd = |bytes: &[u8]| http::HeaderValue::from_bytes(bytes).unwrap();
        sent.append("x-forwarded-for", odd(b"6.6.6.\xff, 192.0.2.7, 10.0.0.1"));
        sent.append("forwarded", odd(b"for=6.6.6.\xff, for=192.0.2.7;proto=https, for=10.0.0.1"));
        let networks = TrustedProxies::networks(["10.0.0.0/8"]).unwrap();
        for proxies in [networks, TrustedProxies::hops(2)] {
            for proxies in [proxies.clone().by_forwarded_header(), proxies] {
                let read = proxies.read(&sent, "10.0.0.2".parse().ok());
                assert_eq!(read.client, Some("192.0.2.7"), "{proxies:?}");
            }
        }
        let mut sent = HeaderMap::new();
        sent.append("x-forwarded-for", odd(b"192.0.2.7"));
        sent.append("x-forwarded-host", odd(b"evil.example"));
        sent.append("x-forwarded-host", odd(b"shop.\xff"));
        assert_eq!(TrustedProxies::hops(1).read(&sent, None).host, None, "not what the client says");
    }

    #[test]
    fn empty_places_are_no_hops() {
        let standard = TrustedProxies::hops(1).by_forwarded_header();
        assert_eq!(client(&standard, &[("forwarded", "for=192.0.2.7, ,")], "").as_deref(), Some("192.0.2.7"));
        let pairs = [("forwarded", ""), ("x-forwarded-for", "192.0.2.7")];
        assert_eq!(client(&TrustedProxies::all(), &pairs, "").as_deref(), Some("192.0.2.7"));
    }

    #[test]
    fn what_one_header_does_not_say_another_does() {
        let pairs =
            [("forwarded", "proto=https"), ("x-forwarded-for", "192.0.2.7"), ("x-real-ip", "6.6.6.6")];
        assert_eq!(client(&TrustedProxies::all(), &pairs, "").as_deref(), Some("192.0.2.7"));
        let standard = TrustedProxies::all().by_forwarded_header();
        assert_eq!(client(&standard, &pairs, ""), None, "the proxies do not speak through the others");
    }

    /// A caller that opens a quotation would else have all that the proxy adds inside of it.
    #[test]
    fn a_quotation_that_does_not_end_hides_nothing_of_what_follows() {
        let proxies = TrustedProxies::hops(1).by_forwarded_header();
        for (sent, expected) in [
            ("for=\"6.6.6.6, for=192.0.2.7;proto=https", "192.0.2.7"),
            ("for=6.6.6.6;host=\"x\\, for=192.0.2.7;proto=https", "192.0.2.7"),
            ("for=\"6.6.6.6, for=\"[2001:db8::7]:5\";proto=https", "2001:db8::7"),
            ("for=\"x\"y\", for=\"[2001:db8::7]:5\";proto=https", "2001:db8::7"),
        ] {
            let headers = headers(&[("forwarded", sent)]);
            let read = proxies.read(&headers, None);
            assert_eq!((read.client, read.scheme), (Some(expected), Some("https")), "{sent}");
        }
    }

    /// As the log of a server with a dual-stack socket shows them.
    #[test]
    fn proxies_may_be_ipv4_addresses_within_ipv6() {
        let pairs = [("x-forwarded-for", "192.0.2.7")];
        for network in ["::ffff:10.0.0.2", "::ffff:10.0.0.0/104"] {
            let proxies = TrustedProxies::networks([network]).unwrap();
            assert_eq!(
                client(&proxies, &pairs, "::ffff:10.0.0.2").as_deref(),
                Some("192.0.2.7"),
                "{network}"
            );
            assert_eq!(client(&proxies, &pairs, "11.0.0.2"), None, "{network}");
        }
    }

    #[test]
    fn x_real_ip_is_the_last_resort() {
        for (sent, expected) in [
            ("192.0.2.7", Some("192.0.2.7")),
            (" [2001:db8::7]:5", Some("2001:db8::7")),
            ("192.0.2.7:5", Some("192.0.2.7")),
            ("unknown", None),
        ] {
            assert_eq!(client(&TrustedProxies::all(), &[("x-real-ip", sent)], "").as_deref(), expected);
        }
    }

    #[test]
    fn a_wrong_network_is_named() {
        let error = TrustedProxies::networks(["10.0.0.0/8", "10.0.0.0/99"]).unwrap_err();
        assert!(error.to_string().contains("\"10.0.0.0/99\" is no address and no network"), "{error}");
    }
}
