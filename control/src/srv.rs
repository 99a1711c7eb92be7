//! Where the DNS says a service is (SRV, RFC 2782): asked before the start, and never again.
//!
//! The only user of an asynchronous resolver, on a runtime that lives for one question.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::{RData, RecordType};

/// A service with more machines than this is cut: endpoints have a limit too.
const RECORDS_MAX: usize = 256;
/// How long the DNS may take, all its servers and repetitions together.
const PATIENCE: Duration = Duration::from_secs(10);

/// One machine that offers the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    /// Lower ones are asked first.
    pub priority: u16,
    /// Its share among those of one priority.
    pub weight: u16,
    /// Where it listens.
    pub port: u16,
    /// Its name; empty if the service is said not to be offered at all.
    pub host: String,
}

/// Who offers a service, such as `_xmpp-client._tcp`, of a domain, by the name servers of this
/// machine. Empty if the DNS has no such records; an error if it does not answer.
pub(crate) fn offers(service: &str, domain: &str) -> Result<Vec<Offer>> {
    alone(async { ask(&TokioResolver::builder_tokio()?.build()?, service, domain).await })
}

/// On a runtime of its own.
fn alone(question: impl Future<Output = Result<Vec<Offer>>>) -> Result<Vec<Offer>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::time::timeout(PATIENCE, question).await.context("the DNS does not answer")?
    })
}

async fn ask(resolver: &TokioResolver, service: &str, domain: &str) -> Result<Vec<Offer>> {
    // The dot at the end keeps the search list of this machine out of it.
    let name = format!("{service}.{}.", domain.trim_end_matches('.'));
    let found = match resolver.lookup(name.as_str(), RecordType::SRV).await {
        Ok(found) => found,
        Err(error) if error.is_no_records_found() => return Ok(Vec::new()),
        Err(error) => bail!("{name}: {error}"),
    };
    let offer = |record: &RData| match record {
        RData::SRV(srv) => Some(Offer {
            priority: srv.priority,
            weight: srv.weight,
            port: srv.port,
            host: srv.target.to_utf8().trim_end_matches('.').to_owned(),
        }),
        _ => None,
    };
    Ok(found.answers().iter().filter_map(|record| offer(&record.data)).take(RECORDS_MAX).collect())
}

/// Those to connect to, in groups of one priority, the first group first. RFC 2782 turns to the
/// next one when the whole group before it cannot be reached.
pub(crate) fn by_priority(mut offers: Vec<Offer>) -> Vec<Vec<Offer>> {
    offers.retain(|offer| !offer.host.is_empty() && offer.port > 0);
    offers.sort_by(|a, b| (a.priority, &a.host, a.port).cmp(&(b.priority, &b.host, b.port)));
    offers.dedup();
    offers.chunk_by(|a, b| a.priority == b.priority).map(<[Offer]>::to_vec).collect()
}

#[cfg(test)]
mod tests;
