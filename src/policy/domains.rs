//! Trust domains that selectors name.

use super::finding::{Findings, code};

/// Trust domains that a finding names.
const DOMAINS_SHOWN: usize = 8;

/// Trust domains that selectors named before the list of them was read.
#[derive(Debug, Default)]
pub(super) struct Domains {
    pub(super) listed: Option<Vec<String>>,
    named: Vec<(String, String)>,
}

impl Domains {
    /// A selector names this trust domain where the reading stands.
    pub(super) fn name(&mut self, domain: &str, findings: &mut Findings<'_>) {
        match &self.listed {
            Some(listed) if listed.iter().any(|listed| listed == domain) => {}
            Some(listed) => not_listed(domain, listed, findings.pointer(), findings),
            None => self.named.push((domain.to_owned(), findings.pointer())),
        }
    }

    /// Once the list is known.
    pub(super) fn finish(&mut self, listed: &[String], findings: &mut Findings<'_>) {
        for (domain, pointer) in std::mem::take(&mut self.named) {
            if !listed.contains(&domain) {
                not_listed(&domain, listed, pointer, findings);
            }
        }
    }
}

fn not_listed(domain: &str, listed: &[String], pointer: String, findings: &mut Findings<'_>) {
    let message = format!("the trust domain `{domain}` is not in `identity.trustDomains`");
    let shown: Vec<&str> = listed.iter().take(DOMAINS_SHOWN).map(String::as_str).collect();
    let more = if listed.len() > shown.len() { " and others" } else { "" };
    findings.error_at(pointer, code::IDENTITY, message, format!("it lists `{}`{more}", shown.join("`, `")));
}
