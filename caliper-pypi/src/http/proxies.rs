//! Proxies that the environment names, read as curl, pip and uv read it.
//!
//! `ureq`'s own reading takes one proxy for all addresses, the one of `ALL_PROXY` first, passes over
//! what is malformed, and knows neither subdomains nor networks in `NO_PROXY`.

use std::net::IpAddr;

use url::{Host, Url};

use super::RequestError;

/// The proxies for `http` and `https`, and what is reached without them.
#[derive(Debug, Default)]
pub(super) struct Proxies {
    http: Option<Named>,
    https: Option<Named>,
    direct: Vec<Direct>,
}

/// What one variable names; `Err` is the variable, if it names no proxy that we can speak to.
type Named = Result<ureq::Proxy, &'static str>;

impl Proxies {
    pub(super) fn of_environment() -> Self {
        Self::read(|name| std::env::var(name).ok())
    }

    /// The names in lower case come first, and the one of a scheme before the one for all.
    fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let first = |names: &[&'static str]| {
            names.iter().find_map(|name| {
                let text = variable(name).filter(|text| !text.trim().is_empty())?;
                Some(proxy(text.trim()).ok_or(*name))
            })
        };
        let direct = ["no_proxy", "NO_PROXY"].iter().find_map(|name| variable(name));
        Self {
            http: first(&["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]),
            https: first(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]),
            direct: direct
                .unwrap_or_default()
                .split([',', ' ', '\t'])
                .filter_map(Direct::read)
                .collect(),
        }
    }

    /// The proxy for a request of `url`.
    pub(super) fn of(&self, url: &Url) -> Result<Option<ureq::Proxy>, RequestError> {
        // No proxy can reach our own machine's loopback.
        if is_loopback(url) || self.direct.iter().any(|direct| direct.covers(url)) {
            return Ok(None);
        }
        let named = if url.scheme() == "https" { &self.https } else { &self.http };
        match named {
            None => Ok(None),
            Some(Ok(proxy)) => Ok(Some(proxy.clone())),
            Some(Err(variable)) => Err(RequestError::Proxy {
                url: super::shown(url),
                variable: (*variable).to_owned(),
            }),
        }
    }
}

/// The proxy at an address, which may go without `http://`. `ureq` alone would also take one without a
/// host, and a port that is no number.
fn proxy(text: &str) -> Option<ureq::Proxy> {
    let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let url: Url = text.parse().ok()?;
    let speaks_http = matches!(url.scheme(), "http" | "https") && url.has_host();
    speaks_http.then(|| ureq::Proxy::new(url.as_str()).ok()).flatten()
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// One entry of `NO_PROXY`.
#[derive(Debug, PartialEq, Eq)]
enum Direct {
    /// `*`
    All,
    /// A domain and all below it, at one port or any.
    Domain(String, Option<u16>),
    /// Addresses that begin with the same bits.
    Network(IpAddr, u32),
}

impl Direct {
    fn read(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        if text == "*" {
            return Some(Self::All);
        }
        let (address, bits) =
            text.split_once('/').map_or((text.as_str(), None), |(address, bits)| {
                (address, Some(bits.parse::<u32>().ok()))
            });
        if let Ok(address) = address.trim_matches(['[', ']']).parse::<IpAddr>() {
            let all = if address.is_ipv4() { 32 } else { 128 };
            return Some(Self::Network(address, bits.unwrap_or(Some(all))?.min(all)));
        }
        let (domain, port) = match text.rsplit_once(':') {
            Some((domain, port)) => (domain, Some(port.parse().ok()?)),
            None => (text.as_str(), None),
        };
        let domain = domain.trim_start_matches('*').trim_matches('.');
        (!domain.is_empty()).then(|| Self::Domain(domain.to_owned(), port))
    }

    fn covers(&self, url: &Url) -> bool {
        match (self, url.host()) {
            (Self::All, _) => true,
            (Self::Domain(domain, port), Some(Host::Domain(host))) => {
                let host = host.trim_end_matches('.');
                let below = host.strip_suffix(domain.as_str());
                below.is_some_and(|below| below.is_empty() || below.ends_with('.'))
                    && port.is_none_or(|port| url.port_or_known_default() == Some(port))
            }
            (Self::Network(network, bits), Some(Host::Ipv4(address))) => match network {
                IpAddr::V4(network) => {
                    (network.to_bits() ^ address.to_bits()).leading_zeros() >= *bits
                }
                IpAddr::V6(_) => false,
            },
            (Self::Network(network, bits), Some(Host::Ipv6(address))) => match network {
                IpAddr::V6(network) => {
                    (network.to_bits() ^ address.to_bits()).leading_zeros() >= *bits
                }
                IpAddr::V4(_) => false,
            },
            (Self::Domain(..) | Self::Network(..), _) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Variable = (&'static str, &'static str);

    /// The host of the proxy for a request, in an environment of these variables.
    fn proxy(variables: &[(&str, &str)], url: &str) -> Result<Option<String>, String> {
        let read = |wanted: &str| {
            let found = variables.iter().find(|(name, _)| *name == wanted);
            found.map(|(_, value)| (*value).to_owned())
        };
        let proxy = Proxies::read(read).of(&url.parse().unwrap());
        proxy
            .map(|proxy| proxy.map(|proxy| proxy.host().to_owned()))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn each_scheme_has_its_proxy() {
        let all = [
            ("HTTP_PROXY", "http://one"),
            ("HTTPS_PROXY", "http://me:hush@two:8080"),
            ("ALL_PROXY", "http://three"),
        ];
        let cases: &[(&[Variable], &str, Option<&str>)] = &[
            (&all, "http://h/", Some("one")),
            (&all, "https://h/", Some("two")),
            (&all[..1], "https://h/", None), // a proxy for another scheme is not used
            (&all[2..], "https://h/", Some("three")),
            (&all[2..], "http://h/", Some("three")),
            (&[("https_proxy", "four"), ("HTTPS_PROXY", "http://two")], "https://h/", Some("four")),
            (&[("HTTPS_PROXY", ""), ("ALL_PROXY", "http://three")], "https://h/", Some("three")),
            (&all, "http://localhost:80/", None),
            (&all, "https://127.0.0.2/", None),
            (&all, "https://[::1]/", None),
            (&[], "https://h/", None),
        ];
        for (variables, url, expected) in cases {
            assert_eq!(proxy(variables, url).unwrap().as_deref(), *expected, "{variables:?} {url}");
        }
    }

    #[test]
    fn what_is_no_proxy_is_said_and_not_passed_over() {
        let say = |value| {
            let said = proxy(&[("https_proxy", value)], "https://h/simple/");
            said.expect_err(value)
        };
        insta::assert_snapshot!(say("http://me:hush@"), @"https://h/simple/ cannot be asked: `https_proxy` is not the address of a proxy over HTTP, such as `http://host:port`");
        for value in ["socks5://me:hush@host", "me:hush@host:port", "gopher://host"] {
            assert!(!say(value).contains("hush"), "{value}");
        }
    }

    #[test]
    fn what_is_reached_without_a_proxy() {
        // (NO_PROXY, address, without a proxy)
        let cases = [
            ("*", "https://h/", true),
            ("h", "https://h/", true),
            ("H.", "https://h/", true),
            ("h", "https://a.h/", true), // as curl
            (".h", "https://a.h/", true),
            (".h", "https://h/", true),
            ("*.h", "https://a.h/", true),
            ("h", "https://ah/", false),
            ("h", "https://h.example/", false),
            ("a, h ,b", "https://h/", true),
            ("a h", "https://h/", true),
            ("h:8080", "https://h:8080/", true),
            ("h:8080", "https://h/", false),
            ("h:443", "https://h/", true),
            ("10.0.0.7", "https://10.0.0.7/", true),
            ("10.0.0.0/8", "https://10.9.9.9/", true),
            ("10.0.0.0/8", "https://11.0.0.1/", false),
            ("0.0.0.0/0", "https://11.0.0.1/", true),
            ("10.0.0.0/99", "https://10.0.0.1/", false),
            ("fd00::/8", "https://[fd00::7]/", true),
            ("[fd00::7]", "https://[fd00::7]/", true),
            ("fd00::/8", "https://10.0.0.1/", false),
            ("10.0.0.0/x", "https://10.0.0.0/", false),
            ("", "https://h/", false),
            (",", "https://h/", false),
        ];
        for (text, url, direct) in cases {
            let variables = [("ALL_PROXY", "http://p"), ("NO_PROXY", text)];
            assert_eq!(proxy(&variables, url).unwrap().is_none(), direct, "{text:?} {url}");
        }
    }
}
