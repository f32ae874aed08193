//! The text of policies.

use std::fmt::Write;

use super::{COMMON_ACCOUNT, COMMON_HOST, Shape, account, host, network, path, starred};

pub(super) fn policy(shape: Shape, n: usize) -> String {
    let rules = |rule: &dyn Fn(usize) -> String| document("", "", &list(n, rule));
    match shape {
        Shape::A => rules(&|i| rule(i, &account(i), &[host(i)], &[format!("{}/**", path(i))])),
        Shape::B => {
            let destinations =
                format!(r#""destinations":{{"partners":{{"hosts":[{}]}}}},"#, list(n, &|i| quote(&host(i))));
            let from = list(n, &|i| selector(&account(i)));
            let rule = format!(r#"{{"from":[{from}],"id":"partners","to":[{{"destination":"partners"}}]}}"#);
            document("", &destinations, &rule)
        }
        Shape::C => rules(&|i| rule(i, COMMON_ACCOUNT, &[host(i)], &[])),
        Shape::D => rules(&|i| rule(i, &account(i), &[COMMON_HOST.to_owned()], &[])),
        Shape::E => rules(&|i| rule(i, COMMON_ACCOUNT, &[COMMON_HOST.to_owned()], &[pattern(i)])),
        Shape::F => rules(&|i| rule(i, &account(i), &[host(i), COMMON_HOST.to_owned()], &[])),
        Shape::H => rules(&|i| rule(i, &account(i), &[starred(i, "*")], &[])),
        Shape::G => {
            let deny = list(n, &|i| {
                let to = match i % 2 {
                    0 => format!(r#""cidrs":["{}.0/24"]"#, network(i)),
                    _ => format!(r#""hosts":["{}"]"#, host(i)),
                };
                format!(r#"{{"id":"deny-{i:06}","reason":"incident {i:06}","to":[{{{to}}}]}}"#)
            });
            let all = r#"{"from":[{"any":true}],"id":"all","to":[{"cidrs":["0.0.0.0/0"],"hosts":["**"]}]}"#;
            document(&format!(r#""deny":[{deny}],"#), "", all)
        }
    }
}

/// The path of rule `i` of shape E: a prefix, an exact path or a star for a whole segment.
fn pattern(i: usize) -> String {
    let path = path(i);
    match i % 3 {
        0 => format!("{path}/**"),
        1 => format!("{path}/orders"),
        _ => format!("{path}/*/status"),
    }
}

fn rule(i: usize, account: &str, hosts: &[String], paths: &[String]) -> String {
    let quoted = |items: &[String]| items.iter().map(|item| quote(item)).collect::<Vec<_>>().join(",");
    let hosts = quoted(hosts);
    let paths = if paths.is_empty() { String::new() } else { format!(r#","paths":[{}]"#, quoted(paths)) };
    let (from, owner) = (selector(account), i / 100);
    format!(r#"{{"from":[{from}],"id":"rule-{i:06}","owner":"team-{owner:04}","to":[{{"hosts":[{hosts}]{paths}}}]}}"#)
}

fn selector(account: &str) -> String {
    format!(r#"{{"serviceAccount":"{account}"}}"#)
}

fn quote(text: &str) -> String {
    format!("\"{text}\"")
}

fn list(n: usize, item: &dyn Fn(usize) -> String) -> String {
    let mut text = String::new();
    for i in 0..n {
        let comma = if i == 0 { "" } else { "," };
        // Writing to a string cannot fail.
        let _ = write!(text, "{comma}{}", item(i));
    }
    text
}

fn document(deny: &str, destinations: &str, rules: &str) -> String {
    format!(r#"{{{deny}{destinations}"name":"bench","rules":[{rules}],"version":1}}"#)
}
