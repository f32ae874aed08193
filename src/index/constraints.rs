//! Conditions of a target on a request besides who, where to and which path. Equal ones are stored once.

use crate::hash;
use crate::model::{EncodedSlash, TargetOptions};
use crate::timestamp::Timestamp;
use rustc_hash::FxHashMap;

/// No set, no region, no destination.
pub(crate) const NONE: u32 = u32::MAX;

/// Ports, methods, options and time of a target, and its labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Constraints {
    /// A set of ports; [`NONE`]: every port.
    pub(crate) ports: u32,
    /// A set of methods; [`NONE`]: none were given.
    pub(crate) methods: u32,
    pub(crate) options: TargetOptions,
    /// Number of the region label, or [`NONE`].
    pub(crate) region: u32,
    /// Number of the named destination, or [`NONE`].
    pub(crate) destination: u32,
    /// The first moment at which the target no longer admits.
    pub(crate) expires: Timestamp,
}

/// The constraints of a section's targets, and the sets they refer to.
#[derive(Debug, Default)]
pub(crate) struct ConstraintTable {
    constraint_table: Vec<Constraints>,
    /// Each set in ranges that neither overlap nor touch, from the lowest.
    ports: Vec<Box<[[u16; 2]]>>,
    methods: Vec<Box<[Box<str>]>>,
}

impl ConstraintTable {
    #[inline]
    pub(crate) fn get(&self, number: u32) -> Option<&Constraints> {
        self.constraint_table.get(number as usize)
    }

    /// Tells whether the constraints admit the port.
    #[inline]
    pub(crate) fn has_port(&self, constraints: &Constraints, port: u16) -> bool {
        constraints.ports == NONE || self.ports.get(constraints.ports as usize).is_some_and(|ports| holds(ports, port))
    }

    /// Tells whether the constraints list the method, in its only spelling. False where none are given.
    #[inline]
    pub(crate) fn lists_method(&self, constraints: &Constraints, method: &[u8]) -> bool {
        self.method_set(constraints).iter().any(|listed| hash::same(listed.as_bytes(), method))
    }

    /// Tells whether the constraints list the method, in whatever case.
    #[inline]
    pub(crate) fn lists_method_in_any_case(&self, constraints: &Constraints, method: &[u8]) -> bool {
        self.method_set(constraints).iter().any(|listed| listed.as_bytes().eq_ignore_ascii_case(method))
    }

    #[inline]
    fn method_set(&self, constraints: &Constraints) -> &[Box<str>] {
        self.methods.get(constraints.methods as usize).map_or(&[], |methods| methods)
    }

    pub(crate) fn bytes(&self) -> usize {
        let ports: usize = self.ports.iter().map(|ports| size_of_val(&**ports).saturating_add(16)).sum();
        let methods: usize = self.methods.iter().flatten().map(|method| method.len().saturating_add(16)).sum();
        self.constraint_table
            .capacity()
            .saturating_mul(size_of::<Constraints>())
            .saturating_add(ports)
            .saturating_add(methods)
    }
}

/// Collects constraints, each distinct one once.
#[derive(Debug, Default)]
pub(crate) struct ConstraintTableBuilder {
    constraint_table: ConstraintTable,
    numbers: FxHashMap<Constraints, u32>,
    ports: FxHashMap<Box<[[u16; 2]]>, u32>,
    methods: FxHashMap<Box<[Box<str>]>, u32>,
}

impl ConstraintTableBuilder {
    /// The number of a set of ports: ranges that neither overlap nor touch, from the lowest.
    pub(crate) fn ports(&mut self, ports: Box<[[u16; 2]]>) -> Option<u32> {
        intern(&mut self.ports, &mut self.constraint_table.ports, ports)
    }

    /// The number of a set of methods.
    pub(crate) fn methods<'m>(&mut self, methods: impl Iterator<Item = &'m str>) -> Option<u32> {
        intern(&mut self.methods, &mut self.constraint_table.methods, methods.map(Box::from).collect())
    }

    /// The number of a target's constraints.
    pub(crate) fn constraints(&mut self, constraints: Constraints) -> Option<u32> {
        // one target after another asks the same
        if let Some(last) = self.constraint_table.constraint_table.len().checked_sub(1)
            && self.constraint_table.constraint_table.last() == Some(&constraints)
        {
            return u32::try_from(last).ok();
        }
        intern(&mut self.numbers, &mut self.constraint_table.constraint_table, constraints)
    }

    pub(crate) fn get(&self, number: u32) -> Option<&Constraints> {
        self.constraint_table.get(number)
    }

    /// Tells whether any target reads paths as keys.
    pub(crate) fn has_keys(&self) -> bool {
        self.constraint_table
            .constraint_table
            .iter()
            .any(|constraints| constraints.options.encoded_slash == EncodedSlash::Key)
    }

    /// Tells whether any target expires.
    pub(crate) fn expires(&self) -> bool {
        self.constraint_table.constraint_table.iter().any(|constraints| constraints.expires < Timestamp::NEVER)
    }

    pub(super) fn finish(mut self) -> ConstraintTable {
        self.constraint_table.constraint_table.shrink_to_fit();
        self.constraint_table
    }
}

#[inline]
fn holds(ranges: &[[u16; 2]], port: u16) -> bool {
    let at = ranges.partition_point(|[_, last]| *last < port);
    ranges.get(at).is_some_and(|[first, _]| *first <= port)
}

fn intern<T: Clone + Eq + std::hash::Hash>(numbers: &mut FxHashMap<T, u32>, all: &mut Vec<T>, item: T) -> Option<u32> {
    if let Some(number) = numbers.get(&item) {
        return Some(*number);
    }
    let number = u32::try_from(all.len()).ok()?;
    all.push(item.clone());
    numbers.insert(item, number);
    Some(number)
}
