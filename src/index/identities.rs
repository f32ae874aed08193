//! The groups of identities that a policy names, and those that a request belongs to.

use super::interner::Interner;
use crate::request::Identity;

const SPIFFE: u16 = 0;
const EVERYONE: u16 = 1;
const ANY: u16 = 2;
const ANONYMOUS: u16 = 3;
/// Service accounts and namespaces have a kind for each trust domain.
const FIRST_OF_DOMAINS: u16 = 4;

/// Numbers for groups of identities: the from-names of every section.
#[derive(Debug, Default)]
pub(crate) struct Identities {
    names: Interner,
    any: Option<u32>,
    everyone: Option<u32>,
    anonymous: Option<u32>,
    /// Trust domains that selectors name, in the order of their first mention.
    domains: Vec<Box<str>>,
}

/// The trust domain of a selector: the mesh's own, which may not be known yet, or a named one.
pub(crate) type Domain<'a> = Option<&'a str>;

impl Identities {
    pub(crate) fn with_capacity(names: usize) -> Identities {
        Identities { names: Interner::with_capacity(names), ..Identities::default() }
    }

    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    /// Exactly this SPIFFE ID.
    pub(crate) fn spiffe(&mut self, id: &str) -> Option<u32> {
        self.intern(SPIFFE, id)
    }

    /// One service account, by its key `NS/sa/NAME`.
    pub(crate) fn service_account(&mut self, domain: Domain<'_>, key: &str) -> Option<u32> {
        let kind = self.domain(domain)?;
        self.intern(kind, key)
    }

    /// All service accounts of a namespace.
    pub(crate) fn namespace(&mut self, domain: Domain<'_>, namespace: &str) -> Option<u32> {
        let kind = self.domain(domain)?.checked_add(1)?;
        self.intern(kind, namespace)
    }

    /// Every authenticated identity.
    pub(crate) fn any(&mut self) -> Option<u32> {
        self.any = self.intern(ANY, "");
        self.any
    }

    /// Every request, anonymous ones included.
    pub(crate) fn everyone(&mut self) -> Option<u32> {
        self.everyone = self.intern(EVERYONE, "");
        self.everyone
    }

    /// Requests without an identity.
    pub(crate) fn anonymous(&mut self) -> Option<u32> {
        self.anonymous = self.intern(ANONYMOUS, "");
        self.anonymous
    }

    /// The groups of a request, most specific first. `own` is the mesh's own trust domain.
    pub(crate) fn resolve(&self, identity: Option<&Identity<'_>>, own: &str, groups: &mut Vec<u32>) {
        groups.clear();
        match identity {
            Some(identity) => {
                groups.extend(self.names.find(SPIFFE, identity.id().as_bytes()));
                if let (Some(namespace), Some(key)) = (identity.namespace(), identity.service_account_key()) {
                    let domain = identity.trust_domain();
                    let own = (domain == own).then_some(FIRST_OF_DOMAINS);
                    let named = self.domains.iter().position(|named| **named == *domain).and_then(kind_of_domain);
                    for kind in own.into_iter().chain(named) {
                        groups.extend(self.names.find(kind, key.as_bytes()));
                        groups.extend(self.names.find(kind.saturating_add(1), namespace.as_bytes()));
                    }
                }
                groups.extend(self.any);
            }
            None => groups.extend(self.anonymous),
        }
        groups.extend(self.everyone);
    }

    /// The namespaces that selectors name, each once for each trust domain.
    pub(crate) fn namespaces(&self) -> impl Iterator<Item = &str> {
        let named = (0..self.domains.len()).filter_map(kind_of_domain);
        let kinds = std::iter::once(FIRST_OF_DOMAINS).chain(named);
        kinds.flat_map(|kind| self.names.of_kind(kind.saturating_add(1)))
    }

    pub(crate) fn shrink(&mut self) {
        self.names.shrink();
    }

    pub(crate) fn bytes(&self) -> usize {
        self.names.bytes()
    }

    fn intern(&mut self, kind: u16, name: &str) -> Option<u32> {
        self.names.intern(kind, name.as_bytes()).map(|interned| interned.number)
    }

    fn domain(&mut self, domain: Domain<'_>) -> Option<u16> {
        let Some(domain) = domain else { return Some(FIRST_OF_DOMAINS) };
        let known = self.domains.iter().position(|known| **known == *domain);
        kind_of_domain(known.unwrap_or_else(|| {
            self.domains.push(domain.into());
            self.domains.len().saturating_sub(1)
        }))
    }
}

/// The kind of service accounts in a named trust domain; the next one is that of its namespaces.
fn kind_of_domain(index: usize) -> Option<u16> {
    u16::try_from(index).ok()?.checked_add(1)?.checked_mul(2)?.checked_add(FIRST_OF_DOMAINS)
}
