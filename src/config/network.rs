//! Networks: the addresses that may call, and the proxies that are believed.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::Deserialize;

/// An address, or a network as `10.86.6.0/24`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network {
    base: IpAddr,
    prefix: u8,
}

/// A text that is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither an address, like 10.86.6.189, nor a network, like 10.86.6.0/24")]
pub struct NetworkError(String);

impl Network {
    /// True when the address lies in it. An IPv4 address in its IPv6 form is the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.base, address.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                same(base.to_bits().into(), address.to_bits().into(), 32, self.prefix)
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => same(base.to_bits(), address.to_bits(), 128, self.prefix),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }

    /// True when every address of its kind lies in it.
    pub fn is_everybody(&self) -> bool {
        self.prefix == 0
    }

    fn width(base: IpAddr) -> u8 {
        if base.is_ipv4() { 32 } else { 128 }
    }
}

/// True when the first `prefix` of `width` bits are the same.
fn same(left: u128, right: u128, width: u8, prefix: u8) -> bool {
    let rest = u32::from(width.saturating_sub(prefix));
    (left ^ right).checked_shr(rest).unwrap_or(0) == 0
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let wrong = || NetworkError(text.to_owned());
        let (address, prefix) = match text.trim().split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u8>().map_err(|_| wrong())?)),
            None => (text.trim(), None),
        };
        let base = address.parse::<IpAddr>().map_err(|_| wrong())?.to_canonical();
        let prefix = prefix.unwrap_or(Network::width(base));
        if prefix > Network::width(base) { Err(wrong()) } else { Ok(Network { base, prefix }) }
    }
}

impl TryFrom<String> for Network {
    type Error = NetworkError;

    fn try_from(text: String) -> Result<Self, NetworkError> {
        text.parse()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.prefix == Network::width(self.base) {
            true => write!(f, "{}", self.base),
            false => write!(f, "{}/{}", self.base, self.prefix),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(network: &str, address: &str) -> bool {
        network.parse::<Network>().unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn an_address_is_itself_and_a_network_is_all_with_its_prefix() {
        assert!(holds("10.86.6.189", "10.86.6.189") && !holds("10.86.6.189", "10.86.6.188"));
        assert!(holds("10.86.6.0/24", "10.86.6.237") && !holds("10.86.6.0/24", "10.86.7.1"));
        assert!(holds("0.0.0.0/0", "203.0.113.9") && !holds("0.0.0.0/0", "2001:db8::1"));
        assert!(holds("2001:db8::/32", "2001:db8:5::1") && !holds("2001:db8::/32", "2001:db9::1"));
        assert!(holds("10.86.6.189", "::ffff:10.86.6.189"), "as a listener on both families sees it");
    }

    #[test]
    fn what_is_no_network_is_said_so() {
        for bad in ["", "gateway", "10.86.6", "10.86.6.0/33", "10.86.6.0/x", "10.86.6.0/"] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
        assert_eq!("10.86.6.0/24".parse::<Network>().unwrap().to_string(), "10.86.6.0/24");
    }
}
