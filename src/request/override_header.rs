//! Headers by which servers see another method or path than the request line says.

const X_HTTP_METHOD_OVERRIDE: &str = "x-http-method-override";
const X_HTTP_METHOD: &str = "x-http-method";
const X_METHOD_OVERRIDE: &str = "x-method-override";
const X_METHOD: &str = "x-method";
const X_ORIGINAL_URL: &str = "x-original-url";
const X_ORIGINAL_URI: &str = "x-original-uri";
const X_REWRITE_URL: &str = "x-rewrite-url";
const X_OVERRIDE_URL: &str = "x-override-url";

/// Their names, in the one spelling of which all others are variants.
pub const OVERRIDE_HEADERS: [&str; 8] = [
    X_HTTP_METHOD_OVERRIDE,
    X_HTTP_METHOD,
    X_METHOD_OVERRIDE,
    X_METHOD,
    X_ORIGINAL_URL,
    X_ORIGINAL_URI,
    X_REWRITE_URL,
    X_OVERRIDE_URL,
];

/// Tells whether a header is one of [`OVERRIDE_HEADERS`], in any case and with `_` for any `-`.
#[inline]
pub fn is_override(name: &[u8]) -> bool {
    // The first byte and the length rule nearly all headers out, and leave three to compare at most.
    matches!(name, [b'x' | b'X', ..]) && of_length(name.len()).iter().any(|known| is_spelling(name, known.as_bytes()))
}

/// Returns those of [`OVERRIDE_HEADERS`] that have so many bytes.
#[inline]
fn of_length(length: usize) -> &'static [&'static str] {
    match length {
        8 => &[X_METHOD],
        13 => &[X_HTTP_METHOD, X_REWRITE_URL],
        14 => &[X_ORIGINAL_URL, X_ORIGINAL_URI, X_OVERRIDE_URL],
        17 => &[X_METHOD_OVERRIDE],
        22 => &[X_HTTP_METHOD_OVERRIDE],
        _ => &[],
    }
}

/// Tells whether a header name is this one for servers that read `_` and `-` alike (CGI and its kin: RFC 3875 §4.1.18).
/// `known` is in lower case and has no `_`.
#[inline]
pub fn is_spelling(name: &[u8], known: &[u8]) -> bool {
    name.len() == known.len() && begins_with_spelling(name, known)
}

/// Tells whether a header name begins with this for such servers.
#[inline]
pub fn begins_with_spelling(name: &[u8], known: &[u8]) -> bool {
    // Not by comparing slices, which is a call in wasm: most names differ within a few bytes.
    name.len() >= known.len() && name.iter().zip(known).all(|(byte, known)| plain(*byte) == *known)
}

/// Returns a byte of a header name in lower case and with `-` for `_`.
#[inline]
fn plain(byte: u8) -> u8 {
    if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every spelling of a name with `_` for some `-`.
    fn spellings(name: &str) -> Vec<String> {
        name.split('-').skip(1).fold(vec![name.split('-').next().unwrap_or_default().to_owned()], |spelled, part| {
            spelled.iter().flat_map(|front| ["-", "_"].map(|dash| format!("{front}{dash}{part}"))).collect()
        })
    }

    #[test]
    fn override_headers_are_known_in_every_spelling() {
        for name in OVERRIDE_HEADERS {
            let all = spellings(name);
            assert!(all.len() >= 2 && all.contains(&name.replace('-', "_")), "{all:?}");
            for spelling in all {
                assert!(is_override(spelling.as_bytes()), "{spelling}");
                assert!(is_override(spelling.to_ascii_uppercase().as_bytes()), "{spelling}");
                for other in [format!("{spelling}s"), format!("a{spelling}"), spelling.replacen('x', "y", 1)] {
                    assert!(!is_override(other.as_bytes()), "{other}");
                }
            }
        }
    }

    #[test]
    fn names_that_only_resemble_one_are_others() {
        for name in ["", "x", "x-methods", "x.method", "x-http_method-overrid3", "xxmethod", "x-original-urn", "method"]
        {
            assert!(!is_override(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn a_prefix_is_compared_at_the_front() {
        assert!(begins_with_spelling(b"X_Envoy-retry_on", b"x-envoy-"));
        assert!(!begins_with_spelling(b"x-envoy", b"x-envoy-"));
        assert!(!is_spelling(b"x-envoy-a", b"x-envoy-"));
    }
}
