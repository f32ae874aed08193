//! The classes of TCP connections that the terms of targets tell apart.

use super::ask::{Ask, Connections};
use super::class::{Class, members, parted};
use super::hello::Hello;
use super::ports::PortClasses;
use super::tuple::{At, Content, Tuple};
use std::collections::BTreeSet;
use tollgate::policy::TargetTerms;

/// The classes into which terms part the connections to one host.
#[derive(Debug)]
pub(super) struct ConnectionClasses {
    ports: PortClasses,
    hellos: Vec<Class<Hello>>,
}

impl ConnectionClasses {
    /// The classes that terms tell apart. `lets_others_in`: what names another host in its own TLS may be let through.
    pub(super) fn of(all_terms: &[&TargetTerms], names_port: bool, lets_others_in: bool) -> ConnectionClasses {
        let hellos = Hello::ALL.into_iter().filter(|hello| lets_others_in || *hello != Hello::Other);
        // one that names another host has a reason of its own
        let signature = |hello: &Hello| {
            let taken = all_terms.iter().map(|terms| takes(terms, *hello));
            taken.chain([*hello == Hello::Other]).collect()
        };
        ConnectionClasses { ports: PortClasses::of(all_terms, names_port), hellos: parted(hellos, signature) }
    }

    /// Number of classes.
    pub(super) fn count(&self) -> usize {
        self.ports.len().saturating_mul(self.hellos.len())
    }

    /// A connection of every class that one of `relevant` may take.
    pub(super) fn tuples(&self, relevant: &[&TargetTerms]) -> Vec<Tuple> {
        let mut tuples = Vec::new();
        for (port_at, port) in self.ports.witnesses() {
            for (hello_at, class) in self.hellos.iter().enumerate() {
                let Some(hello) = class.members.first() else { continue };
                let may_take =
                    |terms: &&TargetTerms| (port.is_none() || terms.takes_port(port)) && takes(terms, *hello);
                if relevant.iter().any(may_take) {
                    let [ports, hellos] = [port_at, hello_at].map(|at| BTreeSet::from([at]));
                    let at = [ports, hellos, BTreeSet::new(), BTreeSet::new(), BTreeSet::new()];
                    tuples.push(Tuple { at, port, content: Content::Tcp(*hello) });
                }
            }
        }
        tuples
    }

    /// Sets of classes in words.
    pub(super) fn describe(&self, at: &At) -> Ask {
        let [ports, hellos, ..] = at;
        let held: BTreeSet<Hello> = members(&self.hellos, hellos);
        Ask::of_connections(self.ports.describe(ports), Connections::of(held))
    }
}

/// Tells whether a target with these terms takes a connection that begins so.
fn takes(terms: &TargetTerms, hello: Hello) -> bool {
    let (options, context) = (terms.options(), terms.context());
    let takes_beginning = match hello {
        Hello::Silent => options.takes_silence(context),
        _ => options.takes_hello(context, hello.is_named(), hello.has_ech()),
    };
    terms.takes_connections() && takes_beginning
}
