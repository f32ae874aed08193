//! Advice on what to write instead, in the words of the text: the checker knows the language, this knows the text.
//!
//! One mistake is one finding: a finding that only follows from another is left out.

mod date;
mod host;
mod join;
mod keys;
mod names;
mod path;
mod selector;
mod shape;
mod types;
mod written;

pub use path::meant as path_meant;
pub(super) use shape::Shape;
pub(super) use written::number;

use self::names::Names;
use super::file::File;
use super::finding::Located;
use super::pointer::Trail;
use super::tree::{Node, Value};
use tollgate::policy::code;

/// Rewrites what findings of the checker say, and leaves out those that follow from others.
pub(super) fn of(findings: Vec<Located>, root: &Node<'_>, files: &[File]) -> Vec<Located> {
    let names = Names::of(root, files);
    let mended = findings.into_iter().map(|located| mend(located, root, &names)).collect();
    join::join(mended)
}

fn mend(mut located: Located, root: &Node<'_>, names: &Names<'_, '_>) -> Located {
    if located.finding.code == code::UNKNOWN_KEY {
        keys::unknown(&mut located.finding, root);
        return located;
    }
    let Some(trail) = Trail::of(&located.finding.pointer, root) else { return located };
    let finding = &mut located.finding;
    if let Some(fix) = trail.node().and_then(Node::text).and_then(straight_quotes) {
        finding.message = "typographic quotes are part of the value".to_owned();
        finding.fix = Some(fix);
        return located;
    }
    let fix = match finding.code {
        code::TYPE => types::fix(&trail, root),
        code::MISSING => keys::missing(&finding.message, &trail),
        code::VALUE => value(&trail),
        code::COMBINATION => selector::combined(&trail),
        code::IDENTITY if finding.message.starts_with(UNLISTED) => None,
        code::IDENTITY => trail.node().and_then(|node| selector::identity(&trail, node)),
        code::HOST => trail.node().and_then(Node::text).and_then(host::fix),
        code::PATH => trail.node().and_then(Node::text).and_then(path::fix),
        code::DANGLING => names.dangling(&trail, root),
        code::DUPLICATE => {
            if let Some((first, fix)) = trail.node().and_then(|node| names.first(node)) {
                located.other = Some(first);
                located.finding.fix = Some(fix);
            }
            return located;
        }
        _ => None,
    };
    if let Some(fix) = fix {
        located.finding.fix = Some(fix);
    }
    located
}

/// A value of the right type that the language does not have.
fn value(trail: &Trail<'_, '_>) -> Option<String> {
    let node = trail.node()?;
    let last = *trail.keys().last()?;
    match (last, &node.value) {
        ("expiresAt" | "until" | "reviewBy", Value::Text(text)) => date::fix(text),
        ("methods", Value::Text(text)) => types::method(text),
        ("version", _) => Some("write `version: 1`".to_owned()),
        (_, Value::Text(text)) if last == "id" || last == "name" => types::id(last, text),
        _ => None,
    }
}

/// Beginning of the checker's message for a trust domain that the policy does not list.
const UNLISTED: &str = "the trust domain";

const TYPOGRAPHIC: [char; 11] = ['“', '”', '„', '‟', '«', '»', '‘', '’', '‚', '‹', '›'];

/// A value whose quotes a word processor has made.
fn straight_quotes(text: &str) -> Option<String> {
    let bare = text.trim_matches(TYPOGRAPHIC);
    (bare.len() < text.len()).then(|| format!("write `\"{bare}\"`"))
}
