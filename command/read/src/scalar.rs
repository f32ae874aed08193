//! Meaning of a word without quotes: YAML 1.2, core schema (§10.3.2).

use super::tree::Value;
use std::borrow::Cow;

/// Reads a plain scalar. `yes`, `no`, `on`, `off` and dates are strings; so is whatever is not listed there.
///
/// Numbers count only in JSON's spelling. The others are where YAML's versions and its readers disagree (`0443` is 443
/// to one and 291 to the next), so they are refused.
pub(super) fn plain(word: Cow<'_, str>) -> Value<'_> {
    match word.as_ref() {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        other if is_json_number(other) => Value::Number(word),
        other if is_number(other) => Value::OddNumber(word),
        _ => Value::Text(word),
    }
}

/// RFC 8259 §6.
fn is_json_number(word: &str) -> bool {
    let digits = word.strip_prefix('-').unwrap_or(word);
    let leading_zero = digits.starts_with('0') && digits.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
    !leading_zero && decimal(digits).is_some_and(|parts| parts.whole && parts.fraction != Some(false))
}

/// Tells whether YAML's core schema reads the word as an integer or a float.
fn is_number(word: &str) -> bool {
    let radix = |prefix, radix| {
        word.strip_prefix(prefix)
            .is_some_and(|digits: &str| !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix)))
    };
    if radix("0x", 16) || radix("0o", 8) {
        return true;
    }
    let unsigned = word.strip_prefix(['-', '+']).unwrap_or(word);
    matches!(unsigned, ".inf" | ".Inf" | ".INF")
        || matches!(word, ".nan" | ".NaN" | ".NAN")
        || decimal(unsigned).is_some_and(|parts| parts.whole || parts.fraction == Some(true))
}

/// A decimal number without its sign.
struct Decimal {
    /// There are digits before the point.
    whole: bool,
    /// There is a point, and digits behind it or not.
    fraction: Option<bool>,
}

fn decimal(word: &str) -> Option<Decimal> {
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let (mantissa, exponent) = match word.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))),
        None => (word, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let good = all_digits(whole)
        && all_digits(fraction.unwrap_or_default())
        && exponent.is_none_or(|digits| !digits.is_empty() && all_digits(digits));
    good.then(|| Decimal { whole: !whole.is_empty(), fraction: fraction.map(|digits| !digits.is_empty()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(word: &str) -> &'static str {
        match plain(Cow::Borrowed(word)) {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Number(_) => "number",
            Value::Text(_) => "text",
            Value::OddNumber(_) | Value::Tagged => "unsupported",
            Value::List(_) | Value::Map(_) => "collection",
        }
    }

    #[test]
    fn words_are_read_by_the_core_schema_of_yaml_1_2() {
        let table = [
            ("null", &["", "~", "null", "Null", "NULL"] as &[&str]),
            ("bool", &["true", "True", "TRUE", "false", "False", "FALSE"]),
            ("number", &["0", "443", "-1", "1.5", "1e3", "1.5E-3", "-0"]),
            ("text", &["yes", "no", "on", "off", "y", "nUll", "tRue", "2027-01-31T00:00:00Z", "1_000", "1:30"]),
            ("text", &["-", ".", "+", "e3", "1e", "0x", "0xg", "0o8", "1.2.3", "10.0.0.0/8", "x1", "-.e1", "."]),
            ("unsupported", &["0443", "-01", "+1", "0x1F", "0o17", ".5", "5.", "1.e3", ".inf", "-.Inf", ".nan", "00"]),
        ];
        for (expected, words) in table {
            for word in words {
                assert_eq!(kind(word), expected, "{word:?}");
            }
        }
    }

    #[test]
    fn what_counts_as_a_number_is_one_to_a_json_reader() {
        for word in ["0", "443", "-1", "1.5", "1e3", "1.5E-3", "-0", "123456789012345678901234567890"] {
            assert_eq!(kind(word), "number");
            assert!(serde_json::from_str::<serde_json::Number>(word).is_ok(), "{word:?}");
        }
    }
}
