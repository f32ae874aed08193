//! Names that a policy gives, and names that are nearly those.

use super::host;
use super::written::text;
use crate::file::File;
use crate::pointer::Trail;
use crate::span::Span;
use crate::tree::Node;
use std::cell::OnceCell;
use std::collections::HashMap;
use tollgate::policy::nearest;

/// Lists whose entries have ids.
const LISTS: [&str; 4] = ["deny", "rules", "residency", "quotas"];
/// Names that a finding lists.
const SHOWN: usize = 8;

/// The ids of a policy.
pub(super) struct Names<'n, 't> {
    root: &'n Node<'t>,
    files: &'n [File],
    /// Span of the first entry with each id; filled at the first use.
    ids: OnceCell<HashMap<&'n str, Span>>,
}

impl<'n, 't> Names<'n, 't> {
    pub(super) fn of(root: &'n Node<'t>, files: &'n [File]) -> Self {
        Names { root, files, ids: OnceCell::new() }
    }

    /// Finds the first entry with an id that is given again, and advises what to do about it.
    pub(super) fn first(&self, second: &Node<'_>) -> Option<(Span, String)> {
        let first = *self.ids.get_or_init(|| self.ids()).get(second.text()?)?;
        if first == second.place {
            return None;
        }
        let file = self.files.get(first.file)?;
        let at = file.position(first.start);
        let fix = format!("give one of them another id: it stands first at {}:{}:{}", file.path(), at.line, at.column);
        Some((first, fix))
    }

    fn ids(&self) -> HashMap<&'n str, Span> {
        let mut ids: HashMap<&'n str, Span> = HashMap::new();
        let entries =
            self.root.entries().iter().filter(|entry| entry.key.text().is_some_and(|key| LISTS.contains(&key)));
        for id in entries.flat_map(|entry| entry.value.items()).filter_map(|entry| entry.get("id")) {
            let Some(name) = id.text() else { continue };
            let place = ids.entry(name).or_insert(id.place);
            if (id.place.file, id.place.start) < (place.file, place.start) {
                *place = id.place;
            }
        }
        ids
    }

    /// A destination or a set of workloads that is not defined.
    pub(super) fn dangling(&self, trail: &Trail<'_, '_>, root: &Node<'_>) -> Option<String> {
        let word = trail.node()?.text()?;
        let map = match *trail.keys().last()? {
            "destination" => "destinations",
            _ => "workloads",
        };
        let known: Vec<&str> =
            root.get(map).map(Node::entries).unwrap_or_default().iter().filter_map(|entry| entry.key.text()).collect();
        if let Some(near) = nearest(word, &known) {
            return Some(format!("did you mean `{near}`?"));
        }
        if map == "destinations" && word.contains(['.', ':', '*']) {
            return Some(format!("a host stands in `hosts`: write `hosts: [{}]`", text(host::bare(word))));
        }
        let example = if map == "destinations" { "{hosts: […]}" } else { "[{namespace: …}]" };
        let shown: Vec<String> = known.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
        let others = match shown.is_empty() {
            true => String::new(),
            false if known.len() > shown.len() => {
                format!("; those that are defined are {} and others", shown.join(", "))
            }
            false => format!("; those that are defined are {}", shown.join(", ")),
        };
        Some(format!("define it, as `{map}: {{{}: {example}}}`{others}", text(word)))
    }
}
