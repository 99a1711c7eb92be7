//! Where a service sends its users instead (RFC 6120 section 4.9.3.19).
//!
//! A bot goes there if the plan knows the place: an endpoint, by its address or by the name under
//! which it was looked up, or an address of this machine. Nothing is looked up in mid-run, and
//! nobody is sent to an address that was not allowed. Every other place is the cause of a loss.

use std::net::{IpAddr, SocketAddr};
use std::sync::OnceLock;

use densebots_engine::Endpoint;

/// In how many steps a bot is sent from one host to the next before it says that this leads
/// nowhere.
pub(crate) const HOPS_MAX: u8 = 3;

/// Where XMPP is spoken, unless a port is named (RFC 6120 section 3.2.2).
const PORT: u16 = 5222;

/// Hosts that the report names; a service that sends users to more of them gets one name for the
/// others.
const NAMED_MAX: usize = 16;

const OTHERS: &str = "sent to one of many hosts that are not in the plan (see-other-host)";

/// Where this host is, as far as the plan knows.
pub(crate) fn place(host: &str, endpoints: &[Endpoint]) -> Option<SocketAddr> {
    let host = host.trim();
    let port_of = |at: &SocketAddr| (at.port() == PORT).then_some(*at);
    // With a port, without one, and an IPv6 address without brackets.
    let numeric = host.parse().ok().or_else(|| {
        let address: IpAddr = host.trim_matches(['[', ']']).parse().ok()?;
        Some(SocketAddr::new(address, PORT))
    });
    if let Some(at) = numeric {
        let known = endpoints.iter().any(|endpoint| endpoint.address == at);
        return Some(at).filter(|at| known || at.ip().to_canonical().is_loopback());
    }
    let wanted = host.trim_end_matches('.');
    endpoints.iter().find_map(|Endpoint { name, address, .. }| {
        // The report calls them `host:port (address)`.
        let name = name.split(' ').next().unwrap_or_default();
        let (bare, _) = name.rsplit_once(':').unwrap_or((name, ""));
        match name.eq_ignore_ascii_case(wanted) {
            true => Some(*address),
            false => port_of(address).filter(|_| bare.eq_ignore_ascii_case(wanted)),
        }
    })
}

/// The causes of losses, each made once: reports keep them for ever.
#[derive(Default)]
pub(crate) struct Causes([OnceLock<Cause>; NAMED_MAX]);

struct Cause {
    host: Box<str>,
    text: &'static str,
}

impl Causes {
    /// The words for a host that bots cannot be sent to.
    pub(crate) fn of(&self, host: &str) -> &'static str {
        // No name of a host is longer (RFC 1035 section 2.3.4), whatever the service says.
        let host: String = host.chars().filter(|letter| !letter.is_control()).take(255).collect();
        let cause = || Cause {
            host: host.as_str().into(),
            text: Box::leak(
                format!("sent to {host}, which is not in the plan (see-other-host)").into(),
            ),
        };
        let named = self.0.iter().map(|place| place.get_or_init(cause));
        named.into_iter().find(|cause| *cause.host == *host).map_or(OTHERS, |cause| cause.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_plan_knows_is_a_place() {
        let endpoint = |name: &str, address: &str| Endpoint {
            name: name.to_owned(),
            address: address.parse().expect("an address"),
            weight: 1,
        };
        let endpoints = [
            endpoint("one.example.org:5222 (192.0.2.1)", "192.0.2.1:5222"),
            endpoint("two.example.org:5333 (2001:db8::2)", "[2001:db8::2]:5333"),
            endpoint("192.0.2.3:5222", "192.0.2.3:5222"),
        ];
        let cases = [
            ("one.example.org", Some("192.0.2.1:5222")),
            ("ONE.example.org.", Some("192.0.2.1:5222")),
            ("one.example.org:5222", Some("192.0.2.1:5222")),
            ("one.example.org:5223", None),
            ("two.example.org", None),
            ("two.example.org:5333", Some("[2001:db8::2]:5333")),
            ("[2001:db8::2]:5333", Some("[2001:db8::2]:5333")),
            ("[2001:db8::2]", None),
            ("192.0.2.3", Some("192.0.2.3:5222")),
            (" 192.0.2.3:5222\n", Some("192.0.2.3:5222")),
            ("192.0.2.4", None),
            ("127.0.0.9:7001", Some("127.0.0.9:7001")),
            ("[::1]", Some("[::1]:5222")),
            ("::1", Some("[::1]:5222")),
            ("[::ffff:127.0.0.1]:7", Some("[::ffff:127.0.0.1]:7")),
            ("[::ffff:192.0.2.9]:7", None),
            ("localhost", None),
            ("org", None),
            ("", None),
        ];
        for (host, expected) in cases {
            let expected = expected.map(|at| at.parse().expect("an address"));
            assert_eq!(place(host, &endpoints), expected, "{host}");
        }
    }

    #[test]
    fn a_cause_names_its_host_and_there_are_not_many() {
        let causes = Causes::default();
        let words = causes.of("elsewhere.org:5\n222");
        assert_eq!(words, "sent to elsewhere.org:5222, which is not in the plan (see-other-host)");
        assert!(std::ptr::eq(words, causes.of("elsewhere.org:5222")), "made once");
        let different: std::collections::HashSet<_> =
            (0..100).map(|nth| causes.of(&format!("host{nth}"))).collect();
        assert_eq!(different.len(), NAMED_MAX, "the others have one name");
        assert!(different.contains(OTHERS));
        assert!(causes.of(&"x".repeat(10_000)).len() < 320);
    }
}
