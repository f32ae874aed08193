//! Which request headers no upstream gets.

use tollgate::policy::{HeaderName, Settings};
use tollgate::request::{begins_with_spelling, is_spelling};

/// Header names to remove, arranged for being asked about every header of every request.
#[derive(Debug, Default)]
pub(crate) struct Removal {
    exact: Vec<Box<[u8]>>,
    prefixes: Vec<Box<[u8]>>,
    /// Bit n: some exact name has n bytes; the last bit stands for all longer ones.
    lengths: u64,
    /// Bit n: some name or prefix begins with the byte n (modulo 64).
    firsts: u64,
}

impl Removal {
    /// What the settings name, and the tripwire: whoever sends that header pretends to be this filter.
    pub(crate) fn new(settings: &Settings) -> Removal {
        let mut removal = Removal::default();
        for name in &settings.remove {
            match name {
                HeaderName::Exact(name) => removal.add(name),
                HeaderName::Prefix(prefix) => {
                    removal.firsts |= first_bit(prefix.as_bytes());
                    removal.prefixes.push(prefix.as_bytes().into());
                }
            }
        }
        if let Some(tripwire) = &settings.tripwire {
            removal.add(&tripwire.header.replace('_', "-"));
        }
        removal
    }

    fn add(&mut self, name: &str) {
        self.firsts |= first_bit(name.as_bytes());
        self.exact.push(name.as_bytes().into());
        self.lengths |= length_bit(name.len());
    }

    /// Whether a header of this name, in any spelling with `_` for `-`, is removed.
    pub(crate) fn takes(&self, name: &[u8]) -> bool {
        if self.firsts & first_bit(name) == 0 {
            return false;
        }
        (self.lengths & length_bit(name.len()) != 0 && self.exact.iter().any(|exact| is_spelling(name, exact)))
            || self.prefixes.iter().any(|prefix| begins_with_spelling(name, prefix))
    }
}

/// Of nothing: all, since everything begins with it.
fn first_bit(name: &[u8]) -> u64 {
    name.first().map_or(u64::MAX, |first| 1_u64.wrapping_shl(u32::from(*first)))
}

fn length_bit(length: usize) -> u64 {
    1_u64.wrapping_shl(u32::try_from(length).map_or(63, |length| length.min(63)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tollgate::policy::Tripwire;

    #[test]
    fn names_are_compared_whole_and_prefixes_at_the_front() {
        let long = "x-".repeat(50);
        let settings = Settings {
            remove: vec![
                HeaderName::Exact("x-forwarded-for".to_owned()),
                HeaderName::Exact(long.clone()),
                HeaderName::Prefix("x-envoy-".to_owned()),
            ],
            tripwire: Some(Tripwire { header: "x-guard".to_owned(), values: vec!["secret".to_owned()] }),
            ..Settings::default()
        };
        let removal = Removal::new(&settings);
        for taken in [
            "x-forwarded-for",
            "x_forwarded-for",
            "x_envoy_retry_on",
            "x_guard",
            &long,
            "x-envoy-",
            "x-envoy-retry-on",
            "x-guard",
        ] {
            assert!(removal.takes(taken.as_bytes()), "{taken}");
        }
        for kept in ["x-forwarded-fo", "x-forwarded-fox", "x-forwarded-foo", "x-envoy", "a-x-envoy-b", "x-guards", ""] {
            assert!(!removal.takes(kept.as_bytes()), "{kept}");
        }
        assert!(!Removal::default().takes(b"x-envoy-retry-on"));
        let all = Settings { remove: vec![HeaderName::Prefix(String::new())], ..Settings::default() };
        assert!(["", "a", "x-envoy-retry-on"].iter().all(|name| Removal::new(&all).takes(name.as_bytes())));
    }
}
