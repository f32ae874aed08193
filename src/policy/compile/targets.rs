//! Targets into edges of the graph.

use super::{Compiler, Waiting};
use crate::index::{Constraints, List, NONE};
use crate::policy::decode::At;
use crate::policy::finding::{Findings, code};
use crate::policy::names::Defined;
use crate::policy::target::{DestinationDraft, Kind};
use crate::policy::target_document::{TargetDoc, check};
use crate::timestamp::Timestamp;

impl Compiler {
    #[expect(clippy::too_many_arguments, reason = "an entry's parts, each needed once")]
    pub(super) fn targets(
        &mut self,
        key: &'static str,
        kind: Kind,
        entry: u32,
        expires: Timestamp,
        targets: Option<Vec<At<TargetDoc<'_>>>>,
        froms: &[List],
        findings: &mut Findings<'_>,
    ) {
        findings.enter_key(key);
        for target in targets.unwrap_or_default() {
            findings.enter_item(target.item);
            if self.target(kind, entry, expires, target.value, froms, findings).is_none() {
                findings.too_large();
            }
            findings.leave();
        }
        findings.leave();
    }

    /// None if there is no room.
    fn target(
        &mut self,
        kind: Kind,
        entry: u32,
        expires: Timestamp,
        doc: TargetDoc<'_>,
        froms: &[List],
        findings: &mut Findings<'_>,
    ) -> Option<()> {
        check(&doc, kind, findings);
        let options = doc.options();
        let paths = doc.paths.good().unwrap_or_default();
        self.count_globs(&paths, findings);
        let region = self.region(doc.region.as_ref().map(|region| &*region.0));
        let methods = match doc.methods.good() {
            Some(methods) => {
                self.sections.get(kind).constraint_table.methods(methods.iter().map(|method| &*method.0))?
            }
            None => NONE,
        };
        let mut constraints = Constraints { ports: NONE, methods, options, region, destination: NONE, expires };
        let mut late = None;
        let to = if let Some(name) = doc.destination.good() {
            findings.enter_key("destination");
            let number = self.destinations.refer(&name, findings);
            findings.leave();
            let number = number?;
            constraints.destination = number;
            let draft = self.sections.get(kind);
            match self.destinations.defined(number) {
                Defined::Yes(destination) => {
                    let ports = destination.port_set(kind, &mut draft.constraint_table)?;
                    constraints = destination.constrain(constraints, ports);
                }
                Defined::Later => late = Some(number),
            }
            self.destinations.list(number, kind, || draft.tos.reserve())?
        } else {
            let ports = doc.ports.good();
            let (hosts, cidrs) = (doc.hosts.good().unwrap_or_default(), doc.cidrs.good().unwrap_or_default());
            let mut places = self.places(&hosts, &cidrs, region, findings);
            places.everything = kind.closes() && hosts.is_empty() && cidrs.is_empty();
            let destination = DestinationDraft { places, ports, region, server_first: false };
            self.nodes.clear();
            destination.nodes(kind, &mut self.hosts, &mut self.nodes);
            let draft = self.sections.get(kind);
            constraints.ports = destination.port_set(kind, &mut draft.constraint_table)?;
            draft.tos.add(&mut self.nodes)?
        };
        let draft = self.sections.get(kind);
        let constraints = draft.constraint_table.constraints(constraints)?;
        let target =
            draft.target(entry, constraints, paths.iter().map(|path| (path.value.text(), path.value.kind())))?;
        if froms.iter().try_for_each(|from| draft.link(target, *from, to)).is_none() {
            let fix = "put the selectors of those sets into one set".to_owned();
            findings.error::<()>(code::LIMIT, "the sets of this entry times its targets are too many", fix);
        }
        self.waiting.extend(late.map(|destination| Waiting { kind, target, destination }));
        Some(())
    }
}
