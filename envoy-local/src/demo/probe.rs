//! One scenario played, and what was seen of it: by the caller, in the record, and at the external server.

use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result};

use super::scenario::{Expected, Scenario};
use super::stage::Stage;
use crate::audit::Line;
use crate::origin::{FORGED, Received};
use crate::wire::{self, Response};

/// Observations of one scenario.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The caller's last response.
    pub response: Response,
    /// The audit log's line for that response.
    pub audit: Line,
    /// The requests that the external server received.
    pub received: Vec<Received>,
}

/// Plays a scenario.
pub fn observe(stage: &Stage, scenario: &Scenario) -> Result<Observed> {
    let name = &scenario.workload;
    let address = stage.workloads().get(name).with_context(|| format!("there is no workload `{name}`"))?;
    drop(stage.lab().origin().take());
    let mut response = Response::default();
    for number in 1..=scenario.repeat {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        response = wire::exchange(&mut stream, &scenario.request.bytes(&request_id(scenario, number)))
            .with_context(|| format!("no answer to `{}`", scenario.story))?;
    }
    // The last connection is closed by now: a tunnel is recorded when it ends.
    let last = request_id(scenario, scenario.repeat);
    let audit = stage.gateway().audit().wait_for(0, |line| line.text("egress.request_id") == Some(last.as_str()))?;
    // What was cut off may arrive later, or never.
    let own = |received: &Received| received.path == scenario.request.path || received.method == "CONNECT";
    let received = stage.lab().origin().take().into_iter().filter(own).collect();
    Ok(Observed { response, audit, received })
}

/// The story in letters that a header and a log line can hold.
fn request_id(scenario: &Scenario, number: usize) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let story: String = scenario.story.chars().map(letter).collect();
    if scenario.repeat > 1 { format!("{story}-{number}") } else { story }
}

impl Observed {
    /// Everything in which it is not what the scenario expects.
    pub fn differences(&self, scenario: &Scenario) -> Vec<String> {
        let Expected { decision, reason, rule, status, received, withheld } = &scenario.expect;
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
        if decision == "cut" {
            let whole = |received: &Received| Some(received.body.len()) == scenario.request.body;
            let arrived = if self.received.iter().any(whole) { "there" } else { "absent" };
            compare("the whole of it at the external server", "absent", arrived);
        } else {
            let received = received.unwrap_or(if decision == "deny" { 0 } else { scenario.repeat });
            compare(
                "the number of requests that the external server received",
                &received.to_string(),
                &self.received.len().to_string(),
            );
        }
        let told = self.response.header("x-egress-denied").map(String::from_utf8_lossy);
        compare(
            FORGED.0,
            if matches!(&**decision, "deny" | "cut") { reason } else { "absent" },
            told.as_deref().unwrap_or("absent"),
        );
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
