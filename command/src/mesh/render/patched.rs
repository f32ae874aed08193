//! Rendered routes that somebody changed: requests then go elsewhere, twice, or again, besides what was decided and charged.

use super::folder::documents;
use super::output::Files;
use crate::analysis::advice::{Advice, code};
use serde_json::Value;
use std::collections::BTreeMap;

/// Keys of a route that change what is sent, or how often, in both APIs.
const KEYS: [&str; 10] = [
    "rewrite",
    "urlRewrite",
    "redirect",
    "requestRedirect",
    "mirror",
    "mirrors",
    "mirrorPercentage",
    "requestMirror",
    "retries",
    "retry",
];

/// Advises on every object of a folder that has such a key where, or with a value that, it was not rendered.
pub(crate) fn judge(rendered: &Files, found: &Files, advice: &mut Advice) {
    for (file, text) in found {
        let rendered = rendered.get(file).map(|text| documents(text)).unwrap_or_default();
        for ((kind, name), document) in documents(text) {
            // one that is not rendered any more is left over, and no patched one
            let wanted = match rendered.get(&(kind, name)) {
                Some(rendered) if *rendered != document && matches!(kind, "VirtualService" | "HTTPRoute") => rendered,
                _ => continue,
            };
            let wanted = settings(wanted);
            let added = settings(document).into_iter().find(|(setting, count)| wanted.get(setting) < Some(count));
            if let Some(((key, _), _)) = added {
                let message = format!("the {kind} `{name}` in `{file}` has a `{key}` that was not rendered");
                let fix =
                    "render again: what was decided about and charged once has to be what is sent once".to_owned();
                advice.add(code::PATCHED, String::new(), message, fix);
            }
        }
    }
}

/// The keys of a document with their values, and how often each stands there; none of what is no YAML.
fn settings(document: &str) -> BTreeMap<(&'static str, String), usize> {
    let mut settings = BTreeMap::new();
    if let Ok(value) = serde_saphyr::from_str::<Value>(document) {
        collect(&value, &mut settings);
    }
    settings
}

fn collect(value: &Value, settings: &mut BTreeMap<(&'static str, String), usize>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                if let Some(known) = KEYS.iter().find(|known| *known == key) {
                    let count = settings.entry((*known, value.to_string())).or_default();
                    *count = count.saturating_add(1);
                }
                collect(value, settings);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, settings)),
        _ => {}
    }
}
