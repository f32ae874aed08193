//! The demo's tables.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table};

use super::connections::{ConnectionScenario, ConnectionSeen};
use super::probe::Observed;
use super::scenario::Scenario;

/// Draws a row a connection.
pub(super) fn connections(played: &[(&ConnectionScenario, ConnectionSeen)]) -> Table {
    let mut table = empty(["story", "who", "to, and what it sends", "decision", "reason", "rule", "server"]);
    for (scenario, seen) in played {
        let recorded = |key| seen.audit.recorded(key).unwrap_or("–").to_owned();
        table.add_row([
            story(&scenario.story, seen.differences(scenario).is_empty()),
            Cell::new(&scenario.workload),
            Cell::new(scenario.summary()),
            decision(&recorded("d")),
            Cell::new(recorded("r")),
            Cell::new(recorded("rule")),
            Cell::new(if seen.has_arrived { "was reached" } else { "heard nothing" }),
        ]);
    }
    table
}

fn empty(header: [&str; 7]) -> Table {
    let mut table = Table::new();
    table
        .load_style(UTF8_FULL_CONDENSED.with_rounded_corners())
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header);
    table
}

fn story(text: &str, is_as_expected: bool) -> Cell {
    let cell = Cell::new(text);
    if is_as_expected { cell } else { cell.add_attribute(Attribute::Bold).fg(Color::Magenta) }
}

fn decision(word: &str) -> Cell {
    Cell::new(word).fg(match word {
        "allow" => Color::Green,
        "would-deny" => Color::Yellow,
        _ => Color::Red,
    })
}

/// Draws a row a scenario: caller, request and outcome; in colour only on a terminal.
pub(super) fn render(played: &[(&Scenario, Observed)]) -> Table {
    let mut table = empty(["story", "who", "what", "decision", "reason", "rule", "status"]);
    for (scenario, observed) in played {
        let recorded = |key| observed.audit.recorded(key).unwrap_or("–").to_owned();
        let summary = match scenario.repeat {
            1 => scenario.request.summary(),
            often => {
                let received = observed.received.len();
                format!("{often} × {}: {received} got through", scenario.request.summary())
            }
        };
        table.add_row([
            story(&scenario.story, observed.differences(scenario).is_empty()),
            Cell::new(&scenario.workload),
            Cell::new(summary),
            decision(&recorded("d")),
            Cell::new(recorded("r")),
            Cell::new(recorded("rule")),
            Cell::new(observed.response.status),
        ]);
    }
    table
}
