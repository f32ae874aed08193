//! Names with one `*` inside: `sts.*.amazonaws.com`, `api-*.example.com`.

use super::reading::Reading;
use std::borrow::Cow;

/// Beginning of a label that spells another script (RFC 5890 §2.3.1).
const ENCODED: &str = "xn--";

/// A name in which one `*` stands for a whole label, or for a part of one that is not empty. At least two labels follow the
/// starred one, and a `*` that is the whole first label is another kind of pattern.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StarName<'a> {
    text: Cow<'a, str>,
    /// Offset of the `*`.
    star: usize,
}

impl<'a> StarName<'a> {
    /// Takes a text apart that is a name but for its `*`; `None` where the `*` stands elsewhere, or several do.
    pub(crate) fn new(text: Cow<'a, str>) -> Option<StarName<'a>> {
        let star = text.find('*')?;
        let (before, behind) = (text.get(..star)?, text.get(star.checked_add(1)?..)?);
        let labels_behind = behind.matches('.').count();
        let is_first_label = before.is_empty() && behind.starts_with('.');
        (labels_behind >= 2 && !behind.contains('*') && !is_first_label).then_some(StarName { text, star })
    }

    /// The pattern as it is compared: lower case, without a dot at the end.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Offset of the `*` in the text.
    pub fn star(&self) -> usize {
        self.star
    }

    /// Everything before the `*`, and everything behind it.
    fn halves(&self) -> (&str, &str) {
        let (before, behind) = self.text.split_at_checked(self.star).unwrap_or_default();
        (before, behind.strip_prefix('*').unwrap_or_default())
    }

    /// The labels before the starred one with their dots; what of that label stands before the `*`, and behind it; the labels
    /// behind.
    pub fn parts(&self) -> (&str, &str, &str, &str) {
        let (before, behind) = self.halves();
        let (head, prefix) = before.rsplit_once('.').map_or(("", before), |(_, prefix)| {
            (before.get(..before.len().saturating_sub(prefix.len())).unwrap_or_default(), prefix)
        });
        let (suffix, tail) = behind.split_once('.').unwrap_or_default();
        (head, prefix, suffix, tail)
    }

    /// The labels behind the starred one.
    pub fn tail(&self) -> &str {
        self.parts().3
    }

    /// Makes the name own its text.
    pub fn into_owned(self) -> StarName<'static> {
        StarName { text: Cow::Owned(self.text.into_owned()), star: self.star }
    }

    /// Tells whether the `*` stands for a part of a label: opening lists do not take an encoded label for such a one.
    pub fn is_part(&self) -> bool {
        let (_, prefix, suffix, _) = self.parts();
        !prefix.is_empty() || !suffix.is_empty()
    }

    /// Tells whether the two readings differ: some encoded label fits.
    pub fn is_read_in_two_ways(&self) -> bool {
        let (_, prefix, _, _) = self.parts();
        self.is_part() && (ENCODED.starts_with(prefix) || prefix.starts_with(ENCODED))
    }

    /// Tells whether a canonical name matches.
    pub fn contains(&self, name: &str, reading: Reading) -> bool {
        let (before, behind) = self.halves();
        let Some(rest) = name.strip_prefix(before) else { return false };
        let Some(starred) = rest.strip_suffix(behind) else { return false };
        let (head, ..) = self.parts();
        let is_encoded = || name.get(head.len()..).is_some_and(|label| label.starts_with(ENCODED));
        !starred.is_empty() && !starred.contains('.') && (reading == Reading::Wide || !self.is_part() || !is_encoded())
    }

    /// Tells whether everything that another such pattern matches is matched, both read alike. Where the readings differ, what is read
    /// narrowly is within what is read widely.
    pub fn covers(&self, other: &StarName<'_>) -> bool {
        let ((head, prefix, suffix, tail), (own_head, own_prefix, own_suffix, own_tail)) =
            (other.parts(), self.parts());
        head == own_head
            && tail == own_tail
            && prefix.starts_with(own_prefix)
            && suffix.ends_with(own_suffix)
            // a whole label read narrowly takes in encoded ones, a part does not
            && (!self.is_part() || other.is_part())
    }

    /// Tells whether some name matches both.
    pub fn meets(&self, other: &StarName<'_>) -> bool {
        if self.text.matches('.').count() != other.text.matches('.').count() {
            return false;
        }
        let pairs = self.text.split('.').zip(other.text.split('.'));
        pairs.into_iter().all(|(one, other)| match (one.split_once('*'), other.split_once('*')) {
            (None, None) => one == other,
            (Some(star), None) => fits(star, other),
            (None, Some(star)) => fits(star, one),
            (Some((prefix, suffix)), Some((other_prefix, other_suffix))) => {
                (prefix.starts_with(other_prefix) || other_prefix.starts_with(prefix))
                    && (suffix.ends_with(other_suffix) || other_suffix.ends_with(suffix))
            }
        })
    }

    /// Tells whether some name below this one, or it with a label put for the `*`, is also one label (or several, `deep`) below
    /// another name.
    pub fn meets_below(&self, above: &str, deep: bool) -> bool {
        let labels = self.text.matches('.').count();
        let wanted = above.matches('.').count().saturating_add(1);
        if labels < wanted || !deep && labels != wanted {
            return false;
        }
        let pairs = self.text.rsplit('.').zip(above.rsplit('.'));
        pairs.into_iter().all(|(label, other)| label.split_once('*').map_or(label == other, |star| fits(star, other)))
    }
}

/// Tells whether a label has the two ends, and something between.
fn fits((prefix, suffix): (&str, &str), label: &str) -> bool {
    label.len() > prefix.len().saturating_add(suffix.len()) && label.starts_with(prefix) && label.ends_with(suffix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn star(text: &str) -> StarName<'_> {
        StarName::new(Cow::Borrowed(text)).unwrap()
    }

    #[test]
    fn a_star_stands_once_and_before_two_labels() {
        for text in ["a-*.b.test", "*-a.b.test", "a.*.b.test", "a*b.c.test", "a.b-*.c.test", "*.*.b.test"] {
            let is_one = text.matches('*').count() == 1;
            assert_eq!(StarName::new(Cow::Borrowed(text)).is_some(), is_one, "{text}");
        }
        for text in ["*.b.test", "**.b.test", "a-*.test", "a.*.test", "a.b.*", "a*", "", "a.test", "**"] {
            assert_eq!(StarName::new(Cow::Borrowed(text)), None, "{text}");
        }
    }

    #[test]
    fn a_star_takes_a_label_or_a_part_of_one_and_never_nothing() {
        for (pattern, name, expected) in [
            ("sts.*.aws.test", "sts.eu.aws.test", true),
            ("sts.*.aws.test", "sts.a.b.aws.test", false),
            ("sts.*.aws.test", "sts.aws.test", false),
            ("sts.*.aws.test", "xsts.eu.aws.test", false),
            ("sts.*.aws.test", "sts.xn--a.aws.test", true),
            ("api-*.b.test", "api-1.b.test", true),
            ("api-*.b.test", "api-.b.test", false),
            ("api-*.b.test", "api-1.c.b.test", false),
            ("api-*.b.test", "xapi-1.b.test", false),
            ("*-eu.b.test", "xn--a-eu.b.test", false),
            ("ab*bc.b.test", "abbc.b.test", false),
            ("ab*bc.b.test", "abc.b.test", false),
            ("ab*bc.b.test", "abxbc.b.test", true),
        ] {
            assert_eq!(star(pattern).contains(name, Reading::Narrow), expected, "{pattern} {name}");
        }
        assert!(star("*-eu.b.test").contains("xn--a-eu.b.test", Reading::Wide));
    }

    #[test]
    fn what_covers_or_meets_is_said_of_whole_labels_and_parts() {
        for (outer, inner, covers, meets) in [
            ("a.*.c.test", "a.b-*.c.test", true, true),
            ("a.b-*.c.test", "a.*.c.test", false, true),
            ("a*.c.test", "ab*.c.test", true, true),
            ("a*.c.test", "*b.c.test", false, true),
            ("a*.c.test", "b*.c.test", false, false),
            ("a.*.c.test", "*x.b.c.test", false, false),
            ("ax.*.c.test", "*x.b.c.test", false, true),
            ("a.*.c.test", "a.*.d.test", false, false),
        ] {
            assert_eq!(star(outer).covers(&star(inner)), covers, "{outer} {inner}");
            assert_eq!(star(outer).meets(&star(inner)), meets, "{outer} {inner}");
            assert_eq!(star(inner).meets(&star(outer)), meets, "{inner} {outer}");
        }
    }
}
