//! TCP ports: single ones, ranges, every one.

use std::fmt;

/// Ports of a rule's target that gives none.
pub const DEFAULT_PORTS: [u16; 2] = [80, 443];

/// The ports from one to another, both among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRange {
    first: u16,
    last: u16,
}

impl PortRange {
    /// `None` for port 0, and where the second is lower than the first.
    pub fn new(first: u16, last: u16) -> Option<PortRange> {
        (first > 0 && first <= last).then_some(PortRange { first, last })
    }

    /// Reads two ports with a `-` between, as `8000-8100`: decimal digits without leading zeros, the lower one first.
    pub fn parse(text: &str) -> Option<PortRange> {
        let (first, last) = text.split_once('-')?;
        PortRange::new(port(first)?, port(last)?)
    }

    /// The lowest port.
    pub fn first(self) -> u16 {
        self.first
    }

    /// The highest port.
    pub fn last(self) -> u16 {
        self.last
    }

    /// Every port in it, from the lowest.
    pub fn ports(self) -> impl Iterator<Item = u16> {
        self.first..=self.last
    }

    /// Merges ports into the fewest ranges, from the lowest.
    pub fn joined(ranges: impl IntoIterator<Item = PortRange>) -> Vec<PortRange> {
        let mut all: Vec<PortRange> = ranges.into_iter().collect();
        all.sort_unstable();
        let mut joined: Vec<PortRange> = Vec::with_capacity(all.len());
        for range in all {
            match joined.last_mut() {
                Some(last) if range.first <= last.last.saturating_add(1) => last.last = last.last.max(range.last),
                _ => joined.push(range),
            }
        }
        joined
    }
}

fn port(text: &str) -> Option<u16> {
    let is_decimal = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_decimal)
}

impl fmt::Display for PortRange {
    /// `443` or `8000-8100`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first)?;
        if self.first < self.last { write!(f, "-{}", self.last) } else { Ok(()) }
    }
}

/// A set of ports, never empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ports {
    /// In the fewest ranges, from the lowest; empty for every port.
    listed: Vec<PortRange>,
}

impl Ports {
    /// Every port.
    pub const ALL: Ports = Ports { listed: Vec::new() };

    /// The ports of a list; every one where it is empty.
    pub fn of(ranges: impl IntoIterator<Item = PortRange>) -> Ports {
        let listed = PortRange::joined(ranges);
        let is_all = listed.first().is_some_and(|range| range.first == 1 && range.last == u16::MAX);
        if is_all { Ports::ALL } else { Ports { listed } }
    }

    /// The ports of a rule's target that gives none: 80 and 443.
    pub fn usual() -> Ports {
        Ports::of(DEFAULT_PORTS.into_iter().filter_map(|port| PortRange::new(port, port)))
    }

    /// Tells whether every port is among them.
    pub fn is_all(&self) -> bool {
        self.listed.is_empty()
    }

    /// The ranges, from the lowest; none where every port is meant.
    pub fn listed(&self) -> &[PortRange] {
        &self.listed
    }

    /// Tells whether a port, 1 to 65535, is among them.
    pub fn contains(&self, port: u16) -> bool {
        self.is_all() || self.listed.iter().any(|range| (range.first..=range.last).contains(&port))
    }

    /// Tells whether all of the others are among them.
    pub fn covers(&self, other: &Ports) -> bool {
        let holds =
            |inner: &PortRange| self.listed.iter().any(|own| own.first <= inner.first && inner.last <= own.last);
        self.is_all() || !other.is_all() && other.listed.iter().all(holds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: u16, last: u16) -> PortRange {
        PortRange::new(first, last).unwrap()
    }

    #[test]
    fn a_range_is_two_ports_the_lower_first() {
        assert_eq!(PortRange::parse("8000-8100"), Some(range(8000, 8100)));
        assert_eq!(PortRange::parse("1-65535"), Some(range(1, 65535)));
        for text in
            ["", "-", "443", "8100-8000", "0-1", "1-65536", "01-2", "1-02", "+1-2", "1 - 2", "1-2-3", "1:2", "a-b"]
        {
            assert_eq!(PortRange::parse(text), None, "{text}");
        }
    }

    #[test]
    fn ranges_that_overlap_or_touch_are_one() {
        let ports = Ports::of([range(90, 99), range(443, 443), range(80, 85), range(86, 91)]);
        assert_eq!(ports.listed(), [range(80, 99), range(443, 443)]);
        assert!(Ports::of([range(1, 1000), range(900, 65535)]).is_all());
        assert!(ports.contains(99) && !ports.contains(100) && ports.contains(443));
    }

    #[test]
    fn more_ports_cover_fewer() {
        let ports = |ranges: &[PortRange]| Ports::of(ranges.iter().copied());
        assert!(Ports::ALL.covers(&Ports::usual()) && !Ports::usual().covers(&Ports::ALL));
        assert!(ports(&[range(1, 500)]).covers(&Ports::usual()));
        assert!(!ports(&[range(80, 442)]).covers(&Ports::usual()));
        assert!(ports(&[range(80, 90), range(91, 99)]).covers(&ports(&[range(85, 95)])));
    }
}
