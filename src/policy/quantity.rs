//! A whole number and its unit, as one word: `10GiB`, `250ms`.

use super::finding::{Findings, code};

/// A unit's only spelling, and what it is worth.
pub(super) type Units = [(&'static str, u64)];

/// The reason why a text is no quantity.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// No number, a number in another form, or no known unit.
    Form,
    Zero,
    /// More than 64 bits hold.
    TooLarge,
}

/// Value of a text.
pub(super) fn measure(text: &str, units: &Units) -> Result<u64, Wrong> {
    let (digits, unit) = split(text);
    let is_plain = digits == "0" || !digits.is_empty() && !digits.starts_with('0');
    let worth = units.iter().find(|(known, _)| *known == unit).filter(|_| is_plain).map(|(_, worth)| *worth);
    let worth = worth.ok_or(Wrong::Form)?;
    // digits alone: what cannot be read is too large
    let number: u64 = digits.parse().map_err(|_| Wrong::TooLarge)?;
    match number.checked_mul(worth) {
        Some(0) => Err(Wrong::Zero),
        Some(whole) => Ok(whole),
        None => Err(Wrong::TooLarge),
    }
}

/// The right spelling of what somebody probably meant; `aliases` are other words for units, in lower case.
pub(super) fn meant(text: &str, units: &Units, aliases: &[(&str, &str)]) -> Option<String> {
    let (digits, unit) = split(text.trim());
    let digits = digits.trim_start_matches('0');
    let unit = unit.trim_start().to_ascii_lowercase();
    let known = units.iter().map(|(known, _)| *known).find(|known| known.to_ascii_lowercase() == unit);
    let alias = || aliases.iter().find(|(alias, _)| *alias == unit).map(|(_, known)| *known);
    let unit = known.or_else(alias).filter(|_| !digits.is_empty())?;
    Some(format!("{digits}{unit}"))
}

/// The digits that a text begins with, and the rest.
pub(super) fn split(text: &str) -> (&str, &str) {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    text.split_at_checked(digits).unwrap_or((text, ""))
}

/// An amount of nothing.
pub(super) fn zero<T>(text: &str, findings: &mut Findings<'_>) -> Option<T> {
    let fix = "write at least 1; what lets nothing through is a `deny` entry".to_owned();
    findings.error(code::VALUE, format!("`{text}` lets nothing through"), fix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const UNITS: &Units = &[("s", 1), ("m", 60), ("kB", 1000)];

    #[test]
    fn a_quantity_has_one_spelling() {
        assert_eq!(measure("7m", UNITS), Ok(420));
        for text in ["", "7", "m", "07m", "00m", "7M", "7 m", " 7m", "7m ", "+7m", "-7m", "7.5m", "7_0m", "7mm", "٧m"]
        {
            assert_eq!(measure(text, UNITS), Err(Wrong::Form), "{text:?}");
        }
        assert_eq!(measure("0m", UNITS), Err(Wrong::Zero));
    }

    #[test]
    fn what_64_bits_do_not_hold_is_too_large() {
        assert_eq!(measure("18446744073709551615s", UNITS), Ok(u64::MAX));
        for text in ["18446744073709551616s", "307445734561825861m", "99999999999999999999999999999999999999999m"] {
            assert_eq!(measure(text, UNITS), Err(Wrong::TooLarge), "{text}");
        }
    }

    #[test]
    fn a_slip_is_told_from_nonsense() {
        for (text, expected) in [
            ("7M", Some("7m")),
            (" 07 KB", Some("7kB")),
            ("7min", Some("7m")),
            ("7", None),
            ("0x", None),
            ("m", None),
            ("7.5m", None),
        ] {
            assert_eq!(meant(text, UNITS, &[("min", "m")]).as_deref(), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_what_is_read(number in 1_u64.., (unit, worth) in proptest::sample::select(UNITS)) {
            let expected = number.checked_mul(worth).ok_or(Wrong::TooLarge);
            prop_assert_eq!(measure(&format!("{number}{unit}"), UNITS), expected);
        }

        #[test]
        fn what_is_meant_is_a_quantity(text in "[ 0-9]{0,4}[smkBKMb ]{0,3}") {
            if let Some(meant) = meant(&text, UNITS, &[]) {
                prop_assert!(measure(&meant, UNITS).is_ok());
            }
        }
    }
}
