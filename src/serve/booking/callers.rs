//! Who may call: the gateway's addresses and nobody else, straight or through proxies that the site trusts. Who may not learns nothing, not
//! even that somebody listens to bookings here.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;

use crate::config::Network;

/// The header in which proxies tell for whom they call, the nearest to us last.
const FORWARDED: &str = "x-forwarded-for";
/// Most addresses of it that are looked at, from the end.
const MOST_HOPS: usize = 16;

/// Who may call.
#[derive(Debug, Clone)]
pub struct Callers {
    allow: Vec<Network>,
    proxies: Vec<Network>,
}

impl Callers {
    /// These addresses, and these proxies' word for them.
    pub fn new(allow: Vec<Network>, proxies: Vec<Network>) -> Self {
        Callers { allow, proxies }
    }

    /// True when a connection from there may carry a request of somebody who may call.
    pub fn may_connect(&self, peer: IpAddr) -> bool {
        is_in(&self.allow, peer) || is_in(&self.proxies, peer)
    }

    /// True when the request may be answered.
    pub fn may_call(&self, peer: SocketAddr, headers: &HeaderMap) -> bool {
        self.caller(peer.ip(), headers).is_some_and(|caller| is_in(&self.allow, caller))
    }

    /// Who is to be named when a request is refused: the caller, or the proxy that does not say who it is.
    pub fn named(&self, peer: SocketAddr, headers: &HeaderMap) -> IpAddr {
        self.caller(peer.ip(), headers).unwrap_or(peer.ip()).to_canonical()
    }

    /// Whose request it is: the peer's, or that of the last address before the proxies. None when a proxy says what cannot be read: from there
    /// on everything could be made up.
    fn caller(&self, peer: IpAddr, headers: &HeaderMap) -> Option<IpAddr> {
        if !is_in(&self.proxies, peer) {
            return Some(peer);
        }
        let mut caller = peer;
        let lines: Vec<&str> = headers.get_all(FORWARDED).iter().map(|value| value.to_str().unwrap_or("?")).collect();
        let hops = lines.iter().rev().flat_map(|line| line.rsplit(',')).map(str::trim);
        for hop in hops.take(MOST_HOPS) {
            caller = address(hop)?;
            if !is_in(&self.proxies, caller) {
                return Some(caller);
            }
        }
        Some(caller)
    }
}

fn is_in(networks: &[Network], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(address))
}

/// An address, which some proxies write with its port.
fn address(hop: &str) -> Option<IpAddr> {
    hop.parse().ok().or_else(|| hop.parse::<SocketAddr>().ok().map(|hop| hop.ip()))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const GATEWAY: &str = "10.86.6.189";

    fn lets(proxies: &[&str], peer: &str, forwarded: &[&str]) -> bool {
        let networks = |list: &[&str]| list.iter().map(|text| text.parse().unwrap()).collect();
        let callers = Callers::new(networks(&[GATEWAY]), networks(proxies));
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(FORWARDED, HeaderValue::from_str(line).unwrap());
        }
        callers.may_call(SocketAddr::new(peer.parse().unwrap(), 4711), &headers)
    }

    #[test]
    fn the_gateway_may_call_and_others_may_not_whatever_they_say() {
        assert!(lets(&[], GATEWAY, &[]));
        assert!(!lets(&[], "10.0.0.7", &[GATEWAY]), "nobody told us to believe it");
        assert!(lets(&[], GATEWAY, &["203.0.113.9"]), "who is no proxy speaks for itself");
    }

    #[test]
    fn of_a_proxy_the_last_address_before_the_proxies_calls() {
        let proxies = ["127.0.0.1", "10.0.1.0/24"];
        for (forwarded, expected) in [
            (&[GATEWAY] as &[&str], true),
            (&["203.0.113.9, 10.86.6.189"], true),
            (&["10.86.6.189, 203.0.113.9"], false),
            (&["10.86.6.189, 10.0.1.7"], true),
            (&["10.86.6.189", "203.0.113.9"], false),
            (&["203.0.113.9", "10.86.6.189:41000"], true),
            (&["10.86.6.189, unknown"], false),
            (&["10.86.6.189, "], false),
            (&[], false),
        ] {
            assert_eq!(lets(&proxies, "127.0.0.1", forwarded), expected, "{forwarded:?}");
        }
    }

    #[test]
    fn who_is_refused_behind_a_proxy_is_named_and_not_the_proxy() {
        let callers = Callers::new(Vec::new(), vec!["127.0.0.1".parse().unwrap()]);
        let named = |forwarded: &'static str| {
            let headers = HeaderMap::from_iter([(FORWARDED.parse().unwrap(), HeaderValue::from_static(forwarded))]);
            callers.named("127.0.0.1:4711".parse().unwrap(), &headers).to_string()
        };
        assert_eq!([named("10.86.6.190"), named("unknown")], ["10.86.6.190", "127.0.0.1"]);
    }

    #[test]
    fn proxies_alone_are_nobody_who_may_call() {
        assert!(!lets(&["127.0.0.1"], "127.0.0.1", &["127.0.0.1, 127.0.0.1"]));
    }
}
