//! What a server offers (RFC 6120 section 4.3.2).

use std::sync::OnceLock;

use crate::xml::Element;
use crate::xmpp::namespace;
use crate::xmpp::sasl::Offer;

/// The features of a stream that a login can use, read in one pass.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Features {
    /// Whether TLS may begin; `Some(true)` if it has to (RFC 6120 section 5.4.1).
    pub(super) starttls: Option<bool>,
    /// The mechanisms, and the kinds of channel binding (XEP-0440).
    pub(super) sasl: Offer,
    pub(super) bind: bool,
    /// Whether a session is required (RFC 3921 section 3); servers of today call it optional.
    pub(super) session: bool,
    /// Stream management (XEP-0198).
    pub(super) management: bool,
}

/// How many kinds of features are kept: before TLS, over it and behind the login, and one for a
/// service that says them in more than one way.
const KEPT_MAX: usize = 4;
/// The longest that are kept, in bytes. Those of servers have a few hundred.
const LONGEST: usize = 4096;

/// Features that a service has said before. It says the same to every user who comes, so whoever
/// comes later needs to read what is new only.
///
/// What an element means follows from its own bytes, so that who was first makes no difference.
#[derive(Clone, Debug, Default)]
pub struct KnownFeatures([OnceLock<(Box<[u8]>, Features)>; KEPT_MAX]);

impl KnownFeatures {
    /// What these bytes, a whole element, were found to say.
    pub(super) fn find(&self, bytes: &[u8]) -> Option<Features> {
        let kept = self.0.iter().map_while(OnceLock::get);
        kept.filter(|(said, _)| **said == *bytes).map(|(_, features)| *features).next()
    }

    /// Keeps what an element says, which is well-formed, if there is room.
    pub(super) fn keep(&self, element: &Element<'_>, features: Features) {
        let said = element.source().as_bytes();
        if said.len() <= LONGEST {
            let mut features = (said.into(), features);
            for place in &self.0 {
                match place.set(features) {
                    Ok(()) => return,
                    Err(back) => features = back,
                }
            }
        }
    }
}

impl Features {
    pub(super) fn of(element: &Element<'_>) -> Features {
        let mut features = Features::default();
        for feature in element.children() {
            match (feature.namespace(), feature.name()) {
                (namespace::TLS, "starttls") => {
                    features.starttls = Some(feature.child("required", namespace::TLS).is_some());
                }
                (namespace::SASL, "mechanisms") => {
                    features.sasl = feature
                        .children()
                        .filter(|child| child.is("mechanism", namespace::SASL))
                        .fold(features.sasl, |offer, child| offer.with(child.text().trim()));
                }
                (namespace::SASL_BINDING, "sasl-channel-binding") => {
                    features.sasl = feature
                        .children()
                        .filter_map(|child| child.attribute("type"))
                        .fold(features.sasl, |offer, name| offer.with_binding(&name));
                }
                (namespace::BIND, "bind") => features.bind = true,
                (namespace::SESSION, "session") => {
                    let optional = feature.child("optional", namespace::SESSION);
                    features.session = optional.is_none();
                }
                (namespace::MANAGEMENT, "sm") => features.management = true,
                _ => {}
            }
        }
        features
    }
}
