//! Request headers that no upstream gets.

use tollgate::policy::{HeaderName, RemoveBy, Settings};
use tollgate::request::{begins_with_spelling, is_override, is_spelling};

/// Header names to remove, with `-` for `_`, arranged for being asked about every header of every request.
#[derive(Debug, Default)]
pub(crate) struct StrippedHeaders {
    exact: Vec<Box<[u8]>>,
    prefixes: Vec<Box<[u8]>>,
    /// Bit n: some exact name has n bytes; the last bit stands for all longer ones.
    lengths: u64,
    /// Bit n: some name or prefix begins with the byte n (modulo 64).
    firsts: u64,
    /// Names that the routes remove if they are spelled just so.
    by_routes: Vec<Box<[u8]>>,
}

impl StrippedHeaders {
    /// Takes the names of the settings, and the tripwire: whoever sends that header pretends to be this filter.
    pub(crate) fn new(settings: &Settings) -> StrippedHeaders {
        let mut stripped = StrippedHeaders::default();
        for name in &settings.remove {
            match name {
                HeaderName::Exact(name) => {
                    stripped.add(name);
                    if settings.remove_by == RemoveBy::Routes {
                        stripped.by_routes.push(name.as_bytes().into());
                    }
                }
                // A route removes whole names, never a prefix.
                HeaderName::Prefix(prefix) => {
                    stripped.firsts |= first_bit(prefix.as_bytes());
                    stripped.prefixes.push(prefix.as_bytes().into());
                }
            }
        }
        if let Some(tripwire) = &settings.tripwire {
            let header = tripwire.header.replace('_', "-");
            stripped.add(&header);
            stripped.by_routes.retain(|name| **name != *header.as_bytes());
        }
        stripped
    }

    fn add(&mut self, name: &str) {
        self.firsts |= first_bit(name.as_bytes());
        self.exact.push(name.as_bytes().into());
        self.lengths |= length_bit(name.len());
    }

    /// Tells whether this filter removes a header of this name, in lower case as Envoy keeps names, in any spelling
    /// with `_` for `-`.
    pub(crate) fn strips(&self, name: &[u8]) -> bool {
        self.has(name) && !self.by_routes.iter().any(|by_route| **by_route == *name)
    }

    /// Tells whether it removes a trailer of this name. No route does so, and nobody has judged a method or path that a
    /// trailer names.
    pub(crate) fn strips_trailer(&self, name: &[u8]) -> bool {
        self.has(name) || is_override(name)
    }

    fn has(&self, name: &[u8]) -> bool {
        if self.firsts & first_bit(name) == 0 {
            return false;
        }
        (self.lengths & length_bit(name.len()) != 0 && self.exact.iter().any(|exact| is_spelling(name, exact)))
            || self.prefixes.iter().any(|prefix| begins_with_spelling(name, prefix))
    }
}

/// Bit of a name's first byte; every bit for no name, since everything begins with it.
fn first_bit(name: &[u8]) -> u64 {
    name.first().map_or(u64::MAX, |first| 1_u64.wrapping_shl(u32::from(if *first == b'_' { b'-' } else { *first })))
}

fn length_bit(length: usize) -> u64 {
    1_u64.wrapping_shl(u32::try_from(length).map_or(63, |length| length.min(63)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tollgate::policy::Tripwire;
    use tollgate::request::OVERRIDE_HEADERS;

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
        let stripped = StrippedHeaders::new(&settings);
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
            assert!(stripped.strips(taken.as_bytes()), "{taken}");
        }
        for kept in ["x-forwarded-fo", "x-forwarded-fox", "x-forwarded-foo", "x-envoy", "a-x-envoy-b", "x-guards", ""] {
            assert!(!stripped.strips(kept.as_bytes()), "{kept}");
        }
        assert!(!StrippedHeaders::default().strips(b"x-envoy-retry-on"));
        let all = Settings { remove: vec![HeaderName::Prefix(String::new())], ..Settings::default() };
        assert!(["", "a", "x-envoy-retry-on"].iter().all(|name| StrippedHeaders::new(&all).strips(name.as_bytes())));
    }

    #[test]
    fn trailers_hold_neither_these_nor_another_method_or_path() {
        let stripped = StrippedHeaders::new(&Settings::default());
        for name in OVERRIDE_HEADERS.into_iter().chain(["x-forwarded-client-cert", "x-envoy-retry-on"]) {
            assert!(stripped.strips_trailer(name.as_bytes()), "{name}");
            assert!(stripped.strips_trailer(name.replace('-', "_").as_bytes()), "{name}");
        }
        assert!(OVERRIDE_HEADERS.iter().all(|name| !stripped.strips(name.as_bytes())), "they are judged");
        assert!(!stripped.strips_trailer(b"grpc-status"));
    }

    #[test]
    fn what_routes_remove_is_left_to_them_as_far_as_they_can() {
        let settings = Settings {
            remove: vec![HeaderName::Exact("x-internal".to_owned()), HeaderName::Prefix("x-envoy-".to_owned())],
            tripwire: Some(Tripwire { header: "x-guard".to_owned(), values: vec!["secret".to_owned()] }),
            remove_by: RemoveBy::Routes,
            ..Settings::default()
        };
        let stripped = StrippedHeaders::new(&settings);
        assert!(!stripped.strips(b"x-internal"));
        for taken in ["x_internal", "x-envoy-any", "x_envoy_any", "x-guard", "x_guard"] {
            assert!(stripped.strips(taken.as_bytes()), "{taken}");
        }
        assert!(stripped.strips_trailer(b"x-internal"), "no route removes trailers");
    }
}
