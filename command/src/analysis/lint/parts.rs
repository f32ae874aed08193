//! Advice on single parts of rules: paths, methods, callers, records.

use super::habits::targets;
use super::subject::Subject;
use crate::analysis::advice::{Advice, code, is_below, place_of, target};
use crate::read::document::{AuditPath, Mode, Rule, Target};
use tollgate::policy::{HostPattern, Reading, host_pattern, is_costly};
use tollgate::request::Path;

/// Services whose paths hold the very secret that they ask for.
const SECRET_PATHS: [&str; 8] = [
    "hooks.slack.com",
    "api.telegram.org",
    "discord.com",
    "discordapp.com",
    "webhook.office.com",
    "hooks.zapier.com",
    "maker.ifttt.com",
    "hook.eu1.make.com",
];

pub(crate) fn lint(subject: &Subject<'_>, advice: &mut Advice) {
    for (number, rule) in subject.document.rules.iter().enumerate() {
        for (item, selector) in rule.from.iter().enumerate() {
            let in_set = selector.workloads.as_ref().and_then(|name| subject.document.workloads.get(name));
            let mut selectors = in_set.map_or(std::slice::from_ref(selector), Vec::as_slice).iter();
            if selectors.any(|selector| selector.anonymous == Some(true)) {
                let message =
                    format!("`{}` admits whoever can reach the gateway: requests without any identity", rule.id);
                let fix = "name the workloads that are meant".to_owned();
                advice.add(code::ANONYMOUS, format!("rules[{number}].from[{item}]"), message, fix);
            }
        }
        for (item, given) in rule.to.iter().enumerate() {
            // with paths, a target matches no CONNECT request
            let connect =
                given.methods.iter().position(|method| method == "CONNECT").filter(|_| given.paths.is_empty());
            if let Some(method) = connect {
                let message = format!("`{}` admits tunnels: what flows in them, nothing judges", rule.id);
                let fix = "let the gateway see the requests themselves, or leave TLS to the filter for it".to_owned();
                advice.add(code::CONNECT, target("rules", number, item, &format!("methods[{method}]")), message, fix);
            }
            secrets(subject, rule, (number, item), given, advice);
            paths("rules", &rule.id, (number, item), given, advice);
        }
    }
    for (number, deny) in subject.document.deny.iter().enumerate() {
        if deny.mode == Mode::DryRun {
            let message = format!("`{}` only records what it would deny", deny.id);
            advice.add(
                code::DRY_RUN,
                format!("deny[{number}].mode"),
                message,
                "remove it once it was seen to be right".to_owned(),
            );
        }
        for (item, given) in deny.to.iter().enumerate() {
            spelling("deny", (number, item), given, advice);
        }
    }
    for (at, target) in targets(subject.document) {
        costly(&at, target, advice);
    }
}

/// Patterns that are matched by automata, and not with long paths.
fn costly(at: &str, target: &Target, advice: &mut Advice) {
    for (item, pattern) in target.paths.iter().enumerate().filter(|(_, pattern)| is_costly(pattern)) {
        let message = format!("`{pattern}` is a costly pattern: it is not compared with paths longer than 8 KiB");
        let fix = "exact paths, `/prefix/**` and `*` for a whole segment are cheap; in rules it does not match such a \
                   path, in `deny` and `quotas` it does";
        advice.add(code::COSTLY_PATHS, format!("{at}.paths[{item}]"), message, fix.to_owned());
    }
}

/// Hosts whose paths are credentials, and records that hold paths.
fn secrets(subject: &Subject<'_>, rule: &Rule, (number, item): (usize, usize), given: &Target, advice: &mut Advice) {
    if subject.document.audit.path != AuditPath::Full {
        return;
    }
    let is_secret = |pattern: &String| {
        let pattern = host_pattern(pattern).ok()?;
        let name = pattern.tail()?;
        let holds = |secret: &&&str| match &pattern {
            HostPattern::Star(star) => is_below(name, secret) || star.contains(secret, Reading::Narrow),
            _ => is_below(name, secret),
        };
        SECRET_PATHS.iter().find(holds)
    };
    let hosts = subject.document.place(given).hosts;
    let found = hosts.iter().enumerate().find_map(|(host, pattern)| Some((host, is_secret(pattern)?)));
    if let Some((host, secret)) = found {
        let message =
            format!("paths of `{secret}` are credentials, and every record of `{}` holds the whole path", rule.id);
        let fix = "set `audit: {path: pattern}`, so that records show the pattern that matched".to_owned();
        let at = place_of(number, item, given, &format!("hosts[{host}]"));
        advice.add(code::SECRET_PATHS, at, message, fix);
    }
}

/// Path patterns that mean less than they look.
fn paths(list: &str, id: &str, (number, item): (usize, usize), given: &Target, advice: &mut Advice) {
    spelling(list, (number, item), given, advice);
    for (at, pattern) in given.paths.iter().enumerate() {
        let Some(prefix) = pattern.strip_suffix("/**").filter(|prefix| !prefix.is_empty()) else { continue };
        let is_alone = !given.paths.iter().any(|other| other == prefix || other == "/**");
        if is_alone {
            let message = format!("`{pattern}` of `{id}` does not match `{prefix}` itself");
            let fix = format!("add `{prefix}` to `paths`, or write `# tollgate: allow TG118 because …` beside it");
            advice.add(code::PREFIX_ALONE, target(list, number, item, &format!("paths[{at}]")), message, fix);
        }
    }
}

/// Patterns that are compared in another spelling.
fn spelling(list: &str, (number, item): (usize, usize), given: &Target, advice: &mut Advice) {
    for (at, pattern) in given.paths.iter().enumerate() {
        let mut buffer = Vec::new();
        let canonical = String::from_utf8_lossy(Path::parse(pattern.as_bytes(), &mut buffer).text).into_owned();
        if canonical != *pattern && !canonical.is_empty() {
            let message = format!("`{pattern}` is compared as `{canonical}`");
            let at = target(list, number, item, &format!("paths[{at}]"));
            advice.add(code::PATH_SPELLING, at, message, format!("write `{canonical}`"));
        }
    }
}
