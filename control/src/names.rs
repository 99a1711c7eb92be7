//! Where a target is: URLs, weights, and names turned into addresses before the start.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs, UdpSocket};

use anyhow::Result;
use densebots_engine::Endpoint;
use densebots_engine::limits::Sources;
use densebots_scenarios::target::Speaks;
use densebots_scenarios::{BUILTIN, Builtin};

pub(crate) use densebots_scenarios::spelling::{hint, nearest};

use crate::allow::Allowed;
use crate::ending::usage;

/// Schemes that are spoken.
const SCHEMES: [(&str, Scheme); 6] = [
    ("line", Scheme { xmpp: false, secure: false }),
    ("lines", Scheme { xmpp: false, secure: true }),
    ("tcp", Scheme { xmpp: false, secure: false }),
    ("echo", Scheme { xmpp: false, secure: false }),
    ("xmpp", Scheme { xmpp: true, secure: false }),
    ("xmpps", Scheme { xmpp: true, secure: true }),
];
/// Schemes that are known and not spoken yet.
const LATER: [&str; 6] = ["http", "https", "ws", "wss", "matrix", "matrixs"];

/// What stands before `://`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scheme {
    /// A domain of XMPP; otherwise bytes over TCP.
    pub xmpp: bool,
    /// TLS begins with the connection.
    pub secure: bool,
}

/// A place to connect to, as it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// What is spoken there.
    pub scheme: Scheme,
    /// The host: a name, or an address without brackets.
    pub host: String,
    /// The port; a domain of XMPP can do without.
    pub port: Option<u16>,
    /// Its share of the bots.
    pub weight: u32,
}

/// The scenario that was named, or the one that fits the targets: without a scheme, a name without
/// a port is a domain of XMPP. Idle bots of XMPP log in, others do not.
pub(crate) fn scenario<'a>(named: Option<&'a str>, targets: &[String]) -> &'a str {
    let xmpp = |typed: &String| match typed.split_once("://") {
        Some((scheme, _)) => SCHEMES.iter().any(|(own, known)| *own == scheme && known.xmpp),
        None => located(typed, &|why| usage(why))
            .is_ok_and(|(host, port)| port.is_none() && host.parse::<IpAddr>().is_err()),
    };
    match (named, targets.iter().all(xmpp)) {
        (Some("idle"), true) if !targets.is_empty() => "xmpp-idle",
        (Some(named), _) => named,
        (None, true) => "jumper",
        (None, false) => "echo",
    }
}

impl Place {
    /// From `URL[=WEIGHT]`; `flag` is named in errors. A missing scheme means what fits the
    /// scenario.
    pub(crate) fn of(typed: &str, flag: &str, scenario: &Builtin) -> Result<Place> {
        let fault = |why: String| usage(format!("{flag} {typed}: {why}"));
        let (place, weight) = weighed(typed, &fault)?;
        let xmpp = scenario.target == Speaks::Xmpp;
        let (scheme, at) = match place.split_once("://") {
            Some((scheme, at)) => (spoken(scheme, xmpp).map_err(&fault)?, at),
            None => (Scheme { xmpp, secure: false }, place),
        };
        if scheme.xmpp != xmpp {
            return Err(fault(format!("scenario `{}` {}", scenario.name, fitting(xmpp))));
        }
        let (host, port) = located(at, &fault)?;
        if port.is_none() && !scheme.xmpp {
            return Err(fault(wanted(xmpp)));
        }
        if host.is_empty() || host.contains(|c: char| "/@'\"<>&?#".contains(c) || c <= ' ') {
            return Err(fault(wanted(xmpp)));
        }
        Ok(Place { scheme, host: host.to_owned(), port, weight })
    }

    /// From `HOST:PORT[=WEIGHT]`, an address to dial.
    pub(crate) fn address(typed: &str, flag: &str, scheme: Scheme) -> Result<Place> {
        let fault = |why: String| usage(format!("{flag} {typed}: {why}"));
        let (place, weight) = weighed(typed, &fault)?;
        let wanted = || fault("give HOST:PORT, such as 127.0.0.1:7000, without a scheme".into());
        let (host, port) = located(place, &fault)?;
        if host.is_empty() || host.contains(['/', '@', ' ']) || port.is_none() {
            return Err(wanted());
        }
        Ok(Place { scheme, host: host.to_owned(), port, weight })
    }

    /// All addresses of the host at this port, each an endpoint, if all of them may be loaded.
    pub(crate) fn resolve(&self, port: u16, allowed: &Allowed) -> Result<Vec<Endpoint>> {
        self.endpoints(self.addresses(port)?, allowed)
    }

    /// All addresses of the host at this port.
    pub(crate) fn addresses(&self, port: u16) -> Result<Vec<SocketAddr>> {
        let found = (self.host.as_str(), port).to_socket_addrs();
        let found =
            found.map_err(|error| usage(format!("{} cannot be resolved: {error}", self.host)))?;
        let mut addresses: Vec<SocketAddr> = found.collect();
        addresses.sort_unstable();
        addresses.dedup();
        if addresses.is_empty() {
            return Err(usage(format!("{} has no address", self.host)));
        }
        Ok(addresses)
    }

    /// Its addresses as endpoints, if all of them may be loaded.
    pub(crate) fn endpoints(
        &self,
        addresses: Vec<SocketAddr>,
        allowed: &Allowed,
    ) -> Result<Vec<Endpoint>> {
        let endpoint = |address: SocketAddr| match allowed.refusal(&self.host, address.ip()) {
            Some(refused) => Err(refused),
            None => Ok(Endpoint { name: self.name(address), address, weight: self.weight }),
        };
        addresses.into_iter().map(endpoint).collect()
    }

    /// The host is an address, or this machine by name: nothing the DNS knows better.
    pub(crate) fn is_numeric_or_here(&self) -> bool {
        self.host.parse::<IpAddr>().is_ok() || self.host.eq_ignore_ascii_case("localhost")
    }

    /// How the report calls one of its addresses.
    fn name(&self, address: SocketAddr) -> String {
        if address.ip().to_string() == self.host {
            address.to_string()
        } else {
            format!("{}:{} ({})", self.host, address.port(), address.ip())
        }
    }
}

fn weighed<'a>(typed: &'a str, fault: &impl Fn(String) -> anyhow::Error) -> Result<(&'a str, u32)> {
    let Some((place, weight)) = typed.rsplit_once('=') else { return Ok((typed, 1)) };
    let weight = weight.parse().ok().filter(|weight| *weight > 0);
    Ok((place, weight.ok_or_else(|| fault("the weight is a number from 1 on".into()))?))
}

/// The scheme of this name, or why there is none.
fn spoken(name: &str, xmpp: bool) -> Result<Scheme, String> {
    if let Some((_, scheme)) = SCHEMES.iter().find(|(own, _)| *own == name) {
        return Ok(*scheme);
    }
    if LATER.contains(&name) {
        return Err(format!("this version does not speak {name}:// yet"));
    }
    let hint = hint(nearest(name, SCHEMES.map(|(own, _)| own)));
    Err(format!("`{name}` is not a scheme; {}{hint}", wanted(xmpp)))
}

fn wanted(xmpp: bool) -> String {
    let example =
        if xmpp { "xmpp://DOMAIN, such as xmpp://" } else { "HOST:PORT, such as line://" };
    let at = if xmpp { "chat.example" } else { "127.0.0.1:7000" };
    format!("give {example}{at}")
}

/// What fits a scenario, and what would fit the other kind of target.
fn fitting(xmpp: bool) -> String {
    let names = |wanted: bool| -> Vec<&str> {
        let fits = BUILTIN.iter().filter(|own| (own.target == Speaks::Xmpp) == wanted);
        fits.map(|own| own.name).collect()
    };
    let others = names(!xmpp).join(", ");
    match xmpp {
        true => format!("speaks XMPP: give xmpp://DOMAIN or xmpps://DOMAIN, or run {others}"),
        false => {
            format!("speaks lines: give line://HOST:PORT or lines://HOST:PORT, or run {others}")
        }
    }
}

/// `HOST`, `HOST:PORT` or `[ADDRESS]:PORT`, taken apart.
fn located<'a>(
    at: &'a str,
    fault: &impl Fn(String) -> anyhow::Error,
) -> Result<(&'a str, Option<u16>)> {
    let at = at.strip_suffix('/').unwrap_or(at);
    let brackets = || fault("an IPv6 address stands in brackets: [::1]:7000".into());
    let (host, behind) = match at.strip_prefix('[') {
        Some(rest) => rest.split_once(']').ok_or_else(brackets)?,
        None => at.split_at(at.find(':').unwrap_or(at.len())),
    };
    if behind.matches(':').count() > 1 {
        return Err(brackets());
    }
    if behind.is_empty() {
        return Ok((host, None));
    }
    let port = behind.strip_prefix(':').and_then(|port| port.parse().ok()).filter(|port| *port > 0);
    let port = port.ok_or_else(|| fault("the port is a number from 1 to 65535".into()))?;
    Ok((host, Some(port)))
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
        // Whoever may be bound to is an address of this machine; nothing is sent.
        UdpSocket::bind((address, 0)).map_err(|error| {
            fault(format!("no address of this machine to connect from: {error}"))
        })?;
    }
    Ok(sources.iter().collect())
}

/// Refuses what cannot be the domain of a service.
pub(crate) fn check_domain(typed: &str) -> Result<()> {
    match densebots_scenarios::chat::is_domain(typed) {
        true => Ok(()),
        false => Err(usage(format!("--domain {typed}: give a domain such as example.org"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario(name: &str) -> &'static Builtin {
        densebots_scenarios::find(name).expect("is built in")
    }

    fn place(typed: &str) -> Option<(String, u16, u32)> {
        let place = Place::of(typed, "--target", scenario("echo")).ok()?;
        Some((place.host, place.port?, place.weight))
    }

    fn domain(typed: &str) -> Option<(bool, String, Option<u16>)> {
        let place = Place::of(typed, "--target", scenario("jumper")).ok()?;
        Some((place.scheme.secure, place.host, place.port))
    }

    #[test]
    fn domains_do_without_a_port() {
        let of = |secure, host: &str, port| Some((secure, host.to_owned(), port));
        assert_eq!(domain("xmpp://chat.example"), of(false, "chat.example", None));
        assert_eq!(domain("xmpps://chat.example:5270=2"), of(true, "chat.example", Some(5270)));
        assert_eq!(domain("chat.example"), of(false, "chat.example", None));
        assert_eq!(domain("xmpp://[::1]"), of(false, "::1", None));
        assert_eq!(domain("xmpp://[::1]:5222/"), of(false, "::1", Some(5222)));
        for wrong in
            ["xmpp://", "xmpp://a@b", "xmpp://a/b", "line://a:1", "xmpp://a:0", "xmpp://::1"]
        {
            assert_eq!(domain(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_target_says_which_scenario_fits() {
        let fitting = |typed: &str| {
            let typed = typed.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            super::scenario(None, &typed).to_owned()
        };
        for typed in ["", "xmpp://chat.example", "xmpps://[::1]:5223", "chat.example=2"] {
            assert_eq!(fitting(typed), "jumper", "{typed}");
        }
        for typed in ["line://127.0.0.1:7000", "127.0.0.1", "a:7000=2", "xmpp://a lines://a:1"] {
            assert_eq!(fitting(typed), "echo", "{typed}");
        }
        assert_eq!(super::scenario(Some("talk"), &["xmpp://a".to_owned()]), "talk");
        assert_eq!(super::scenario(Some("idle"), &["xmpp://a".to_owned()]), "xmpp-idle");
        assert_eq!(super::scenario(Some("idle"), &["line://a:1".to_owned()]), "idle");
        assert_eq!(super::scenario(Some("idle"), &[]), "idle");
    }

    #[test]
    fn a_scheme_has_to_fit_the_scenario() {
        let said =
            |typed, name| Place::of(typed, "--target", scenario(name)).unwrap_err().to_string();
        let lines = said("xmpp://chat.example", "echo");
        assert!(lines.contains("line://HOST:PORT") && lines.contains("run jumper"), "{lines}");
        let xmpp = said("line://127.0.0.1:1", "jumper");
        assert!(xmpp.contains("xmpp://DOMAIN") && xmpp.contains("echo"), "{xmpp}");
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
    fn sources_are_addresses_and_networks() {
        let all = |typed: &str| sources(&[typed.to_owned()]).map(|all| all.len()).ok();
        assert_eq!(all("127.0.0.2"), Some(1));
        assert_eq!(all("127.0.0.0/29"), Some(6));
        for wrong in ["x", "127.0.0.1/40", "10.0.0.0/8", "1.2.3.4/"] {
            assert_eq!(all(wrong), None, "{wrong}");
        }
    }
}
