//! Where a target is: URLs, weights, and names turned into addresses before the start.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use anyhow::Result;
use densebots_engine::Endpoint;
use densebots_engine::limits::Sources;

use crate::allow::Allowed;
use crate::ending::usage;

/// Schemes of raw connections: all mean bytes over TCP.
const SCHEMES: [&str; 3] = ["line", "tcp", "echo"];
/// Schemes that are known and not spoken yet.
const LATER: [&str; 9] =
    ["lines", "xmpp", "xmpps", "http", "https", "ws", "wss", "matrix", "matrixs"];

/// A place to connect to, as it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The host: a name, or an address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Its share of the bots.
    pub weight: u32,
}

impl Place {
    /// From `URL[=WEIGHT]`; `flag` is named in errors. A missing scheme means line.
    pub(crate) fn of(typed: &str, flag: &str) -> Result<Place> {
        let fault = |why: String| usage(format!("{flag} {typed}: {why}"));
        let (place, weight) = match typed.rsplit_once('=') {
            Some((place, weight)) => {
                let weight = weight.parse().ok().filter(|weight| *weight > 0);
                (place, weight.ok_or_else(|| fault("the weight is a number from 1 on".into()))?)
            }
            None => (typed, 1),
        };
        let at = match place.split_once("://") {
            Some((scheme, at)) if SCHEMES.contains(&scheme) => at,
            Some((scheme, _)) if LATER.contains(&scheme) => {
                return Err(fault(format!("this version does not speak {scheme}:// yet")));
            }
            Some((scheme, _)) => {
                let hint = hint(nearest(scheme, SCHEMES));
                return Err(fault(format!(
                    "`{scheme}` is not a scheme; give line://HOST:PORT{hint}"
                )));
            }
            None => place,
        };
        let at = at.strip_suffix('/').unwrap_or(at);
        let wanted = || fault("give HOST:PORT, such as line://127.0.0.1:7000".into());
        let (host, port) = at.rsplit_once(':').ok_or_else(wanted)?;
        let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(address) => address,
            None if host.contains(':') => {
                return Err(fault("an IPv6 address stands in brackets: [::1]:7000".into()));
            }
            None => host,
        };
        if host.is_empty() || host.contains(['/', '@', ' ']) {
            return Err(wanted());
        }
        let port = port.parse().ok().filter(|port| *port > 0);
        let port = port.ok_or_else(|| fault("the port is a number from 1 to 65535".into()))?;
        Ok(Place { host: host.to_owned(), port, weight })
    }

    /// All its addresses, each an endpoint, if all of them may be loaded.
    pub(crate) fn resolve(&self, allowed: &Allowed) -> Result<Vec<Endpoint>> {
        let found = (self.host.as_str(), self.port).to_socket_addrs();
        let found =
            found.map_err(|error| usage(format!("{} cannot be resolved: {error}", self.host)))?;
        let mut addresses: Vec<SocketAddr> = found.collect();
        addresses.sort_unstable();
        addresses.dedup();
        if addresses.is_empty() {
            return Err(usage(format!("{} has no address", self.host)));
        }
        let endpoint = |address: SocketAddr| match allowed.refusal(&self.host, address.ip()) {
            Some(refused) => Err(refused),
            None => Ok(Endpoint { name: self.name(address), address, weight: self.weight }),
        };
        addresses.into_iter().map(endpoint).collect()
    }

    /// How the report calls one of its addresses.
    fn name(&self, address: SocketAddr) -> String {
        if address.ip().to_string() == self.host {
            address.to_string()
        } else {
            format!("{}:{} ({})", self.host, self.port, address.ip())
        }
    }
}

/// The source addresses of `--source`.
pub(crate) fn sources(typed: &[String]) -> Result<Vec<IpAddr>> {
    let mut sources = Sources::default();
    for entry in typed {
        let fault = |why: String| usage(format!("--source {entry}: {why}"));
        let (address, prefix) = match entry.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (entry.as_str(), None),
        };
        let address: IpAddr =
            address.parse().map_err(|_| fault(format!("`{address}` is not an address")))?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => bits,
            Some(prefix) => {
                prefix.parse().map_err(|_| fault(format!("`/{prefix}` is not a prefix")))?
            }
        };
        sources.add_range(address, prefix).map_err(|error| fault(error.to_string()))?;
    }
    Ok(sources.iter().collect())
}

/// The one of `known` that was probably meant.
pub(crate) fn nearest<'a>(
    typed: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    const LIKENESS_MIN: f64 = 0.6;
    let score = |name: &'a str| (strsim::normalized_damerau_levenshtein(typed, name), name);
    let best = known.into_iter().map(score).max_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(likeness, _)| *likeness >= LIKENESS_MIN).map(|(_, name)| name)
}

/// What an error adds when it knows better.
pub(crate) fn hint(meant: Option<&str>) -> String {
    meant.map_or(String::new(), |meant| format!("; did you mean `{meant}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(typed: &str) -> Option<(String, u16, u32)> {
        Place::of(typed, "--target").ok().map(|place| (place.host, place.port, place.weight))
    }

    #[test]
    fn a_place_is_read_in_all_its_forms() {
        let local = |port, weight| Some(("127.0.0.1".to_owned(), port, weight));
        assert_eq!(place("line://127.0.0.1:7000"), local(7000, 1));
        assert_eq!(place("tcp://127.0.0.1:7000/"), local(7000, 1));
        assert_eq!(place("127.0.0.1:7000=3"), local(7000, 3));
        assert_eq!(place("echo://[::1]:7=2"), Some(("::1".to_owned(), 7, 2)));
        assert_eq!(place("line://chat.example:1"), Some(("chat.example".to_owned(), 1, 1)));
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for wrong in [
            "",
            ":",
            "line://",
            "line://host",
            "line://host:0",
            "line://host:70000",
            "host:x",
            "lin://h:1",
            "xmpp://h:1",
            "::1:7000",
            "line://h:1=0",
            "line://h:1=x",
            "line://a b:1",
            "line://u@h:1",
            "line://[::1:5",
        ] {
            assert_eq!(place(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_name_nearly_right_is_recognised() {
        assert_eq!(nearest("ehco", ["echo", "idle", "talk"]), Some("echo"));
        assert_eq!(nearest("idel", ["echo", "idle", "talk"]), Some("idle"));
        assert_eq!(nearest("zzz", ["echo", "idle", "talk"]), None);
    }

    #[test]
    fn sources_are_addresses_and_networks() {
        let all = |typed: &str| sources(&[typed.to_owned()]).map(|all| all.len()).ok();
        assert_eq!(all("127.0.0.2"), Some(1));
        assert_eq!(all("127.0.0.0/29"), Some(6));
        for wrong in ["x", "127.0.0.1/40", "10.0.0.0/8", "1.2.3.4/"] {
            assert_eq!(all(wrong), None, "{wrong}");
        }
    }
}
