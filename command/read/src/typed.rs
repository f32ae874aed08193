//! Files of a fixed shape, other than policies.

use super::{File, Rejected, locate};
use serde::Deserialize;
use tollgate::policy::{Finding, Severity, code, nearest};

/// Reads the JSON text of a file as the shape that `noun` names.
///
/// # Errors
/// The first thing that is not of that shape, where it stands in the file.
pub fn typed<'t, T: Deserialize<'t>>(file: &File, json: &'t str, noun: &'static str) -> Result<T, Rejected> {
    let mut json = serde_json::Deserializer::from_str(json);
    serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let pointer = error.path().to_string();
        rejected(file, &pointer, &error.into_inner().to_string(), noun)
    })
}

/// A finding at a pointer of a file.
pub fn rejected(file: &File, pointer: &str, message: &str, noun: &'static str) -> Rejected {
    let message = message.split(" at line ").next().unwrap_or(message);
    let (code, pointer, message, fix) = match unknown(message) {
        // the path ends at the map that holds the key
        Some((key, fix)) => {
            let inside = pointer.strip_suffix(&format!(".{key}")).unwrap_or(pointer);
            let at = if inside.is_empty() || inside == "." { key.to_owned() } else { format!("{inside}.{key}") };
            (code::UNKNOWN_KEY, at, format!("unknown key `{key}`"), fix)
        }
        None => (code::VALUE, pointer.to_owned(), message.to_owned(), None),
    };
    let pointer = if pointer == "." { String::new() } else { pointer };
    let finding = Finding { severity: Severity::Error, code, pointer, message, fix, offset: None };
    let files = vec![file.clone()];
    Rejected { findings: locate(vec![finding], &files), files, noun }
}

/// The key of serde's message about one, and what was probably meant.
fn unknown(message: &str) -> Option<(&str, Option<String>)> {
    let mut words = message.strip_prefix("unknown field `")?.split('`');
    let key = words.next()?;
    let known: Vec<&str> = words.skip(1).step_by(2).collect();
    let fix = match nearest(key, &known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the keys here are {}", known.join(", ")),
    };
    Some((key, Some(fix)))
}
