//! Rules that open ports of protocols that nobody meant.

use super::subject::Subject;
use crate::analysis::advice::{Advice, code, place_of};
use crate::read::document::{Place, Ports, Protocol, Rule};
use tollgate::policy::PortRange;

/// The port that stands for all of those a word or a range holds.
struct Held {
    port: u16,
    protocol: Protocol,
    more: usize,
}

pub(super) fn lint(subject: &Subject<'_>, advice: &mut Advice) {
    for (number, rule) in subject.document.rules.iter().enumerate() {
        for (item, target) in rule.to.iter().enumerate() {
            let place = subject.document.place(target);
            match place.ports {
                Some(Ports::Any) => {
                    if let Some(held) = held(&place, PortRange::new(1, u16::MAX)) {
                        say("any", rule, &held, place_of(number, item, target, "ports"), advice);
                    }
                }
                Some(Ports::Listed(listed)) => {
                    for (at, range) in listed.iter().enumerate().filter(|(_, range)| range.first() < range.last()) {
                        if let Some(held) = held(&place, Some(*range)) {
                            let at = place_of(number, item, target, &format!("ports[{at}]"));
                            say(&range.to_string(), rule, &held, at, advice);
                        }
                    }
                }
                None => {}
            }
        }
    }
}

/// The ports of other protocols than the place's own.
fn held(place: &Place<'_>, range: Option<PortRange>) -> Option<Held> {
    let range = range?;
    let mut held = Protocol::ports()
        .filter(|(port, protocol)| (range.first()..=range.last()).contains(port) && place.protocol != Some(*protocol));
    let (port, protocol) = held.next()?;
    Some(Held { port, protocol, more: held.count() })
}

fn say(written: &str, rule: &Rule, held: &Held, at: String, advice: &mut Advice) {
    let more = match held.more {
        0 => String::new(),
        1 => " and one port more of another protocol".to_owned(),
        more => format!(" and {more} ports more of other protocols"),
    };
    let message = format!(
        "`{written}` of `{}` holds port {}, on which everybody expects {}{more}",
        rule.id,
        held.port,
        held.protocol.name()
    );
    let fix = "list the ports that are meant, or narrower ranges".to_owned();
    advice.add(code::OTHER_PROTOCOLS, at, message, fix);
}
