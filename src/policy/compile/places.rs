//! Hosts, networks and regions of targets into numbers.

use super::Compiler;
use crate::index::NONE;
use crate::model::HostPattern;
use crate::policy::cidr::CidrPattern;
use crate::policy::finding::{Findings, code};
use crate::policy::target::Places;

impl Compiler {
    /// Number of a region label, or [`NONE`].
    pub(super) fn region(&mut self, region: Option<&str>) -> u32 {
        region.map_or(NONE, |region| self.residency.region(region))
    }

    pub(super) fn places(
        &mut self,
        hosts: &[HostPattern<'_>],
        cidrs: &[CidrPattern],
        region: u32,
        findings: &mut Findings<'_>,
    ) -> Places {
        let mut places = Places::default();
        for host in hosts {
            let node = match host {
                HostPattern::Exact(name) => {
                    let node = self.hosts.exact(name);
                    self.one_region(node, name, region, findings);
                    node
                }
                HostPattern::Star(name) => self.hosts.star(name.text(), name.star()).map(|(node, is_new)| {
                    self.count_star(is_new, findings);
                    node
                }),
                HostPattern::One(name) => self.hosts.one_label_before(name),
                HostPattern::Many(name) => self.hosts.labels_before(name),
                HostPattern::All => {
                    places.every_name = true;
                    continue;
                }
            };
            places.add(node, findings);
        }
        for cidr in cidrs.iter().flat_map(CidrPattern::networks) {
            places.add(self.hosts.network(*cidr), findings);
        }
        places
    }

    /// One exact host has one region.
    fn one_region(&mut self, host: Option<u32>, name: &str, region: u32, findings: &mut Findings<'_>) {
        let Some(host) = host.filter(|_| region != NONE) else { return };
        let known = *self.regions_of_hosts.entry(host).or_insert(region);
        if known != region {
            let message = format!(
                "the host `{name}` is in region `{}` here and in `{}` elsewhere",
                self.residency.region_name(region),
                self.residency.region_name(known)
            );
            findings.error_in("region", code::COMBINATION, message, "a host has one region".to_owned());
        }
    }
}
