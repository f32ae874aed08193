//! What a target asks of a request besides who, where to and which path. Equal guards are stored once.

use crate::hash;
use crate::timestamp::Timestamp;
use rustc_hash::FxHashMap;

/// No set, no region, no destination.
pub(crate) const NONE: u32 = u32::MAX;

/// Ports, methods, form and time of a target, and its labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Guard {
    /// A set of ports; [`NONE`]: every port.
    pub(crate) ports: u32,
    /// A set of methods; [`NONE`]: none were given.
    pub(crate) methods: u32,
    /// `upgrades: [websocket]` was given.
    pub(crate) upgrades: bool,
    /// `encodedSlash: data` was given.
    pub(crate) encoded_slash: bool,
    /// Number of the region label, or [`NONE`].
    pub(crate) region: u32,
    /// Number of the named destination, or [`NONE`].
    pub(crate) destination: u32,
    /// The first moment at which the target no longer admits.
    pub(crate) expires: Timestamp,
}

/// The guards of a section and the sets they refer to.
#[derive(Debug, Default)]
pub(crate) struct Guards {
    guards: Vec<Guard>,
    ports: Vec<Box<[u16]>>,
    methods: Vec<Box<[Box<str>]>>,
}

impl Guards {
    #[inline]
    pub(crate) fn get(&self, number: u32) -> Option<&Guard> {
        self.guards.get(number as usize)
    }

    /// Whether the guard admits the port.
    #[inline]
    pub(crate) fn has_port(&self, guard: &Guard, port: u16) -> bool {
        guard.ports == NONE || self.ports.get(guard.ports as usize).is_some_and(|ports| ports.contains(&port))
    }

    /// Whether the guard lists the method, in its only spelling. False where none are given.
    #[inline]
    pub(crate) fn lists_method(&self, guard: &Guard, method: &[u8]) -> bool {
        self.method_set(guard).iter().any(|listed| hash::same(listed.as_bytes(), method))
    }

    /// The same, whatever the case.
    #[inline]
    pub(crate) fn lists_method_in_any_case(&self, guard: &Guard, method: &[u8]) -> bool {
        self.method_set(guard).iter().any(|listed| listed.as_bytes().eq_ignore_ascii_case(method))
    }

    #[inline]
    fn method_set(&self, guard: &Guard) -> &[Box<str>] {
        self.methods.get(guard.methods as usize).map_or(&[], |methods| methods)
    }

    pub(crate) fn bytes(&self) -> usize {
        let ports: usize = self.ports.iter().map(|ports| size_of_val(&**ports).saturating_add(16)).sum();
        let methods: usize = self.methods.iter().flatten().map(|method| method.len().saturating_add(16)).sum();
        self.guards.capacity().saturating_mul(size_of::<Guard>()).saturating_add(ports).saturating_add(methods)
    }
}

/// Collects guards, each distinct one once.
#[derive(Debug, Default)]
pub(crate) struct GuardsDraft {
    guards: Guards,
    numbers: FxHashMap<Guard, u32>,
    ports: FxHashMap<Box<[u16]>, u32>,
    methods: FxHashMap<Box<[Box<str>]>, u32>,
}

impl GuardsDraft {
    /// The number of a set of ports.
    pub(crate) fn ports(&mut self, ports: &[u16]) -> Option<u32> {
        if let Some(number) = self.ports.get(ports) {
            return Some(*number);
        }
        intern(&mut self.ports, &mut self.guards.ports, ports.into())
    }

    /// The number of a set of methods.
    pub(crate) fn methods<'m>(&mut self, methods: impl Iterator<Item = &'m str>) -> Option<u32> {
        intern(&mut self.methods, &mut self.guards.methods, methods.map(Box::from).collect())
    }

    /// The number of a guard.
    pub(crate) fn guard(&mut self, guard: Guard) -> Option<u32> {
        // one target after another asks the same
        if let Some(last) = self.guards.guards.len().checked_sub(1)
            && self.guards.guards.last() == Some(&guard)
        {
            return u32::try_from(last).ok();
        }
        intern(&mut self.numbers, &mut self.guards.guards, guard)
    }

    pub(crate) fn get(&self, number: u32) -> Option<&Guard> {
        self.guards.get(number)
    }

    /// Whether any guard expires.
    pub(crate) fn expires(&self) -> bool {
        self.guards.guards.iter().any(|guard| guard.expires < Timestamp::NEVER)
    }

    pub(super) fn finish(mut self) -> Guards {
        self.guards.guards.shrink_to_fit();
        self.guards
    }
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
