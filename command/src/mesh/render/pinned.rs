//! Images by digest: whoever moves a tag changes what a gateway enforces.

use super::fit;
use super::purpose::Purpose;
use crate::analysis::advice::{Advice, code};
use crate::mesh::site::{Gateway, Site};

/// Says which image has no digest, or one that is nobody's. That of connections is asked for where objects are made: until then a
/// site may not know it.
pub(super) fn judge(site: &Site, gateway: &Gateway, purpose: Purpose, advice: &mut Advice) {
    say("module", site.module.digest.as_deref(), advice);
    if purpose == Purpose::Render && !fit::ports_of_connections(site, gateway).is_empty() {
        let (_, digest) = site.module.of_connections();
        say("module.tcp", digest, advice);
    }
}

fn say(key: &str, digest: Option<&str>, advice: &mut Advice) {
    let message = match digest {
        None => format!("`{key}` has no digest: whoever moves its tag changes what is enforced"),
        Some(digest) if digest.trim_start_matches("sha256:").bytes().all(|digit| digit == b'0') => {
            format!("the digest of `{key}` is a placeholder: no image has it, and gateways would deny everything")
        }
        Some(_) => return,
    };
    let fix = format!("write the digest that `tollgate push` prints under `{key}.digest` of the site file");
    advice.add(code::UNPINNED, String::new(), message, fix);
}
