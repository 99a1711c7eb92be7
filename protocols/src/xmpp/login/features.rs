//! What a server offers (RFC 6120 section 4.3.2).

use crate::xml::Element;
use crate::xmpp::namespace;
use crate::xmpp::sasl::Offer;

/// The features of a stream that a login can use, read in one pass.
#[derive(Default)]
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
