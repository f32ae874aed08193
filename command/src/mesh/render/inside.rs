//! Names that a site lets resolve to addresses of the inside, and how far that goes.

use crate::analysis::advice::{Advice, code};
use crate::analysis::public_suffix::{is_one, within};
use crate::mesh::site::Gateway;
use tollgate::policy::{HostPattern, Network, host_pattern, networks};

/// Networks in which the gateway itself answers, or everybody: no name is led there.
const NEVER: [&str; 7] = ["0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4", "::/127", "fe80::/10", "ff00::/8"];
/// The metadata service of clouds.
const METADATA: &str = "169.254.169.254";

/// Says where `inside` lets in more than its owner can have meant.
pub(super) fn judge(gateway: &Gateway, advice: &mut Advice) {
    for (entry, inside) in gateway.inside.iter().enumerate() {
        for (number, host) in inside.hosts.iter().enumerate() {
            let Ok(host) = host_pattern(host) else { continue };
            let suffix = match &host {
                HostPattern::One(name) | HostPattern::Many(name) => within(name),
                HostPattern::Star(name) => Some(name.tail().to_owned()).filter(|tail| is_one(tail)),
                HostPattern::Exact(_) | HostPattern::All => None,
            };
            let why = match suffix {
                _ if host == HostPattern::All => Some("every name there is may resolve to the inside".to_owned()),
                Some(suffix) => Some(format!(
                    "anybody can have a name there that resolves to the inside: `{suffix}` is a public suffix"
                )),
                None => None,
            };
            if let Some(why) = why {
                let message =
                    format!("`inside[{entry}].hosts[{number}]` of the site file, `{host}`, is too wide: {why}");
                let fix = "name the domains of the inside, as `**.corp.example`".to_owned();
                advice.add(code::INSIDE_TOO_WIDE, String::new(), message, fix);
            }
        }
        for (number, cidr) in inside.cidrs.iter().enumerate() {
            if let Some(never) = networks(cidr).into_iter().find_map(never) {
                let message = format!(
                    "`inside[{entry}].cidrs[{number}]` of the site file, `{cidr}`, is too wide: it holds {never}"
                );
                let fix = "name the networks that the hosts are in, as `10.20.0.0/24`".to_owned();
                advice.add(code::INSIDE_TOO_WIDE, String::new(), message, fix);
            }
        }
    }
}

/// Parts of a network that no name may lead to.
fn never(network: Network) -> Option<String> {
    let mut never = NEVER.iter().flat_map(|never| networks(never));
    let meet = never.find(|never| never.covers(network) || network.covers(*never));
    let metadata = networks(METADATA).into_iter().find(|metadata| network.covers(*metadata) && *metadata != network);
    meet.or(metadata).map(|network| network.to_string())
}
