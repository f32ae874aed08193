//! Advice on keys that count for nothing in connections whose contents nobody reads (docs/tls.md).

use crate::analysis::advice::{Advice, code};
use crate::read::document::{Document, Mode, Place, Rule, Target, Tls};
use tollgate::policy::{Network, Reading};

/// Hosts that a finding names.
const SHOWN: usize = 3;

/// Advises on a policy for a gateway that passes the callers' own TLS on.
pub(crate) fn lint(document: &Document, advice: &mut Advice) {
    for (number, rule) in document.rules.iter().enumerate() {
        for (item, target) in rule.to.iter().enumerate() {
            opening(document, rule, target, &format!("rules[{number}].to[{item}]"), advice);
        }
    }
    for (number, deny) in document.deny.iter().enumerate() {
        for (item, target) in deny.to.iter().enumerate() {
            let say = |hosts: &str, keys: &str| {
                format!(
                    "`{}` closes {hosts} whole to connections that the gateway cannot read: nobody sees the {keys} that it lists",
                    deny.id
                )
            };
            closing(document, target, &format!("deny[{number}].to[{item}]"), say, advice);
        }
        for (item, target) in deny.except.iter().enumerate() {
            let say = |hosts: &str, keys: &str| {
                format!(
                    "`{}` leaves out no connection to {hosts} that the gateway cannot read: nobody sees the {keys} of this exception",
                    deny.id
                )
            };
            closing(document, target, &format!("deny[{number}].except[{item}]"), say, advice);
        }
    }
    for (number, quota) in document.quotas.iter().enumerate() {
        for (item, target) in quota.to.iter().enumerate() {
            let say = |hosts: &str, keys: &str| {
                format!(
                    "`{}` counts every connection to {hosts} that the gateway cannot read: nobody sees the {keys} that it lists",
                    quota.id
                )
            };
            closing(document, target, &format!("quotas[{number}].to[{item}]"), say, advice);
        }
    }
}

/// A rule's target that admits nothing over the caller's own TLS, or more than it lists.
fn opening(document: &Document, rule: &Rule, target: &Target, at: &str, advice: &mut Advice) {
    let Some((first, keys)) = unseen(target) else { return };
    let place = document.place(target);
    if target.over_tls.is_some() {
        let hosts = named(&place);
        let message = format!(
            "`{}` opens {hosts} whole over TLS that the caller makes itself: `overTls: host-only` sets the {keys} aside",
            rule.id
        );
        let fix = "remove `overTls` where they have to hold; where the host alone may decide, write `# tollgate: allow TG105 because …`";
        return advice.add(code::OPENED_OVER_TLS, format!("{at}.overTls"), message, fix.to_owned());
    }
    // the gateway makes the TLS, or there is none
    if matches!(place.tls, Some(Tls::Originate | Tls::None)) {
        return;
    }
    let message =
        format!("`{}` admits nothing over TLS that the caller makes itself: nobody sees the {keys} there", rule.id);
    let fix = "have callers ask by `http://` and write `tls: originate`; or `overTls: host-only`, where the host alone may decide";
    advice.add(code::NOTHING_OVER_TLS, format!("{at}.{first}"), message, fix.to_owned());
}

/// A target that takes its hosts whole, if any connection gets that far.
fn closing(document: &Document, target: &Target, at: &str, say: impl Fn(&str, &str) -> String, advice: &mut Advice) {
    let Some((first, keys)) = unseen(target) else { return };
    let place = document.place(target);
    if !is_reached(document, &place) {
        return;
    }
    let fix = "have callers ask by `http://`, so that the gateway reads their requests; or write `# tollgate: allow TG125 because …`";
    advice.add(code::CLOSED_WHOLE, format!("{at}.{first}"), say(&named(&place), &keys), fix.to_owned());
}

/// The keys of a target about what nobody sees in such a connection: the first one, and all of them in words; none where it gives none.
fn unseen(target: &Target) -> Option<(&'static str, String)> {
    let quoted: Vec<String> = target.unseen_keys().map(|key| format!("`{key}`")).collect();
    Some((target.unseen_keys().next()?, quoted.join(" and ")))
}

/// Tells whether the policy lets such a connection through to one of these places but for this entry, ports and callers apart.
fn is_reached(document: &Document, place: &Place<'_>) -> bool {
    if document.mode == Mode::DryRun || !document.dry_run_for.is_empty() {
        return true;
    }
    let mut targets = document.rules.iter().flat_map(|rule| &rule.to);
    targets.any(|target| target.terms().takes_connections() && meets(place, &document.place(target)))
}

/// Tells whether a closing target has a place in common with an opening one.
fn meets(closing: &Place<'_>, opening: &Place<'_>) -> bool {
    let is_everything = closing.hosts.is_empty() && closing.cidrs.is_empty();
    let one_holds_the_other = |one: &Network, other: &Network| one.covers(*other) || other.covers(*one);
    is_everything
        || closing.patterns.iter().any(|host| opening.patterns.iter().any(|other| host.meets(other, Reading::Wide)))
        || closing.networks.iter().any(|own| opening.networks.iter().any(|other| one_holds_the_other(own, other)))
}

/// Hosts of a place in words, and not all of them.
fn named(place: &Place<'_>) -> String {
    let all: Vec<String> = place.hosts.iter().chain(place.cidrs).map(|host| format!("`{host}`")).collect();
    let shown = all.get(..SHOWN).unwrap_or(&all).join(", ");
    match all.len().saturating_sub(SHOWN) {
        _ if all.is_empty() => "every host".to_owned(),
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
