//! The `Host` header of a portal that a local tunnel stands before: the tunnel has another address than the portal, and the portal goes by
//! the header.

use std::fmt;
use std::str::FromStr;

use reqwest::header::HeaderValue;
use url::Url;

/// What a `Host` header may say: a name or an address, and a port if need be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostName(HeaderValue);

/// Why a text is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected the name of the portal's host alone, like pos.gosuslugi.ru, with a port if it needs one; no http://, no path"
)]
pub struct NoHostName;

impl HostName {
    /// The header.
    pub(super) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.to_str().unwrap_or_default())
    }
}

impl FromStr for HostName {
    type Err = NoHostName;

    fn from_str(text: &str) -> Result<Self, NoHostName> {
        let foreign = |sign: char| sign.is_whitespace() || sign.is_control() || "/\\@?#%".contains(sign);
        if text.contains(foreign) || text.ends_with(':') {
            return Err(NoHostName);
        }
        // A name in Cyrillic letters goes out as the DNS knows it.
        let url = Url::parse(&format!("http://{text}/")).map_err(|_| NoHostName)?;
        let name = url.host_str().filter(|name| !name.is_empty()).ok_or(NoHostName)?;
        let port = text.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        let port = port.filter(|_| !text.ends_with(']')).map(|port| format!(":{port}")).unwrap_or_default();
        HeaderValue::from_str(&format!("{name}{port}")).map(HostName).map_err(|_| NoHostName)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_have_a_port_and_nothing_else() {
        for (text, header) in [
            ("pos.gosuslugi.ru", "pos.gosuslugi.ru"),
            ("POS.gosuslugi.ru:443", "pos.gosuslugi.ru:443"),
            ("gateway:80", "gateway:80"),
            ("10.86.6.237:2100", "10.86.6.237:2100"),
            ("[::1]:8443", "[::1]:8443"),
            ("[2001:db8::80]", "[2001:db8::80]"),
            ("портал.рф", "xn--80awhdgm.xn--p1ai"),
        ] {
            assert_eq!(text.parse::<HostName>().map(|host| host.to_string()).as_deref(), Ok(header));
        }
        for text in [
            "",
            " ",
            "https://pos.gosuslugi.ru",
            "pos.gosuslugi.ru/og",
            "a@b",
            "a b",
            "a\r\nX: y",
            "a:",
            "a:b",
            "a:99999",
            "::1",
            "a?b",
            "a#b",
            ":80",
        ] {
            assert_eq!(text.parse::<HostName>(), Err(NoHostName), "{text:?}");
        }
    }
}
