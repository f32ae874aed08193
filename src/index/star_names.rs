//! Names with one `*` inside, found by hashing: first the labels around the starred one, its frame; then, for each pair of
//! lengths that the patterns of the frame have before and behind their `*`, the pattern itself. Neither depends on how many
//! patterns there are, only on how many pairs of lengths, of which a label of 63 bytes has at most 2,000.

use super::interner::Interner;
use super::section::Ranked;

/// Bytes of the longest key: a name, and the `*` in place of at least one byte of it.
const LONGEST: usize = 256;
/// Labels that stand behind the starred one, at least.
const BEHIND: usize = 2;

/// The frames of all patterns.
#[derive(Debug, Default)]
pub(super) struct StarNames {
    frames: Interner,
    /// By frame: the lengths around the `*`, the longer first.
    ends: Vec<Vec<Ends>>,
    /// Bit n: some pattern has n labels; the last bit stands for all longer ones.
    labels: u128,
    /// Bit n: some pattern has n labels behind the starred one.
    labels_behind: u128,
}

/// Bytes of a starred label before its `*`, and behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ends {
    before: u8,
    behind: u8,
}

impl Ends {
    fn literal(self) -> u16 {
        u16::from(self.before).saturating_add(u16::from(self.behind))
    }
}

/// The labels for which a `*` that is part of one may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Labels {
    /// Those that opening lists see: none that begins with `xn--`. A whole label may be any.
    Plain,
    /// Those that begin with `xn--`.
    Encoded,
}

impl StarNames {
    /// Takes in a pattern whose `*` stands at an offset.
    pub(super) fn add(&mut self, pattern: &[u8], star: usize) -> Option<()> {
        let (before, behind) = (pattern.get(..star)?, pattern.get(star.checked_add(1)?..)?);
        let from = before.iter().rposition(|byte| *byte == b'.').map_or(0, |dot| dot.saturating_add(1));
        let suffix = behind.iter().position(|byte| *byte == b'.')?;
        let until = star.checked_add(1)?.checked_add(suffix)?;
        let ends = Ends { before: u8::try_from(star.checked_sub(from)?).ok()?, behind: u8::try_from(suffix).ok()? };
        let mut buffer = [0; LONGEST];
        let frame = self.frames.intern(0, starred(&mut buffer, pattern, from, until)?)?;
        if frame.new.is_some() {
            self.ends.push(Vec::new());
        }
        let known = self.ends.get_mut(frame.number as usize)?;
        if !known.contains(&ends) {
            let at = known.partition_point(|other| other.literal() >= ends.literal());
            known.insert(at, ends);
        }
        self.labels |= bit(dots(pattern).saturating_add(1));
        self.labels_behind |= bit(dots(behind));
        Some(())
    }

    /// Adds the nodes of the patterns that match a name, most labels behind the `*` first, then most literal bytes, ranked from
    /// `rank` on; yields the rank of the last. `pattern` finds the node of a pattern's text.
    pub(super) fn find(
        &self,
        name: &[u8],
        labels: Labels,
        mut rank: u8,
        pattern: impl Fn(&[u8]) -> Option<u32>,
        all: &mut Vec<Ranked>,
    ) -> u8 {
        let count = dots(name).saturating_add(1);
        if self.labels & bit(count) == 0 {
            return rank;
        }
        let mut buffer = [0; LONGEST];
        let (mut from, mut behind) = (0_usize, count);
        for label in name.split(|byte| *byte == b'.') {
            behind = behind.saturating_sub(1);
            if behind < BEHIND {
                break;
            }
            let until = from.saturating_add(label.len());
            if self.labels_behind & bit(behind) != 0
                && let Some(frame) = starred(&mut buffer, name, from, until)
                && let Some(ends) = self.frames.find(0, frame).and_then(|frame| self.ends.get(frame as usize))
            {
                let is_encoded = label.starts_with(b"xn--");
                let mut last = None;
                for ends in ends.iter().filter(|ends| usize::from(ends.literal()) < label.len()) {
                    if is_encoded && ends.literal() > 0 && labels == Labels::Plain
                        || labels == Labels::Encoded && !(is_encoded && ends.literal() > 0)
                    {
                        continue;
                    }
                    let star = from.saturating_add(usize::from(ends.before));
                    let rest = until.saturating_sub(usize::from(ends.behind));
                    let Some(node) = starred(&mut buffer, name, star, rest).and_then(&pattern) else { continue };
                    if last != Some(ends.literal()) {
                        last = Some(ends.literal());
                        // a name of 253 bytes has at most so many ranks that `LAST` stays behind them
                        rank = rank.saturating_add(1);
                    }
                    all.push(Ranked { node, rank });
                }
            }
            from = until.saturating_add(1);
        }
        rank
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Gives back what growing took too much.
    pub(super) fn shrink(&mut self) {
        self.frames.shrink();
        self.ends.shrink_to_fit();
        self.ends.iter_mut().for_each(Vec::shrink_to_fit);
    }

    pub(super) fn bytes(&self) -> usize {
        let ends: usize = self.ends.iter().map(|ends| ends.capacity().saturating_mul(size_of::<Ends>())).sum();
        let heads = self.ends.capacity().saturating_mul(size_of::<Vec<Ends>>());
        self.frames.bytes().saturating_add(ends).saturating_add(heads)
    }
}

/// The name with a `*` in place of some of its bytes.
fn starred<'b>(buffer: &'b mut [u8; LONGEST], name: &[u8], from: usize, until: usize) -> Option<&'b [u8]> {
    let (front, rear) = (name.get(..from)?, name.get(until..)?);
    let length = front.len().checked_add(rear.len())?.checked_add(1)?;
    let key = buffer.get_mut(..length)?;
    let (before, behind) = key.split_at_mut_checked(front.len())?;
    let (star, behind) = behind.split_first_mut()?;
    before.copy_from_slice(front);
    *star = b'*';
    behind.copy_from_slice(rear);
    Some(key)
}

fn dots(name: &[u8]) -> usize {
    name.iter().filter(|byte| **byte == b'.').count()
}

pub(super) fn bit(labels: usize) -> u128 {
    1_u128.wrapping_shl(labels.min(127) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn matches_come_most_labels_behind_first_then_most_bytes() {
        let patterns = ["a.*.d.test", "*-x.c.d.test", "ab*.c.d.test", "a*.c.d.test", "a.b*.c.test", "a.*.c.test"];
        let mut names = StarNames::default();
        let mut known = BTreeMap::new();
        for (number, pattern) in (0_u32..).zip(patterns) {
            names.add(pattern.as_bytes(), pattern.find('*').unwrap()).unwrap();
            known.insert(pattern.as_bytes(), number);
        }
        let found = |name: &str, labels| {
            let mut all = Vec::new();
            let last = names.find(name.as_bytes(), labels, 0, |key| known.get(key).copied(), &mut all);
            let text = |ranked: &Ranked| (patterns[ranked.node as usize], ranked.rank);
            (all.iter().map(text).collect::<Vec<_>>(), last)
        };
        assert_eq!(found("abc.c.d.test", Labels::Plain), (vec![("ab*.c.d.test", 1), ("a*.c.d.test", 2)], 2));
        assert_eq!(found("ab-x.c.d.test", Labels::Plain).0[..2], [("*-x.c.d.test", 1), ("ab*.c.d.test", 1)]);
        assert_eq!(found("a.bc.c.test", Labels::Plain), (vec![("a.b*.c.test", 1), ("a.*.c.test", 2)], 2));
        assert_eq!(found("a.c.d.test", Labels::Plain).0, [("a.*.d.test", 1)]);
        for none in ["ab.c.test", "abc.d.d.test", "x.abc.c.d.test", "c.d.test", "a", "a.b.test"] {
            assert_eq!(found(none, Labels::Plain).0, [], "{none}");
        }
        assert_eq!(found("xn--a-x.c.d.test", Labels::Plain).0, []);
        assert_eq!(found("xn--a-x.c.d.test", Labels::Encoded).0, [("*-x.c.d.test", 1)]);
        assert_eq!(found("a.xn--b.c.test", Labels::Plain).0, [("a.*.c.test", 1)]);
        assert_eq!(found("a.xn--b.c.test", Labels::Encoded).0, []);
    }

    #[test]
    fn a_name_of_253_bytes_has_ranks_below_the_last() {
        let label = "a".repeat(63);
        let name = format!("{label}.{label}.{label}.{}.a", "a".repeat(59));
        assert_eq!(name.len(), 253);
        let mut names = StarNames::default();
        for label in [0, 64, 128] {
            for before in 0..63 {
                let pattern = format!("{}*{}", name.split_at(label + before).0, name.split_at(label + 63).1);
                names.add(pattern.as_bytes(), label + before).unwrap();
            }
        }
        let mut all = Vec::new();
        assert_eq!(names.find(name.as_bytes(), Labels::Plain, 0, |_| Some(1), &mut all), 3 * 63);
    }
}
