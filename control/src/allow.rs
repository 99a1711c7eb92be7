//! The safety list: which addresses may be loaded. Loopback always; others only by name.

use std::net::IpAddr;

use anyhow::Result;

use crate::ending::usage;

/// What `--allow` names.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    Host(String),
    Range { first: IpAddr, prefix: u8 },
}

/// The entries of `--allow`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Allowed(Vec<Entry>);

/// An IPv4 range wider than a /8 and an IPv6 range wider than a /16 is everybody, not somebody.
const PREFIX_MIN: (u8, u8) = (8, 16);

impl Allowed {
    /// From what was typed.
    pub(crate) fn of(typed: &[String]) -> Result<Allowed> {
        typed.iter().map(|entry| Entry::of(entry)).collect::<Result<_>>().map(Allowed)
    }

    /// Whether the address, to which this host name (or written address) led, may be loaded.
    pub(crate) fn permits(&self, host: &str, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_loopback() || self.0.iter().any(|entry| entry.covers(host, address))
    }

    /// The error for an address that may not be loaded; `None` if it may.
    pub(crate) fn refusal(&self, host: &str, address: IpAddr) -> Option<anyhow::Error> {
        if self.permits(host, address) {
            return None;
        }
        let shown = address.to_string();
        let what = if host == shown { shown } else { format!("{host} ({shown})") };
        Some(usage(format!(
            "{what} is not a loopback address, and loading it was not allowed; if it is yours to \
             load, say --allow {host}"
        )))
    }
}

impl Entry {
    fn of(typed: &str) -> Result<Entry> {
        let wildcard = || {
            usage(format!(
                "--allow {typed}: a wildcard allows everybody; name hosts, addresses or networks"
            ))
        };
        if typed.is_empty() || typed.contains(['*', '?']) {
            return Err(wildcard());
        }
        let (address, prefix) = match typed.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (typed, None),
        };
        let bare = address.trim_start_matches('[').trim_end_matches(']');
        let Ok(first) = bare.parse::<IpAddr>() else {
            return match prefix {
                None => Ok(Entry::Host(typed.to_lowercase())),
                Some(_) => Err(usage(format!("--allow {typed}: `{address}` is not an address"))),
            };
        };
        let bits = if first.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => bits,
            Some(prefix) => prefix.parse().ok().filter(|p| *p <= bits).ok_or_else(|| {
                usage(format!("--allow {typed}: `/{prefix}` is not a prefix from /0 to /{bits}"))
            })?,
        };
        let least = if first.is_ipv4() { PREFIX_MIN.0 } else { PREFIX_MIN.1 };
        if prefix < least || first.is_unspecified() {
            return Err(wildcard());
        }
        Ok(Entry::Range { first: first.to_canonical(), prefix })
    }

    fn covers(&self, host: &str, address: IpAddr) -> bool {
        match (self, address) {
            (Entry::Host(name), _) => name.eq_ignore_ascii_case(host),
            (Entry::Range { first: IpAddr::V4(first), prefix }, IpAddr::V4(address)) => {
                (first.to_bits() ^ address.to_bits()).leading_zeros() >= u32::from(*prefix)
            }
            (Entry::Range { first: IpAddr::V6(first), prefix }, IpAddr::V6(address)) => {
                (first.to_bits() ^ address.to_bits()).leading_zeros() >= u32::from(*prefix)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permits(entries: &[&str], host: &str, address: &str) -> bool {
        let typed: Vec<String> = entries.iter().map(ToString::to_string).collect();
        let allowed = Allowed::of(&typed).expect("no wildcard");
        allowed.permits(host, address.parse().expect("an address"))
    }

    #[test]
    fn loopback_is_always_allowed_and_nothing_else_is_by_itself() {
        for own in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert!(permits(&[], own, own), "{own}");
        }
        for other in ["10.0.0.1", "0.0.0.0", "::", "2001:db8::1", "::ffff:10.0.0.1"] {
            assert!(!permits(&[], other, other), "{other}");
        }
    }

    #[test]
    fn hosts_addresses_and_networks_are_allowed_by_name() {
        assert!(permits(&["Chat.example"], "chat.example", "10.0.0.1"));
        assert!(!permits(&["chat.example"], "example", "10.0.0.1"));
        assert!(permits(&["10.1.0.0/16"], "x", "10.1.255.9"));
        assert!(!permits(&["10.1.0.0/16"], "x", "10.2.0.1"));
        assert!(permits(&["2001:db8::/32"], "x", "2001:db8:1::1"));
        assert!(permits(&["10.0.0.7"], "x", "::ffff:10.0.0.7"));
        assert!(!permits(&["10.0.0.7"], "x", "10.0.0.8"));
    }

    #[test]
    fn a_wildcard_is_refused() {
        for entry in ["*", "*.example.org", "0.0.0.0/0", "::/0", "0.0.0.0", "10.0.0.0/4", ""] {
            assert!(Allowed::of(&[entry.to_owned()]).is_err(), "{entry}");
        }
        for entry in ["10.0.0.0/33", "host/8", "1.2.3.4/x"] {
            assert!(Allowed::of(&[entry.to_owned()]).is_err(), "{entry}");
        }
    }
}
