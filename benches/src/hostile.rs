//! Policies at the limits of their path patterns, and long paths made to cost as much as they can.

use std::fmt::Write;
use std::ops::Range;

/// Globs a policy may have, and a target.
const GLOBS: usize = 512;
const GLOBS_A_TARGET: usize = 64;
/// Bytes of a hostile path.
const LENGTH: usize = 8192;

/// The one identity and host that every pattern stands at, so that all of them are candidates.
pub const ACCOUNT: &str = "team/app";
/// The one host; see [`ACCOUNT`].
pub const HOST: &str = "api.example.com";

/// Part of the policy that holds the patterns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// One allow rule of eight targets.
    Rules,
    /// Eight allow rules.
    ManyRules,
    /// A deny entry on everyone, below a rule that admits everything.
    Deny,
    /// Half of them in deny, half in rules.
    Both,
}

impl Place {
    /// Each of them.
    pub const ALL: [Place; 4] = [Place::Rules, Place::ManyRules, Place::Deny, Place::Both];

    /// Name for tables, a word or two.
    pub fn name(self) -> &'static str {
        match self {
            Place::Rules => "one rule",
            Place::ManyRules => "eight rules",
            Place::Deny => "deny",
            Place::Both => "both",
        }
    }
}

/// The pattern of a number; all of a style cost alike.
pub type Style = fn(usize) -> String;

/// Styles of glob, with names.
pub const STYLES: [(&str, Style); 6] = [
    ("/**/a/**/b…", |i| format!("/**/a/**/b/**/c/**/x{i}")),
    ("/*a*a*a…", |i| format!("/{}x{i}", "*a".repeat(100))),
    ("/**/*a*a…", |i| format!("/**/{}*x{i}", "*a".repeat(100))),
    ("/**/*/**/*…", |i| format!("{}/*x{i}", "/**/*a*".repeat(30))),
    ("{a,b}{a,b}…", |i| format!("/**/{}x{i}", "{a,aa}*".repeat(30))),
    ("/**/a/a/a…", |i| format!("/**{}/*x{i}", "/a".repeat(115))),
];

/// Long paths, each of the length that Envoy's defaults let through: a name and the bytes. The last bytes match no
/// pattern, so that none of them ends the search.
pub fn paths() -> Vec<(&'static str, String)> {
    let fill = |piece: &str| format!("/{}z", piece.repeat(LENGTH / piece.len()).split_at(LENGTH - 2).0);
    vec![
        ("/a/a/a…", fill("a/")),
        ("/aaaa…", fill("a")),
        ("/a/b/c/d…", fill("a/b/c/d/")),
        ("/aa/aa…", fill("aaaaaaa/")),
        // An escape that a canonical path may have, and one that it may not.
        ("%C3%A9…", format!("/{}", "%C3%A9".repeat(LENGTH / 6))),
        ("%41%41…", format!("/{}", "%41".repeat(LENGTH / 3))),
        (";a;a…", fill(";a")),
        ("/a;/a;…", fill("a;/")),
        ("%3B/%3B…", format!("/{}z", "%21%3Ba/".repeat(LENGTH / 8))),
    ]
}

/// A policy with as many globs of one style as it may have.
pub fn policy(style: Style, place: Place) -> String {
    let targets = |numbers: Range<usize>| -> Vec<String> {
        numbers.step_by(GLOBS_A_TARGET).map(|first| target(style, first..first + GLOBS_A_TARGET)).collect()
    };
    let from = format!(r#"[{{"serviceAccount":"{ACCOUNT}"}}]"#);
    let rule = |id: &str, to: &str| format!(r#"{{"from":{from},"id":"{id}","to":[{to}]}}"#);
    let deny = |to: &[String]| format!(r#"{{"id":"deny","to":[{}]}}"#, to.join(","));
    let (deny, rules) = match place {
        Place::Rules => (String::new(), rule("rule", &targets(0..GLOBS).join(","))),
        Place::ManyRules => {
            let rules =
                targets(0..GLOBS).iter().enumerate().map(|(i, to)| rule(&format!("rule{i}"), to)).collect::<Vec<_>>();
            (String::new(), rules.join(","))
        }
        Place::Deny => (deny(&targets(0..GLOBS)), rule("rule", &format!(r#"{{"hosts":["{HOST}"]}}"#))),
        Place::Both => (deny(&targets(0..GLOBS / 2)), rule("rule", &targets(GLOBS / 2..GLOBS).join(","))),
    };
    document(&deny, &rules)
}

fn target(style: Style, numbers: Range<usize>) -> String {
    let paths: Vec<String> = numbers.map(|i| format!("\"{}\"", style(i))).collect();
    format!(r#"{{"hosts":["{HOST}"],"paths":[{}]}}"#, paths.join(","))
}

/// Whole-segment stars are a cheap form without a limit: rules whose patterns are all different in where their stars
/// stand, and paths that come close to all of them.
pub fn stars(rules: usize) -> (String, String) {
    let mut text = String::new();
    for i in 0..rules {
        let segments = (0..17).map(|bit| if i >> bit & 1 == 1 { "/*" } else { "/a" });
        let comma = if i == 0 { "" } else { "," };
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            r#"{comma}{{"from":[{{"serviceAccount":"{ACCOUNT}"}}],"id":"rule{i}","to":[{{"hosts":["{HOST}"],"paths":["{}/x"]}}]}}"#,
            segments.collect::<String>()
        );
    }
    (document("", &text), format!("{}/y", "/a".repeat(17)))
}

fn document(deny: &str, rules: &str) -> String {
    let deny = if deny.is_empty() { String::new() } else { format!(r#""deny":[{deny}],"#) };
    format!(r#"{{{deny}"name":"hostile","rules":[{rules}],"version":1}}"#)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load;

    #[test]
    fn policies_are_at_the_limit() {
        let (_, style) = STYLES[0];
        for place in Place::ALL {
            load(&policy(style, place)).unwrap();
        }
    }

    #[test]
    fn patterns_are_valid() {
        for (name, style) in STYLES {
            let rule = format!(r#"{{"from":[{{"any":true}}],"id":"rule","to":[{}]}}"#, target(style, GLOBS - 1..GLOBS));
            load(&document("", &rule)).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }

    #[test]
    fn paths_are_of_the_length_of_a_hostile_one() {
        for (name, path) in paths() {
            assert!((8180..=8200).contains(&path.len()), "{name}: {}", path.len());
        }
    }
}
