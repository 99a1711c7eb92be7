//! What a run is against: targets and `--via` become addresses, and the name they answer to.

use anyhow::Result;
use densebots_engine::Endpoint;
use densebots_scenarios::target::Speaks;
use densebots_scenarios::{Builtin, Settings};

use crate::allow::Allowed;
use crate::ending::usage;
use crate::names::{Place, Scheme};
use crate::secure::Way;
use crate::srv;

/// The port of XMPP (RFC 6120, section 14.7).
const PORT: u16 = 5222;
/// The usual port of XMPP over TLS from the first byte (XEP-0368).
const PORT_DIRECT: u16 = 5223;
/// What a share of an SRV record is divided by when its host has several addresses.
const SHARES: u32 = 60;

/// Where bots are to go, as it was typed.
pub(crate) struct Service {
    targets: Vec<Place>,
    via: Vec<Place>,
    /// What all targets speak.
    pub scheme: Scheme,
}

impl Service {
    /// From `--target` and `--via`. No target at all is the embedded one.
    pub(crate) fn of(
        targets: &[String],
        via: &[String],
        flag: &str,
        scenario: &Builtin,
    ) -> Result<Service> {
        if targets.is_empty() && !via.is_empty() {
            return Err(usage("--via says where to dial for a --target; give that too"));
        }
        let targets: Vec<Place> =
            targets.iter().map(|typed| Place::of(typed, flag, scenario)).collect::<Result<_>>()?;
        let xmpp = scenario.target == Speaks::Xmpp;
        let scheme = targets.first().map_or(Scheme { xmpp, secure: false }, |target| target.scheme);
        if targets.iter().any(|target| target.scheme != scheme) {
            return Err(usage(format!("{flag}: a run is over TLS from the first byte or is not")));
        }
        let via = via.iter().map(|typed| Place::address(typed, "--via", scheme));
        let service = Service { targets, via: via.collect::<Result<_>>()?, scheme };
        if xmpp {
            service.host()?;
        }
        Ok(service)
    }

    /// The target is started by the run.
    pub(crate) fn is_embedded(&self) -> bool {
        self.targets.is_empty()
    }

    /// The one host of all targets, if there are any.
    pub(crate) fn host(&self) -> Result<Option<&str>> {
        let Some(first) = self.targets.first() else { return Ok(None) };
        match self.targets.iter().find(|other| !other.host.eq_ignore_ascii_case(&first.host)) {
            None => Ok(Some(&first.host)),
            Some(other) => Err(usage(format!(
                "--target: {} and {} are two names, and bots of one run look for one; give one \
                 --target, and --via with the addresses to dial",
                first.host, other.host
            ))),
        }
    }

    /// What of the scenario's parameters the target says: its domain.
    pub(crate) fn parameters(&self, optional: bool) -> Result<Vec<(String, String)>> {
        if !self.scheme.xmpp {
            return Ok(Vec::new());
        }
        let mut said = Vec::new();
        if let Some(host) = self.host()? {
            // In brackets, as RFC 7622, section 3.2, has it.
            let domain = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
            said.push(("domain".to_owned(), domain));
        }
        if optional {
            said.push(("starttls".to_owned(), "optional".to_owned()));
        }
        Ok(said)
    }

    /// The name certificates are checked against: the domain that bots log in to, or the host.
    pub(crate) fn certified(&self, settings: &Settings) -> Result<String> {
        let name = match self.scheme.xmpp {
            true => settings.text("domain"),
            false => self.host()?.unwrap_or("localhost"),
        };
        Ok(name.trim_start_matches('[').trim_end_matches(']').to_owned())
    }

    /// All addresses, if all of them may be loaded; none for an embedded target.
    pub(crate) fn endpoints(&self, way: Option<Way>, allowed: &Allowed) -> Result<Vec<Endpoint>> {
        let direct = way.map_or(self.scheme.secure, |way| way == Way::Direct);
        let usual = if direct { PORT_DIRECT } else { PORT };
        let mut endpoints = Vec::new();
        for place in if self.via.is_empty() { &self.targets } else { &self.via } {
            let announced = match place.port {
                None if !place.is_numeric_or_here() => announced(place, direct, allowed)?,
                _ => Vec::new(),
            };
            endpoints.extend(match announced.is_empty() {
                true => place.resolve(place.port.unwrap_or(usual), allowed)?,
                false => announced,
            });
        }
        Ok(endpoints)
    }
}

/// The addresses that the DNS announces (RFC 6120, section 3.2.1; XEP-0368); none if it announces
/// nothing or does not answer.
fn announced(place: &Place, direct: bool, allowed: &Allowed) -> Result<Vec<Endpoint>> {
    let service = if direct { "_xmpps-client._tcp" } else { "_xmpp-client._tcp" };
    let Ok(offers) = srv::offers(service, &place.host) else { return Ok(Vec::new()) };
    if matches!(&offers[..], [only] if only.host.is_empty()) {
        return Err(usage(format!(
            "{} says that it has no such service ({service} is `.`); give a port, or --via",
            place.host
        )));
    }
    let groups = srv::by_priority(offers);
    for group in &groups {
        let endpoints = shares(group, place, allowed)?;
        if !endpoints.is_empty() {
            return Ok(endpoints);
        }
    }
    let hosts: Vec<&str> = groups.iter().flatten().map(|offer| offer.host.as_str()).collect();
    match hosts.is_empty() {
        true => Ok(Vec::new()),
        false => Err(usage(format!(
            "{service}.{} names {}, which cannot be resolved; give --via",
            place.host,
            hosts.join(", ")
        ))),
    }
}

/// The addresses of machines of one priority, each with its share; those without one are left out.
fn shares(group: &[srv::Offer], place: &Place, allowed: &Allowed) -> Result<Vec<Endpoint>> {
    let mut endpoints = Vec::new();
    let weighed = group.iter().any(|offer| offer.weight > 0);
    for offer in group {
        let here = Place { host: offer.host.clone(), ..place.clone() };
        let Ok(addresses) = here.addresses(offer.port) else { continue };
        // RFC 2782: beside weights, one without has a very small chance, but has one.
        let share = if weighed { u32::from(offer.weight) } else { 1 };
        let each = (share * SHARES / addresses.len() as u32).max(1).saturating_mul(place.weight);
        let found = here.endpoints(addresses, allowed)?.into_iter();
        endpoints.extend(found.map(|at| Endpoint { weight: each, ..at }));
    }
    let first = endpoints.first().map_or(0, |endpoint| endpoint.weight);
    if endpoints.iter().all(|endpoint| endpoint.weight == first) {
        endpoints.iter_mut().for_each(|endpoint| endpoint.weight = place.weight);
    }
    Ok(endpoints)
}
