//! The demo's table.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table};

use super::probe::Observed;
use super::scenario::Scenario;

/// Draws a row a scenario: caller, request and outcome; in colour only on a terminal.
pub(super) fn render(played: &[(&Scenario, Observed)]) -> Table {
    let mut table = Table::new();
    table
        .load_style(UTF8_FULL_CONDENSED.with_rounded_corners())
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(["story", "who", "what", "decision", "reason", "rule", "status"]);
    for (scenario, observed) in played {
        let recorded = |key| observed.audit.recorded(key).unwrap_or("–").to_owned();
        let decision = recorded("d");
        let color = match decision.as_str() {
            "allow" => Color::Green,
            "would-deny" => Color::Yellow,
            _ => Color::Red,
        };
        let summary = match scenario.repeat {
            1 => scenario.request.summary(),
            often => {
                let received = observed.received.len();
                format!("{often} × {}: {received} got through", scenario.request.summary())
            }
        };
        let mut story = Cell::new(&scenario.story);
        if !observed.differences(scenario).is_empty() {
            story = story.add_attribute(Attribute::Bold).fg(Color::Magenta);
        }
        table.add_row([
            story,
            Cell::new(&scenario.workload),
            Cell::new(summary),
            Cell::new(decision).fg(color),
            Cell::new(recorded("r")),
            Cell::new(recorded("rule")),
            Cell::new(observed.response.status),
        ]);
    }
    table
}
