//! Writes `docs/performance.md` out of what the other programs left, the introduction and the notes in
//! `benches/notes/`.
//!
//! A bar that is missed is shown as missed. The note of that bar tells why: a file whose name is the bar's in lower
//! case with hyphens. Notes outlast the measurements; those of bars that are met are left out.
#![expect(
    clippy::indexing_slicing,
    reason = "a program that only developers run: a panic here tells of a bug and harms nobody"
)]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};

use tollgate_bench::report::{Table, read, root};

/// The order of the sections, by the program that measures each.
const SECTIONS: [&str; 6] = ["core", "memory", "loading", "command", "quotas", "envoy"];
const INTRODUCTION: &str = "introduction";

fn main() -> Result<()> {
    let mut notes = notes(&root().join("benches/notes"))?;
    let introduction = notes.remove(INTRODUCTION).context("there is no introduction")?;
    let sections = SECTIONS.iter().map(|name| read(name).with_context(|| format!("`{name}` was not measured")));
    let report = report(&introduction, &notes, &sections.collect::<Result<Vec<_>>>()?)?;
    let file = root().join("docs/performance.md");
    fs::write(&file, report)?;
    println!("{}", file.display());
    Ok(())
}

/// Notes by the names of their files.
type Notes = BTreeMap<String, String>;

fn notes(folder: &Path) -> Result<Notes> {
    let files = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    files
        .map(|file| {
            let path = file?.path();
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            Ok((name, fs::read_to_string(&path)?))
        })
        .collect()
}

fn report(introduction: &str, notes: &Notes, sections: &[(String, Vec<Vec<String>>)]) -> Result<String> {
    let mut bars = Table::new(&["what", "bar", "measured", ""]);
    let (mut known, mut missed) = (Vec::new(), String::new());
    for row in sections.iter().flat_map(|(_, bars)| bars.iter().skip(1)) {
        bars.row(row);
        let name = name_of(&row[0]);
        if row[3].contains("missed") {
            let missing = format!("Nobody has explained this yet (`benches/notes/{name}.md`).");
            let note = notes.get(&name).map_or(&*missing, |note| note.trim());
            write!(missed, "\n**{}**: {note}\n", row[0])?;
        }
        known.push(name);
    }
    for note in notes.keys() {
        ensure!(known.contains(note), "benches/notes/{note}.md explains no bar");
    }
    let mut text = format!("{}\n\n## Bars\n\n{}", introduction.trim(), bars.render());
    if !missed.is_empty() {
        write!(text, "\n### What is missed, and why\n{missed}")?;
    }
    for (section, _) in sections {
        write!(text, "\n{section}")?;
    }
    Ok(text)
}

/// `load, 100,000 rules` → `load-100-000-rules`.
fn name_of(bar: &str) -> String {
    let words = bar.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-").to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(verdict: &str) -> (String, Vec<Vec<String>>) {
        let row = |cells: [&str; 4]| cells.map(str::to_owned).to_vec();
        let bars = vec![row(["what", "bar", "measured", ""]), row(["load, 10 rules", "≤ 1 ms", "2 ms", verdict])];
        ("## A section\n".to_owned(), bars)
    }

    fn notes(names: &[&str]) -> Notes {
        names.iter().map(|name| ((*name).to_owned(), "Since.\n".to_owned())).collect()
    }

    #[test]
    fn a_missed_bar_comes_with_its_note() {
        let text = report("# Title\n", &notes(&["load-10-rules"]), &[section("**missed**")]).unwrap();
        assert!(text.starts_with("# Title\n\n## Bars\n\n| what"), "{text}");
        assert!(text.contains("\n**load, 10 rules**: Since.\n"), "{text}");
        assert!(text.ends_with("\n## A section\n"), "{text}");
    }

    #[test]
    fn a_missed_bar_without_a_note_says_so() {
        let text = report("", &Notes::new(), &[section("**missed** by A")]).unwrap();
        assert!(text.contains("(`benches/notes/load-10-rules.md`)"), "{text}");
    }

    #[test]
    fn the_note_of_a_bar_that_is_met_is_left_out() {
        let text = report("", &notes(&["load-10-rules"]), &[section("met")]).unwrap();
        assert!(!text.contains("Since."), "{text}");
    }

    #[test]
    fn a_note_of_no_bar_is_an_error() {
        assert!(report("", &notes(&["load-11-rules"]), &[section("met")]).is_err());
    }
}
