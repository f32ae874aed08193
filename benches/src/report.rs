//! Tables, printed as they are kept: in Markdown with aligned columns.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde_json::{Value, json};

use crate::machine;

/// One section of the report.
#[derive(Debug)]
pub struct Section {
    name: &'static str,
    text: String,
    bars: Bars,
}

impl Section {
    /// The section of the program of this name.
    pub fn new(name: &'static str, title: &str) -> Section {
        let command = format!("cargo run --release --package tollgate-bench --bin {name}");
        let text = format!("## {title}\n\n`{command}` · {} · {}\n", machine::when(), machine::describe());
        println!("{text}");
        Section { name, text, bars: Bars::default() }
    }

    /// A paragraph.
    pub fn say(&mut self, text: &str) {
        self.add(&format!("{text}\n"));
    }

    /// A table, under a title.
    pub fn table(&mut self, title: &str, table: &Table) {
        self.add(&format!("### {title}\n\n{}", table.render()));
    }

    /// Sets the bars of this section. The report puts those of all sections at its head.
    pub fn bars(&mut self, bars: Bars) {
        println!("### Bars\n\n{}", bars.0.render());
        self.bars = bars;
    }

    fn add(&mut self, text: &str) {
        println!("{text}");
        self.text.push('\n');
        self.text.push_str(text);
    }

    /// Leaves it for the report.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self) -> io::Result<()> {
        fs::create_dir_all(folder())?;
        fs::write(file(self.name), json!({"text": self.text, "bars": self.bars.0.rows}).to_string())
    }
}

/// Reads the section that a program left: its text, and its bars with their head.
///
/// # Errors
/// It left nothing.
pub fn read(name: &str) -> io::Result<(String, Vec<Vec<String>>)> {
    let saved: Value = serde_json::from_slice(&fs::read(file(name))?)?;
    let text = saved["text"].as_str().unwrap_or_default().to_owned();
    Ok((text, serde_json::from_value(saved["bars"].clone())?))
}

/// File of the section of this name.
fn file(name: &str) -> PathBuf {
    folder().join(format!("{name}.json"))
}

/// The root of the repository: of the package that cargo runs, or else the working directory. A folder may be moved
/// with what was built in it.
pub fn root() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    package.and_then(|package| package.parent().map(Path::to_owned)).unwrap_or_else(|| PathBuf::from("."))
}

fn folder() -> PathBuf {
    root().join("target/bench")
}

/// Rows under a head; the first column is to the left, numbers to the right.
#[derive(Clone, Debug, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with this head and no rows.
    pub fn new(head: &[&str]) -> Table {
        Table { rows: vec![head.iter().map(|cell| (*cell).to_owned()).collect()] }
    }

    /// One more row, of as many cells as the head has.
    pub fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        let cells: Vec<String> = cells.into_iter().map(Into::into).collect();
        assert_eq!(cells.len(), self.rows[0].len(), "a row of another length than the head: {cells:?}");
        self.rows.push(cells);
    }

    /// The table in Markdown.
    pub fn render(&self) -> String {
        let columns = self.rows[0].len();
        let width = |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0).max(3);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let line = |row: &[String]| {
            let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
                0 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            });
            format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
        };
        let rule = widths.iter().enumerate().map(|(column, width)| match column {
            0 => "-".repeat(*width),
            _ => format!("{}:", "-".repeat(width - 1)),
        });
        let rule: Vec<String> = rule.collect();
        let (head, rows) = self.rows.split_at(1);
        let rows: String = rows.iter().map(|row| line(row)).collect();
        format!("{}{}{rows}", line(&head[0]), line(&rule))
    }
}

/// Limits that must be kept, each with the measured value.
#[derive(Clone, Debug)]
pub struct Bars(Table);

impl Default for Bars {
    fn default() -> Self {
        Bars(Table::new(&["what", "bar", "measured", ""]))
    }
}

impl Bars {
    /// Adds a bar of at most `bar`; `unit` stands behind both numbers.
    pub fn at_most(&mut self, what: &str, bar: f64, measured: f64, unit: &str) {
        self.row(
            what,
            bar,
            format!("{}{unit}", trim(measured)),
            unit,
            if measured <= bar { "met" } else { "**missed**" },
        );
    }

    /// Each of these at most `bar`; `measured` holds their names and values.
    pub fn each_at_most<L: Display>(&mut self, what: &str, bar: f64, measured: &[(L, f64)], unit: &str) {
        let least = measured.iter().map(|(_, value)| *value).fold(f64::INFINITY, f64::min);
        let most = measured.iter().map(|(_, value)| *value).fold(f64::NEG_INFINITY, f64::max);
        let missed: Vec<String> =
            measured.iter().filter(|(_, value)| *value > bar).map(|(label, _)| label.to_string()).collect();
        let verdict = if missed.is_empty() { "met".to_owned() } else { format!("**missed** by {}", missed.join(", ")) };
        self.row(what, bar, format!("{}–{}{unit}", trim(least), trim(most)), unit, &verdict);
    }

    fn row(&mut self, what: &str, bar: f64, measured: String, unit: &str, verdict: &str) {
        self.0.row([what.to_owned(), format!("≤ {}{unit}", trim(bar)), measured, verdict.to_owned()]);
    }
}

/// A number with as many digits as say something.
pub fn trim(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}").trim_end_matches(".0").to_owned(),
        _ => format!("{value:.2}").trim_end_matches('0').trim_end_matches('.').to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(&["what", "ns"]);
        table.row(["a".to_owned(), "1".to_owned()]);
        table.row(["longer".to_owned(), "1,000".to_owned()]);
        assert_eq!(table.render(), "| what   |    ns |\n| ------ | ----: |\n| a      |     1 |\n| longer | 1,000 |\n");
    }

    #[test]
    fn a_bar_names_who_missed_it() {
        let mut bars = Bars::default();
        bars.each_at_most("x", 2.0, &[("A", 1.0), ("B", 3.0), ("C", 2.5)], " ×");
        let text = bars.0.render();
        assert!(text.contains("| ≤ 2 × |    1–3 × | **missed** by B, C |"), "{text}");
    }

    #[test]
    fn a_bar_is_met_or_missed() {
        let mut bars = Bars::default();
        bars.at_most("x", 2.2, 2.2, "×");
        bars.at_most("y", 400.0, 401.2, " ns");
        let text = bars.0.render();
        assert!(text.contains("|   ≤ 2.2× |     2.2× |        met |"), "{text}");
        assert!(text.contains("| ≤ 400 ns |   401 ns | **missed** |"), "{text}");
    }
}
