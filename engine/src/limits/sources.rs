//! Source addresses: lists by family, and which one a dial takes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

/// Most source addresses of a run: one IPv4 /16. With the default range of ports that is 1.8
/// thousand million connections to each endpoint, and a list of 256 KiB.
pub const SOURCES_MAX: usize = 65_536;

/// Source addresses, split by family so that a dial finds one of its own without a search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// IPv4 addresses, sorted, each once.
    pub v4: Vec<Ipv4Addr>,
    /// IPv6 addresses, sorted, each once.
    pub v6: Vec<Ipv6Addr>,
}

/// Why a range of source addresses was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The prefix is longer than the address.
    #[error("/{prefix_len} is longer than an address of {bits} bits")]
    PrefixTooLong {
        /// The prefix.
        prefix_len: u8,
        /// Bits of an address of this family.
        bits: u8,
    },
    /// More addresses than [`SOURCES_MAX`].
    #[error("more than {SOURCES_MAX} source addresses")]
    TooMany,
}

impl Sources {
    /// Adds all addresses a machine can have in a range; nothing is added on an error.
    ///
    /// `first` may be any address of the range. Its first address (network; for IPv6 the routers'
    /// anycast) and, for IPv4, its last one (broadcast) are left out where the prefix leaves at
    /// least two bits: Linux lets a socket bind to 127.255.255.255, say, and then silently connects
    /// from another address.
    pub fn add_range(&mut self, first: IpAddr, prefix_len: u8) -> Result<(), SourceError> {
        let bits: u8 = if first.is_ipv4() { 32 } else { 128 };
        if prefix_len > bits {
            return Err(SourceError::PrefixTooLong { prefix_len, bits });
        }
        let open = u32::from(bits - prefix_len);
        let addresses = 1_u128.checked_shl(open).ok_or(SourceError::TooMany)?;
        if addresses > SOURCES_MAX as u128 {
            return Err(SourceError::TooMany);
        }
        let edge = u128::from(open >= 2);
        let mut wider = self.clone();
        match first {
            IpAddr::V4(first) => {
                let start = first.to_bits() & !(addresses as u32 - 1);
                let hosts = edge as u32..(addresses - edge) as u32;
                wider.v4.extend(hosts.map(|host| Ipv4Addr::from_bits(start | host)));
            }
            IpAddr::V6(first) => {
                let start = first.to_bits() & !(addresses - 1);
                let hosts = edge..addresses;
                wider.v6.extend(hosts.map(|host| Ipv6Addr::from_bits(start | host)));
            }
        }
        wider.settle();
        if wider.len() > SOURCES_MAX {
            return Err(SourceError::TooMany);
        }
        *self = wider;
        Ok(())
    }

    /// Addresses of both families.
    pub fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// No address: the system chooses.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All addresses, IPv4 first.
    pub fn iter(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let v4 = self.v4.iter().copied().map(IpAddr::V4);
        v4.chain(self.v6.iter().copied().map(IpAddr::V6))
    }

    fn settle(&mut self) {
        self.v4.sort_unstable();
        self.v4.dedup();
        self.v6.sort_unstable();
        self.v6.dedup();
    }
}

impl FromIterator<IpAddr> for Sources {
    fn from_iter<I: IntoIterator<Item = IpAddr>>(addresses: I) -> Sources {
        let mut sources = Sources::default();
        for address in addresses {
            match address {
                IpAddr::V4(address) => sources.v4.push(address),
                IpAddr::V6(address) => sources.v6.push(address),
            }
        }
        sources.settle();
        sources
    }
}

/// The source address of the `n`th dial to an endpoint; `None`: the system chooses.
///
/// `n` counts dials to this endpoint. A count over all endpoints would do harm: with four endpoints
/// in turn and eight sources, each endpoint would ever see only two of them. A loopback address is
/// never used towards another machine, whose network would refuse it.
pub fn source_for(n: u64, sources: &Sources, to: &SocketAddr) -> Option<IpAddr> {
    fn nth<A: Copy + Into<IpAddr>>(n: u64, all: &[A]) -> Option<IpAddr> {
        let at = n.checked_rem(all.len() as u64)?;
        Some(all[at as usize].into())
    }
    let from = if to.is_ipv4() { nth(n, &sources.v4) } else { nth(n, &sources.v6) };
    from.filter(|from| !from.is_loopback() || to.ip().is_loopback())
}

/// Walks round robin over the source addresses, for each endpoint by itself. One per shard.
#[derive(Clone, Debug)]
pub struct SourceSpread {
    sources: Arc<Sources>,
    next: Vec<u64>,
}

impl SourceSpread {
    /// A spread over `endpoints` endpoints. `offset` is where it begins: shards that begin at
    /// different places do not all dial from the same address in the same moment.
    pub fn new(sources: Arc<Sources>, endpoints: usize, offset: u64) -> SourceSpread {
        SourceSpread { sources, next: vec![offset; endpoints] }
    }

    /// The source address of the next dial to `to`, which is the endpoint with that index. An index
    /// out of range lets the system choose.
    pub fn pick(&mut self, endpoint: usize, to: &SocketAddr) -> Option<IpAddr> {
        let n = self.next.get_mut(endpoint)?;
        let from = source_for(*n, &self.sources, to);
        *n = n.wrapping_add(1);
        from
    }
}
