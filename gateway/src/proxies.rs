//! Which proxies are believed when they tell for whom they ask.
//!
//! Each proxy writes behind what it was sent from whom it got it, so the list is read from its end: as long as it
//! is a trusted proxy that speaks, the address that it tells is believed. What a client wrote itself stands before that
//! and counts for nothing.

use std::{net::IpAddr, str::FromStr};

use http::{HeaderMap, HeaderName, HeaderValue};

/// With which header proxies tell it.
pub(crate) const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// This machine, and the networks that are not of the internet.
pub(crate) const DEFAULT_PROXIES: &str =
    "127.0.0.0/8,::1/128,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,169.254.0.0/16,fc00::/7,fe80::/10";

/// The networks of trusted proxies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedProxies(Vec<Network>);

/// Addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    first: IpAddr,
    bits: u8,
}

impl Default for TrustedProxies {
    fn default() -> Self {
        DEFAULT_PROXIES.parse().unwrap_or(Self(Vec::new()))
    }
}

impl FromStr for TrustedProxies {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let networks = text.split(',').map(str::trim).filter(|text| !text.is_empty());
        networks.map(Network::from_str).collect::<Result<_, _>>().map(Self)
    }
}

impl TrustedProxies {
    /// From whom a request comes that `peer` sends: the last of those who handed it on that is no trusted proxy. If all
    /// are, the first.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut address = peer.to_canonical();
        let told: Vec<&HeaderValue> = headers.get_all(FORWARDED_FOR).into_iter().collect();
        let entries = told.iter().rev().flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b','));
        for entry in entries {
            if !self.contains(address) {
                break;
            }
            // whoever writes something else tells nothing
            let Some(before) = address_in(entry) else { break };
            address = before;
        }
        address
    }

    fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

/// An address, with a port or without.
fn address_in(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry).ok()?.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let with_port = || text.parse::<std::net::SocketAddr>().ok().map(|address| address.ip());
    bare.parse::<IpAddr>().ok().or_else(with_port).map(|address| address.to_canonical())
}

impl Network {
    fn contains(self, address: IpAddr) -> bool {
        match (self.first, address) {
            (IpAddr::V4(first), IpAddr::V4(address)) => {
                let differ = first.to_bits() ^ address.to_bits();
                differ.leading_zeros() >= u32::from(self.bits)
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => {
                let differ = first.to_bits() ^ address.to_bits();
                differ.leading_zeros() >= u32::from(self.bits)
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("must be networks such as 10.0.0.0/8 or 2001:db8::/32, not {text:?}");
        let (address, bits) =
            text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let first: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = if first.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), |bits| bits.parse().map_err(|_| wrong()))?;
        if bits > most { Err(wrong()) } else { Ok(Self { first, bits }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROXY: &str = "10.0.0.3";
    const PUBLIC_PROXY: &str = "192.0.2.10";
    const CLIENT: &str = "198.51.100.1";
    const SPOOFED: &str = "203.0.113.9";

    fn check(proxies: &str, peer: &str, forwarded: &[&str], expected: &str) {
        let values = forwarded.iter().map(|value| (FORWARDED_FOR, HeaderValue::from_str(value).unwrap()));
        let headers: HeaderMap = values.collect();
        let found = proxies.parse::<TrustedProxies>().unwrap().client(peer.parse().unwrap(), &headers);
        assert_eq!(found.to_string(), expected, "{peer} says {forwarded:?}, and {proxies} are trusted");
    }

    #[test]
    fn the_client_is_found_in_every_topology() {
        let public = format!("{DEFAULT_PROXIES},192.0.2.0/24");
        for (topology, proxies, peer, forwarded, expected) in [
            ("direct, from the internet", DEFAULT_PROXIES, CLIENT, &[][..], CLIENT),
            ("direct, from the internet, spoofed", DEFAULT_PROXIES, CLIENT, &[SPOOFED], CLIENT),
            ("direct, from a private network", DEFAULT_PROXIES, "10.1.1.7", &[], "10.1.1.7"),
            ("direct, from a private network, no proxies, spoofed", "", "10.1.1.7", &[SPOOFED], "10.1.1.7"),
            ("a proxy", DEFAULT_PROXIES, PROXY, &[CLIENT], CLIENT),
            ("a proxy, for a private network", DEFAULT_PROXIES, PROXY, &["10.1.1.7"], "10.1.1.7"),
            ("a proxy that tells nothing", DEFAULT_PROXIES, PROXY, &[], PROXY),
            ("a proxy that tells nonsense", DEFAULT_PROXIES, PROXY, &["198.51.100.1, unknown"], PROXY),
            ("a proxy that appends, spoofed", DEFAULT_PROXIES, PROXY, &["203.0.113.9, 198.51.100.1"], CLIENT),
            (
                "spoofed with an address of the installation",
                DEFAULT_PROXIES,
                PROXY,
                &["10.9.9.9,198.51.100.1"],
                CLIENT,
            ),
            ("two proxies", DEFAULT_PROXIES, PROXY, &["198.51.100.1, 10.1.1.1"], CLIENT),
            ("two headers", DEFAULT_PROXIES, PROXY, &[SPOOFED, "198.51.100.1, 10.1.1.1"], CLIENT),
            (
                "a public proxy, configured",
                &public,
                PROXY,
                &["203.0.113.9, 198.51.100.1, 192.0.2.10"],
                CLIENT,
            ),
            ("a public proxy alone, configured", &public, PUBLIC_PROXY, &[CLIENT], CLIENT),
            ("a public proxy, unknown", DEFAULT_PROXIES, PUBLIC_PROXY, &[CLIENT], PUBLIC_PROXY),
            ("with ports", DEFAULT_PROXIES, PROXY, &["198.51.100.1:4711, [fc00::1]:80, [fc00::2]"], CLIENT),
            ("IPv4 in IPv6", DEFAULT_PROXIES, "::ffff:10.0.0.3", &["::ffff:198.51.100.1"], CLIENT),
        ] {
            println!("{topology}");
            check(proxies, peer, forwarded, expected);
        }
    }

    #[test]
    fn what_is_no_network_is_refused_and_an_address_is_one_of_its_own() {
        for text in ["10.0.0.0/33", "10.0.0/8", "proxy.example", "::/129", "10.0.0.0/", "10.0.0.0/-1"] {
            assert!(text.parse::<TrustedProxies>().is_err(), "{text}");
        }
        check("192.0.2.10", PUBLIC_PROXY, &[CLIENT], CLIENT);
        check("192.0.2.10", "192.0.2.11", &[CLIENT], "192.0.2.11");
        check("0.0.0.0/0, ::/0", CLIENT, &["2001:db8::1, ::1"], "2001:db8::1");
        assert_ne!(TrustedProxies::default(), TrustedProxies(Vec::new()));
    }
}
