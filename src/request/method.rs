//! `:method`.

/// Tells whether a method is spelled `[A-Z][A-Z0-9_-]*`. Any other spelling matches no allow rule: servers differ on it
/// (RFC 9110 §9.1: methods are case-sensitive).
pub fn is_method(method: &[u8]) -> bool {
    method.first().is_some_and(u8::is_ascii_uppercase)
        && method.iter().all(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_upper_case_and_starts_with_a_letter() {
        for method in ["GET", "M-SEARCH", "X", "A_1", "VERSION-CONTROL"] {
            assert!(is_method(method.as_bytes()), "{method}");
        }
        for method in ["", "get", "Get", "GeT", "-GET", "_X", "1GET", "GET ", "G\u{c9}T", "GET\0", "GET,POST"] {
            assert!(!is_method(method.as_bytes()), "{method:?}");
        }
    }
}
