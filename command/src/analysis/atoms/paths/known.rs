//! Path classes that have been found before, and the work that it took to find them.

use super::{PathClass, Pattern, Taken, few, fixed, plainly, sorted, walk};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Patterns whose classes are found together.
const MOST_TOGETHER: usize = 100;
/// Sets of patterns with too many classes, after which no more are found together.
const MOST_FAILURES: usize = 4;

/// The classes of a set of patterns.
#[derive(Debug)]
pub(crate) struct PathClasses {
    pub(crate) classes: Vec<PathClass>,
    /// True if there are no more than these.
    pub(crate) are_all: bool,
}

/// Sets of patterns in order, and the forms that they take.
type Key = (Vec<Pattern>, Taken);

/// Path classes by the patterns that tell them apart.
#[derive(Default)]
pub(crate) struct Known {
    found: BTreeMap<Key, Rc<PathClasses>>,
    /// As they were met on the walk; none where they are too many.
    walked: BTreeMap<Key, Option<Rc<[PathClass]>>>,
    /// Patterns subsets of which are asked about.
    together: Vec<Pattern>,
    /// States of automata that were made and walked.
    pub(crate) work: usize,
}

impl Known {
    /// Expects questions about subsets of these patterns. Their classes are found once for all, unless they are too many.
    pub(crate) fn expect(&mut self, patterns: impl Iterator<Item = Pattern>) {
        let mut together = BTreeSet::new();
        for pattern in patterns {
            together.insert(pattern);
            if together.len() > MOST_TOGETHER {
                together.clear();
                break;
            }
        }
        self.together = together.into_iter().collect();
    }

    /// The classes of some patterns, which are in order and differ.
    pub(crate) fn of(&mut self, patterns: &[Pattern], taken: Taken) -> Rc<PathClasses> {
        let key = (patterns.to_vec(), taken);
        if let Some(found) = self.found.get(&key) {
            return Rc::clone(found);
        }
        let plain = if taken.encoded_slash() { None } else { plainly(patterns) };
        let compared = plain.or_else(|| self.among_those_together(&key)).or_else(|| {
            let walked = walk::classes(patterns, taken, &mut self.work)?;
            Some(sorted(walked))
        });
        let found = Rc::new(match compared {
            Some(compared) => PathClasses { classes: [fixed(patterns.len(), taken), compared].concat(), are_all: true },
            None => PathClasses { classes: few(patterns, taken), are_all: false },
        });
        self.found.insert(key, Rc::clone(&found));
        found
    }

    /// The classes of a set of patterns, joined from those that more patterns tell apart.
    fn among_those_together(&mut self, (patterns, taken): &Key) -> Option<Vec<PathClass>> {
        let columns: Option<Vec<usize>> =
            patterns.iter().map(|pattern| self.together.binary_search(pattern).ok()).collect();
        let columns = columns?;
        let key = (self.together.clone(), *taken);
        let failures = self.walked.values().filter(|walked| walked.is_none()).count();
        if failures >= MOST_FAILURES && !self.walked.contains_key(&key) {
            return None;
        }
        let work = &mut self.work;
        let find = || walk::classes(&self.together, *taken, work).map(Rc::from);
        let walked = self.walked.entry(key).or_insert_with(find).clone()?;
        Some(joined(&walked, &columns))
    }
}

/// Classes that only some of the patterns tell apart. Each keeps the path that was met first.
fn joined(walked: &[PathClass], columns: &[usize]) -> Vec<PathClass> {
    let mut found = BTreeMap::new();
    for class in walked {
        let matches: Vec<bool> = columns.iter().map(|column| class.matches.get(*column) == Some(&true)).collect();
        found.entry((class.form, class.is_key, matches)).or_insert(&class.witness);
    }
    let class = |((form, is_key, matches), witness): (_, &Option<String>)| PathClass {
        form,
        is_key,
        matches,
        witness: witness.clone(),
    };
    found.into_iter().map(class).collect()
}

#[cfg(test)]
mod tests {
    use super::{Known, PathClass, Pattern, Taken};
    use crate::analysis::atoms::paths::PathForm;
    use std::collections::BTreeSet;

    type Said = (PathForm, bool, Vec<bool>, Option<String>);

    fn said(class: &PathClass) -> Said {
        (class.form, class.is_key, class.matches.clone(), class.witness.clone())
    }

    #[test]
    fn classes_of_a_set_are_the_same_whether_found_with_others_or_alone() {
        let texts = ["/", "/a", "/a/**", "/a/*/b", "/**/b", "/a*", "/v1/{a,b}/c", "/x%2Fy", "/a%3Bb/*", "/**"];
        let all: BTreeSet<Pattern> = texts
            .iter()
            .flat_map(|text| [false, true].map(|wide| Pattern { text: (*text).to_owned(), wide }))
            .collect();
        let mut rng = fastrand::Rng::with_seed(3);
        let mut joined = 0;
        for _ in 0..120 {
            let together: BTreeSet<Pattern> = all.iter().filter(|_| rng.u8(0..3) == 0).cloned().collect();
            let some: Vec<Pattern> = together.iter().filter(|_| rng.bool()).cloned().collect();
            let (data, key) = (rng.bool(), rng.bool());
            let taken = Taken { data, key };
            let (mut alone, mut among) = (Known::default(), Known::default());
            among.expect(together.into_iter());
            let found = [&mut alone, &mut among].map(|known| known.of(&some, taken));
            joined += among.walked.len();
            let [alone, among] = found.map(|found| found.classes.iter().map(said).collect::<Vec<Said>>());
            assert_eq!(alone, among, "{some:?} {taken:?}");
        }
        assert!(joined >= 60, "{joined}");
    }
}
