//! Amounts that a quota allows: numbers, and amounts of bytes.

use super::decode::{Shape, Text};
use super::finding::{Findings, code};
use super::quantity::{Units, Wrong, meant, measure, zero};

/// A number of requests.
#[derive(Debug)]
pub(super) struct Count(pub(super) u64);

impl<'de> Shape<'de> for Count {
    const EXPECTED: &'static str = "a number of requests";

    fn number(number: u64, findings: &mut Findings<'de>) -> Option<Self> {
        positive(number, findings).map(Count)
    }
}

/// An amount of bytes: a number, or `10GiB`.
#[derive(Debug)]
pub(super) struct Bytes(pub(super) u64);

const UNITS: &Units = &[
    ("B", 1),
    ("kB", 1000),
    ("MB", 1000_u64.pow(2)),
    ("GB", 1000_u64.pow(3)),
    ("TB", 1000_u64.pow(4)),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

const ALIASES: &[(&str, &str)] = &[
    ("", "B"),
    ("byte", "B"),
    ("bytes", "B"),
    ("k", "kB"),
    ("m", "MB"),
    ("g", "GB"),
    ("t", "TB"),
    ("ki", "KiB"),
    ("mi", "MiB"),
    ("gi", "GiB"),
    ("ti", "TiB"),
];

impl<'de> Shape<'de> for Bytes {
    const EXPECTED: &'static str = "an amount of bytes";

    fn number(number: u64, findings: &mut Findings<'de>) -> Option<Self> {
        positive(number, findings).map(Bytes)
    }

    fn text(text: Text<'de>, findings: &mut Findings<'de>) -> Option<Self> {
        bytes(&text, findings).map(Bytes)
    }
}

/// Burst: the amount that may come at once, in the unit of the limit.
#[derive(Debug)]
pub(super) struct Burst {
    pub(super) amount: u64,
    /// It was given as an amount of bytes.
    pub(super) is_bytes: bool,
}

impl<'de> Shape<'de> for Burst {
    const EXPECTED: &'static str = "a number, or an amount of bytes";

    fn number(number: u64, findings: &mut Findings<'de>) -> Option<Self> {
        Some(Burst { amount: positive(number, findings)?, is_bytes: false })
    }

    fn text(text: Text<'de>, findings: &mut Findings<'de>) -> Option<Self> {
        Some(Burst { amount: bytes(&text, findings)?, is_bytes: true })
    }
}

fn positive(number: u64, findings: &mut Findings<'_>) -> Option<u64> {
    if number == 0 { zero("0", findings) } else { Some(number) }
}

fn bytes(text: &str, findings: &mut Findings<'_>) -> Option<u64> {
    match measure(text, UNITS) {
        Ok(amount) => Some(amount),
        Err(Wrong::Zero) => zero(text, findings),
        Err(Wrong::TooLarge) => {
            let fix = format!("{} bytes is the most", u64::MAX);
            findings.error(code::LIMIT, format!("`{text}` is more than can be counted"), fix)
        }
        Err(Wrong::Form) => {
            let fix = match meant(text, UNITS, ALIASES) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => {
                    "write a whole number and `B`, `kB`, `MB`, `GB`, `TB`, `KiB`, `MiB`, `GiB` or `TiB`, as in `10GiB`"
                        .to_owned()
                }
            };
            findings.error(code::VALUE, format!("`{text}` is no amount of bytes"), fix)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    fn read(text: &str) -> Result<u64, String> {
        let mut findings = Findings::default();
        let read = <Bytes as Shape<'_>>::text(Text(Cow::Borrowed(text)), &mut findings);
        read.map(|bytes| bytes.0).ok_or_else(|| findings.into_rejection(String::new()).to_string())
    }

    #[test]
    fn units_of_bytes_are_powers_of_1000_and_of_1024() {
        for (text, expected) in [
            ("1B", 1),
            ("10kB", 10_000),
            ("3MB", 3_000_000),
            ("10GB", 10_000_000_000),
            ("2TB", 2_000_000_000_000),
            ("1KiB", 1024),
            ("5MiB", 5 * 1024 * 1024),
            ("10GiB", 10 * 1024 * 1024 * 1024),
            ("16TiB", 16 * 1024 * 1024 * 1024 * 1024),
            ("18446744073709551615B", u64::MAX),
        ] {
            assert_eq!(read(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_slip_in_a_unit_is_refused_with_what_was_meant() {
        for (text, meant) in [
            ("10gib", "10GiB"),
            ("10GIB", "10GiB"),
            ("10 GiB", "10GiB"),
            ("10G", "10GB"),
            ("10Gi", "10GiB"),
            ("10gb", "10GB"),
            ("10KB", "10kB"),
            ("10kiB", "10KiB"),
            ("10b", "10B"),
            ("10 bytes", "10B"),
            ("1000", "1000B"),
            ("010GiB", "10GiB"),
        ] {
            assert_eq!(read(text), Err(format!("`{text}` is no amount of bytes; did you mean `{meant}`?")));
        }
        for text in ["", "GiB", "1.5GiB", "1PiB", "10GiBs", "ten", "-1GiB", "1e3B", "0x10B", "10Gb/s"] {
            let message = read(text).unwrap_err();
            assert!(message.starts_with(&format!("`{text}` is no amount of bytes; write a whole number")), "{message}");
        }
    }

    #[test]
    fn nothing_and_too_much_are_no_amounts() {
        let nothing = "lets nothing through; write at least 1; what lets nothing through is a `deny` entry";
        assert_eq!(read("0GiB"), Err(format!("`0GiB` {nothing}")));
        assert_eq!(read("0B"), Err(format!("`0B` {nothing}")));
        let most = "is more than can be counted; 18446744073709551615 bytes is the most";
        assert_eq!(read("16777216TiB"), Err(format!("`16777216TiB` {most}")));
        assert_eq!(read("18446744073709551616B"), Err(format!("`18446744073709551616B` {most}")));
    }
}
