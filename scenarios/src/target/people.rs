//! Who may log in at the embedded target.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use densebots_protocols::Hash;
use densebots_protocols::xmpp::StanzaCondition;
use densebots_protocols::xmpp::sasl::{Accounts, Salted, Secret};
use densebots_protocols::xmpp::server::Directory;

/// Accounts that may be made while the target runs, so that nobody fills its memory with them.
const REGISTERED_MAX: usize = 10_000_000;

/// One salt and one count of rounds for everybody: what was derived for a password is derived.
const SALT: &[u8] = b"densebots target";
const ROUNDS: u32 = 4096;

/// Who may log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Everybody. PLAIN takes any password, EXTERNAL any good certificate; SCRAM, which needs to
    /// know a password, takes this.
    Anybody {
        /// Everybody's password, where it has to be known; empty: everybody's is its name, as bots
        /// have it unless told otherwise.
        password: String,
    },
    /// Accounts with their passwords, and those that register (XEP-0077). A good certificate
    /// speaks for any of them.
    Listed(HashMap<String, String>),
}

/// The accounts. Read at logins and changed by registrations: never between.
pub(super) struct People {
    everybody: Option<String>,
    listed: Mutex<HashMap<String, String>>,
}

impl People {
    pub(super) fn new(admission: &Admission) -> People {
        let (everybody, listed) = match admission {
            Admission::Anybody { password } => (Some(password.clone()), HashMap::new()),
            Admission::Listed(listed) => (None, listed.clone()),
        };
        People { everybody, listed: Mutex::new(listed) }
    }

    fn listed<R>(&self, look: impl FnOnce(&mut HashMap<String, String>) -> R) -> R {
        look(&mut self.listed.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Accounts for People {
    fn admits(&self, account: &str, password: &str) -> bool {
        let listed =
            self.listed(|listed| listed.get(&*account.to_lowercase()).map(|own| own == password));
        listed.unwrap_or(self.everybody.is_some())
    }

    fn salted(&self, account: &str, _: Hash) -> Option<Salted<'_>> {
        let listed = self.listed(|listed| listed.get(&*account.to_lowercase()).cloned());
        let everybody = self.everybody.as_deref().map(|password| match password {
            "" => Cow::Owned(account.to_owned()),
            password => Cow::Borrowed(password),
        });
        let password = listed.map(Cow::Owned).or(everybody)?;
        Some(Salted { salt: SALT, rounds: ROUNDS, secret: Secret::Password(password) })
    }

    fn certified(&self, account: &str) -> bool {
        self.everybody.is_some()
            || self.listed(|listed| listed.contains_key(&account.to_lowercase()))
    }

    fn acts_as(&self, account: &str, authzid: &str) -> bool {
        authzid.split('@').next() == Some(account)
    }
}

impl Directory for People {
    fn register(&self, account: &str, password: &str) -> Result<(), StanzaCondition> {
        let account = account.to_lowercase();
        self.listed(|listed| {
            if listed.contains_key(&account) {
                return Err(StanzaCondition::Conflict);
            }
            if listed.len() >= REGISTERED_MAX {
                return Err(StanzaCondition::ResourceConstraint);
            }
            listed.insert(account, password.to_owned());
            Ok(())
        })
    }

    fn unregister(&self, account: &str) -> Result<(), StanzaCondition> {
        let removed = self.listed(|listed| listed.remove(&*account.to_lowercase()));
        removed.map(|_| ()).ok_or(StanzaCondition::ItemNotFound)
    }
}
