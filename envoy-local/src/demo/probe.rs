//! One scenario played, and what was seen of it: by the caller, in the record, and at the external server.

use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result};

use super::scenario::{Expected, Scenario};
use super::stage::Stage;
use crate::audit::Line;
use crate::origin::{FORGED, Received};
use crate::wire::{self, Response};

/// What was seen of one request.
#[derive(Clone, Debug)]
pub struct Observed {
    /// What the caller got.
    pub response: Response,
    /// What the audit log says.
    pub audit: Line,
    /// What the external server received.
    pub received: Vec<Received>,
}

/// Plays a scenario.
pub fn observe(stage: &Stage, scenario: &Scenario) -> Result<Observed> {
    let name = &scenario.workload;
    let address = stage.workloads().get(name).with_context(|| format!("there is no workload `{name}`"))?;
    let id = request_id(scenario);
    drop(stage.lab().origin().take());
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let response = wire::exchange(&mut stream, &scenario.request.bytes(&id))
        .with_context(|| format!("no answer to `{}`", scenario.story))?;
    // A tunnel is recorded when it ends.
    drop(stream);
    let audit = stage.gateway().audit().wait_for(0, |line| line.text("egress.request_id") == Some(id.as_str()))?;
    Ok(Observed { response, audit, received: stage.lab().origin().take() })
}

/// The story in letters that a header and a log line can hold.
fn request_id(scenario: &Scenario) -> String {
    scenario.story.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect()
}

impl Observed {
    /// Everything in which it is not what the scenario expects.
    pub fn differences(&self, scenario: &Scenario) -> Vec<String> {
        let Expected { decision, reason, rule, status, withheld } = &scenario.expect;
        let mut differences = Vec::new();
        let mut compare = |what: &str, expected: &str, seen: &str| {
            if expected != seen {
                differences.push(format!("{what} is {seen}, not {expected}"));
            }
        };
        let recorded = |key| self.audit.recorded(key).unwrap_or("absent");
        compare("decision", decision, recorded("d"));
        compare("reason", reason, recorded("r"));
        if let Some(rule) = rule {
            compare("rule", rule, recorded("rule"));
        }
        compare("status", &status.to_string(), &self.response.status.to_string());
        let let_through = decision != "deny";
        compare(
            "the number of requests that the external server received",
            if let_through { "1" } else { "0" },
            &self.received.len().to_string(),
        );
        let told = self.response.header("x-egress-denied").map(String::from_utf8_lossy);
        compare(FORGED.0, if let_through { "absent" } else { reason }, told.as_deref().unwrap_or("absent"));
        for header in self.received.iter().flat_map(|received| &received.headers) {
            if withheld.iter().any(|pattern| covers(pattern, &header.0)) {
                compare(&format!("the header `{}` that the external server received", header.0), "absent", "there");
            }
        }
        differences
    }
}

fn covers(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_the_rest_of_a_header() {
        assert!(covers("x-envoy-*", "x-envoy-internal"));
        assert!(covers("via", "via"));
        assert!(!covers("via", "viable"));
        assert!(!covers("x-envoy-*", "x-envo"));
    }
}
