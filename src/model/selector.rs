//! Selectors: which identities one takes in.

use crate::request::Identity;

/// A selector, its trust domain filled in. A set of `workloads` is the selectors in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Selector {
    /// One SPIFFE ID; a service account is one, too.
    Spiffe(Box<str>),
    /// Every service account of a namespace.
    Namespace {
        /// Their trust domain.
        domain: Box<str>,
        /// Its name.
        namespace: Box<str>,
    },
    /// Every identity of a trusted domain; in `deny` every request.
    Any,
    /// Requests without any identity.
    Anonymous,
}

impl Selector {
    /// `serviceAccount: NAMESPACE/NAME` in a trust domain; `None` where the text is no service account.
    pub fn service_account(domain: &str, account: &str) -> Option<Selector> {
        let (namespace, name) = account.split_once('/')?;
        Some(Selector::Spiffe(format!("spiffe://{domain}/ns/{namespace}/sa/{name}").into()))
    }

    /// Tells whether a request with a trusted identity, or without any, is selected, as opening lists read it.
    pub fn contains(&self, identity: Option<&Identity<'_>>) -> bool {
        match (self, identity) {
            (Selector::Anonymous, identity) => identity.is_none(),
            (_, None) => false,
            (Selector::Any, Some(_)) => true,
            (Selector::Spiffe(id), Some(identity)) => **id == *identity.id(),
            (Selector::Namespace { domain, namespace }, Some(identity)) => {
                **domain == *identity.trust_domain() && identity.namespace() == Some(namespace)
            }
        }
    }

    /// The other selectors that cover it, from the narrowest.
    pub fn wider(&self) -> Vec<Selector> {
        match self {
            Selector::Any | Selector::Anonymous => Vec::new(),
            Selector::Namespace { .. } => vec![Selector::Any],
            Selector::Spiffe(id) => {
                let identity = Identity::parse(id.as_bytes());
                let namespace = identity.and_then(|id| Some((id.trust_domain().into(), id.namespace()?.into())));
                let namespace = namespace.map(|(domain, namespace)| Selector::Namespace { domain, namespace });
                namespace.into_iter().chain([Selector::Any]).collect()
            }
        }
    }

    /// Tells whether whoever another one selects is selected.
    pub fn covers(&self, other: &Selector) -> bool {
        match (self, other) {
            (Selector::Any, Selector::Spiffe(_) | Selector::Namespace { .. }) => true,
            (Selector::Namespace { .. }, Selector::Spiffe(id)) => {
                Identity::parse(id.as_bytes()).is_some_and(|identity| self.contains(Some(&identity)))
            }
            _ => self == other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(text: &str) -> Selector {
        Selector::service_account("cluster.local", text).unwrap()
    }

    fn namespace(domain: &str) -> Selector {
        Selector::Namespace { domain: domain.into(), namespace: "a".into() }
    }

    #[test]
    fn a_selector_takes_in_whom_it_names() {
        let identity = Identity::parse(b"spiffe://cluster.local/ns/a/sa/x").unwrap();
        for (selector, named, nobody) in [
            (account("a/x"), true, false),
            (account("a/y"), false, false),
            (namespace("cluster.local"), true, false),
            (namespace("b.example"), false, false),
            (Selector::Any, true, false),
            (Selector::Anonymous, false, true),
        ] {
            assert_eq!(selector.contains(Some(&identity)), named, "{selector:?}");
            assert_eq!(selector.contains(None), nobody, "{selector:?}");
        }
        assert_eq!(Selector::service_account("cluster.local", "a"), None);
    }

    #[test]
    fn what_is_wider_covers() {
        assert_eq!(account("a/x").wider(), [namespace("cluster.local"), Selector::Any]);
        assert_eq!(Selector::Spiffe("spiffe://cluster.local/db".into()).wider(), [Selector::Any]);
        for selector in [account("a/x"), namespace("b.example"), Selector::Any, Selector::Anonymous] {
            assert!(selector.wider().iter().all(|wider| wider.covers(&selector) && *wider != selector), "{selector:?}");
        }
    }

    #[test]
    fn wider_selectors_cover_narrower_ones() {
        let all = [Selector::Any, namespace("cluster.local"), account("a/x")];
        for (number, outer) in all.iter().enumerate() {
            for (other, inner) in all.iter().enumerate() {
                assert_eq!(outer.covers(inner), number <= other, "{outer:?} {inner:?}");
            }
            assert!(!outer.covers(&Selector::Anonymous) && !Selector::Anonymous.covers(outer));
        }
        assert!(!namespace("b.example").covers(&account("a/x")));
    }
}
