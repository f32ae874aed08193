//! Host patterns: `api.example.com`, `*.example.com`, `**.example.com`, `**`, `sts.*.example.com`.

use super::reading::Reading;
use super::star_name::StarName;
use crate::request::is_below;
use std::borrow::Cow;
use std::fmt;

/// A checked host pattern. Names are lower case, without a trailing dot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostPattern<'a> {
    /// The name itself.
    Exact(Cow<'a, str>),
    /// A name with one `*` inside.
    Star(StarName<'a>),
    /// Exactly one label before that name.
    One(Cow<'a, str>),
    /// One or more labels before that name.
    Many(Cow<'a, str>),
    /// Every name of two or more labels; in the wide reading every name.
    All,
}

impl<'a> HostPattern<'a> {
    /// Makes the pattern own its text.
    pub fn into_owned(self) -> HostPattern<'static> {
        let owned = |name: Cow<'a, str>| Cow::Owned(name.into_owned());
        match self {
            HostPattern::Exact(name) => HostPattern::Exact(owned(name)),
            HostPattern::Star(name) => HostPattern::Star(name.into_owned()),
            HostPattern::One(name) => HostPattern::One(owned(name)),
            HostPattern::Many(name) => HostPattern::Many(owned(name)),
            HostPattern::All => HostPattern::All,
        }
    }

    /// The labels that every name it matches ends with; none for `**`.
    pub fn tail(&self) -> Option<&str> {
        match self {
            HostPattern::Exact(name) | HostPattern::One(name) | HostPattern::Many(name) => Some(name),
            HostPattern::Star(name) => Some(name.tail()),
            HostPattern::All => None,
        }
    }

    /// The other patterns that cover it read narrowly, but for those with a `*` inside.
    pub fn wider(&self) -> Vec<HostPattern<'static>> {
        let owned = |name: &str| Cow::Owned(name.to_owned());
        let (above, one) = match self {
            HostPattern::All => return Vec::new(),
            HostPattern::Exact(name) => match name.split_once('.') {
                Some((_, parent)) => (Some(parent), Some(parent)),
                // `**` holds names of two labels or more
                None => return Vec::new(),
            },
            HostPattern::Many(name) => (name.split_once('.').map(|(_, parent)| parent), None),
            HostPattern::One(name) => (Some(&**name), None),
            HostPattern::Star(name) => (Some(name.tail()), Some(name.tail()).filter(|_| name.parts().0.is_empty())),
        };
        let suffixes = std::iter::successors(above, |name| name.split_once('.').map(|(_, parent)| parent));
        let many = suffixes.map(|name| HostPattern::Many(owned(name)));
        many.chain(one.map(|name| HostPattern::One(owned(name)))).chain([HostPattern::All]).collect()
    }

    /// Tells whether a canonical name matches.
    pub fn contains(&self, name: &str, reading: Reading) -> bool {
        match self {
            HostPattern::Exact(own) => own == name,
            HostPattern::Star(own) => own.contains(name, reading),
            HostPattern::One(own) => name.split_once('.').is_some_and(|(_, parent)| parent == own),
            HostPattern::Many(own) => is_below(name, own),
            HostPattern::All => reading == Reading::Wide || name.contains('.'),
        }
    }

    /// Tells whether every name that another matches is matched, both read alike; false where that is not sure.
    pub fn covers(&self, other: &HostPattern<'_>, reading: Reading) -> bool {
        match (self, other) {
            (_, HostPattern::Exact(name)) => self.contains(name, reading),
            (HostPattern::All, _) => true,
            (HostPattern::Star(own), HostPattern::Star(other)) => own.covers(other),
            (HostPattern::One(own), HostPattern::Star(other)) => other.parts().0.is_empty() && other.tail() == own,
            (HostPattern::One(own), HostPattern::One(other)) => own == other,
            (HostPattern::Many(own), HostPattern::Star(other)) => other.tail() == own || is_below(other.tail(), own),
            (HostPattern::Many(own), HostPattern::One(other) | HostPattern::Many(other)) => {
                own == other || is_below(other, own)
            }
            _ => false,
        }
    }

    /// Tells whether some name matches both.
    pub fn meets(&self, other: &HostPattern<'_>, reading: Reading) -> bool {
        match (self, other) {
            (HostPattern::Star(one), HostPattern::Star(other)) => one.meets(other),
            (HostPattern::Star(star), HostPattern::One(name)) | (HostPattern::One(name), HostPattern::Star(star)) => {
                star.meets_below(name, false)
            }
            (HostPattern::Star(star), HostPattern::Many(name)) | (HostPattern::Many(name), HostPattern::Star(star)) => {
                star.meets_below(name, true)
            }
            (HostPattern::One(one), HostPattern::Many(above)) | (HostPattern::Many(above), HostPattern::One(one)) => {
                one == above || is_below(one, above)
            }
            _ => self.covers(other, reading) || other.covers(self, reading),
        }
    }
}

impl fmt::Display for HostPattern<'_> {
    /// As it is compared.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostPattern::Exact(name) => f.write_str(name),
            HostPattern::Star(name) => f.write_str(name.text()),
            HostPattern::One(name) => write!(f, "*.{name}"),
            HostPattern::Many(name) => write!(f, "**.{name}"),
            HostPattern::All => f.write_str("**"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &'static str) -> Cow<'static, str> {
        Cow::Borrowed(text)
    }

    #[test]
    fn what_is_wider_covers_and_nothing_else_does() {
        let star = |text| HostPattern::Star(StarName::new(name(text)).unwrap());
        let names = ["a.b.c", "b.c", "c", "x.b.c", "x.a.b.c"];
        let mut all = vec![HostPattern::All, star("*-x.b.c"), star("a.*.b.c")];
        for of in names {
            all.extend([HostPattern::Exact(name(of)), HostPattern::One(name(of)), HostPattern::Many(name(of))]);
        }
        for pattern in &all {
            let wider = pattern.wider();
            for other in all.iter().filter(|other| *other != pattern && !matches!(other, HostPattern::Star(_))) {
                assert_eq!(wider.contains(other), other.covers(pattern, Reading::Narrow), "{other} {pattern}");
            }
        }
    }
}
