//! Requests that a line speaks of, for people.

use crate::analysis::atoms::{Ask, Listed, list};

/// Ports, methods and paths, as far as they matter.
pub(super) fn ask(ask: &Ask) -> String {
    let mut words = vec![format!("port {}", ask.ports)];
    words.push(format!("method {}", ask.methods));
    words.extend(ask.source.map(|source| format!("identity by {source}")));
    if !ask.paths.is_empty() {
        words.push(format!("path {}", list(&ask.paths)));
    }
    let plain = Listed::Only(vec!["none".to_owned()]);
    if ask.upgrades != plain && matches!(ask.upgrades, Listed::Only(_)) {
        words.push(format!("upgrade {}", ask.upgrades));
    }
    if ask.overridden == Some(true) {
        words.push("with an override header".to_owned());
    }
    words.join(", ")
}
