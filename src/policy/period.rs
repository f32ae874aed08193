//! Periods that a limit is counted over: a stretch of time, or a window of the calendar.

use super::decode::{Shape, Text};
use super::finding::{Findings, code, nearest};
use super::quantity::{Units, Wrong, meant, measure, split};
use crate::quota::Calendar;

/// `per`.
#[derive(Debug)]
pub(super) enum Period<'a> {
    /// The limit is a rate.
    Duration(Duration<'a>),
    /// The limit holds inside each window.
    Window(Calendar),
}

/// A stretch of time.
#[derive(Debug)]
pub(super) struct Duration<'a> {
    /// As the policy writes it.
    pub(super) text: Text<'a>,
    pub(super) nanoseconds: u64,
}

const HOUR: u64 = 3_600_000_000_000;

const UNITS: &Units = &[("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000), ("h", HOUR)];

const ALIASES: &[(&str, &str)] = &[
    ("msec", "ms"),
    ("sec", "s"),
    ("second", "s"),
    ("seconds", "s"),
    ("min", "m"),
    ("minute", "m"),
    ("minutes", "m"),
    ("hr", "h"),
    ("hour", "h"),
    ("hours", "h"),
];

/// Words for windows that are not the language's.
const OTHER_WORDS: [(&str, &str); 6] = [
    ("minutely", "minute"),
    ("hourly", "hour"),
    ("daily", "day"),
    ("weekly", "week"),
    ("monthly", "month"),
    ("second", "1s"),
];

impl Duration<'_> {
    /// The calendar window of an hour or more that is as long: one of them was probably meant.
    pub(super) fn as_window(&self) -> Option<Calendar> {
        if self.nanoseconds.checked_rem(HOUR) != Some(0) {
            return None;
        }
        match self.nanoseconds.div_euclid(HOUR) {
            1 => Some(Calendar::Hour),
            24 => Some(Calendar::Day),
            168 => Some(Calendar::Week),
            // 30 and 31 days
            720 | 744 => Some(Calendar::Month),
            _ => None,
        }
    }
}

impl<'de> Shape<'de> for Period<'de> {
    const EXPECTED: &'static str = "a duration or a calendar window (`1s`, `5m`, `day`)";

    fn number(number: u64, findings: &mut Findings<'de>) -> Option<Self> {
        let fix = (number > 0).then(|| format!("write `{number}s` if these are seconds"));
        findings.error(code::VALUE, format!("`{number}` has no unit of time"), fix)
    }

    fn text(text: Text<'de>, findings: &mut Findings<'de>) -> Option<Self> {
        if let Some(calendar) = Calendar::ALL.into_iter().find(|calendar| calendar.as_str() == &*text) {
            return Some(Period::Window(calendar));
        }
        match measure(&text, UNITS) {
            Ok(nanoseconds) => Some(Period::Duration(Duration { text, nanoseconds })),
            Err(Wrong::Zero) => {
                findings.error(code::VALUE, format!("`{}` is no time at all", &*text), "write `1s`".to_owned())
            }
            Err(Wrong::TooLarge) => too_long(&text, findings),
            Err(Wrong::Form) => {
                let message = format!("`{}` is neither a duration nor a calendar window", &*text);
                findings.error(code::VALUE, message, remedy(&text))
            }
        }
    }
}

/// Nanoseconds of a stretch of time as `per` takes it, such as `250ms`.
pub fn duration(text: &str) -> Option<u64> {
    measure(text, UNITS).ok()
}

fn too_long(text: &str, findings: &mut Findings<'_>) -> Option<Period<'static>> {
    findings.error(code::LIMIT, format!("`{text}` is too long"), "the longest window is `month`".to_owned())
}

/// Says what to write instead.
fn remedy(text: &str) -> String {
    if let Some(meant) = meant(text, UNITS, ALIASES) {
        return format!("did you mean `{meant}`?");
    }
    let lower = text.trim().to_ascii_lowercase();
    let (digits, unit) = split(&lower);
    let word = match unit.trim_start() {
        "d" | "day" | "days" if !digits.is_empty() => Some(("day", 24)),
        "w" | "wk" | "week" | "weeks" if !digits.is_empty() => Some(("week", 168)),
        _ => None,
    };
    if let Some((word, hours)) = word
        && let Some(hours) = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(hours))
        && hours > 0
    {
        return format!("write `{hours}h` for a rate, `{word}` for a calendar window");
    }
    let other = OTHER_WORDS.iter().find(|(other, _)| *other == lower).map(|(_, word)| *word);
    match other.or_else(|| nearest(&lower, &Calendar::ALL.map(Calendar::as_str))) {
        Some(word) => format!("did you mean `{word}`?"),
        None => "write a whole number and `ms`, `s`, `m` or `h` for a rate, as in `1s`; or `minute`, `hour`, `day`, \
                 `week` or `month` for a calendar window"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    fn read(text: &str) -> Result<Period<'_>, String> {
        let mut findings = Findings::default();
        let read = Period::text(Text(Cow::Borrowed(text)), &mut findings);
        read.ok_or_else(|| findings.into_rejection(String::new()).to_string())
    }

    fn refused(text: &str) -> String {
        read(text).map(|_| ()).unwrap_err()
    }

    #[test]
    fn a_duration_is_a_whole_number_of_one_unit() {
        for (text, expected) in [
            ("1ms", 1_000_000),
            ("250ms", 250_000_000),
            ("1s", 1_000_000_000),
            ("90s", 90_000_000_000),
            ("5m", 300_000_000_000),
            ("1h", HOUR),
            ("5124095h", 5_124_095 * HOUR),
        ] {
            let Ok(Period::Duration(duration)) = read(text) else { panic!("{text}") };
            assert_eq!((&*duration.text, duration.nanoseconds), (text, expected));
        }
    }

    #[test]
    fn a_word_is_a_calendar_window() {
        for calendar in Calendar::ALL {
            assert!(matches!(read(calendar.as_str()), Ok(Period::Window(read)) if read == calendar));
        }
    }

    #[test]
    fn what_is_neither_is_refused_with_what_was_meant() {
        for (text, meant) in [
            ("1 s", "1s"),
            ("1S", "1s"),
            ("1sec", "1s"),
            ("5min", "5m"),
            ("5 minutes", "5m"),
            ("1hour", "1h"),
            ("01s", "1s"),
            ("Hour", "hour"),
            ("hours", "hour"),
            ("dya", "day"),
            ("daily", "day"),
            ("second", "1s"),
        ] {
            let expected = format!("`{text}` is neither a duration nor a calendar window; did you mean `{meant}`?");
            assert_eq!(refused(text), expected);
        }
        for (text, meant) in [
            ("1d", "write `24h` for a rate, `day` for a calendar window"),
            ("7 days", "write `168h` for a rate, `day` for a calendar window"),
            ("1w", "write `168h` for a rate, `week` for a calendar window"),
        ] {
            assert!(refused(text).ends_with(meant), "{}", refused(text));
        }
        for text in ["", "s", "1", "1.5s", "1h30m", "P1D", "-1s", "10us", "0d", "99999999999999999999d", "fortnight"] {
            assert!(refused(text).contains("; write a whole number and `ms`"), "{}", refused(text));
        }
    }

    #[test]
    fn no_time_and_too_much_are_no_durations() {
        assert_eq!(refused("0s"), "`0s` is no time at all; write `1s`");
        assert_eq!(refused("5124096h"), "`5124096h` is too long; the longest window is `month`");
        assert_eq!(
            refused("18446744073709551616ms"),
            "`18446744073709551616ms` is too long; the longest window is `month`"
        );
    }

    #[test]
    fn a_duration_as_long_as_a_window_is_known() {
        for (text, window) in [
            ("1h", Some(Calendar::Hour)),
            ("60m", Some(Calendar::Hour)),
            ("3600s", Some(Calendar::Hour)),
            ("3600000ms", Some(Calendar::Hour)),
            ("24h", Some(Calendar::Day)),
            ("1440m", Some(Calendar::Day)),
            ("168h", Some(Calendar::Week)),
            ("720h", Some(Calendar::Month)),
            ("744h", Some(Calendar::Month)),
            ("1s", None),
            ("1m", None),
            ("60s", None),
            ("3599s", None),
            ("2h", None),
            ("25h", None),
        ] {
            let Ok(Period::Duration(duration)) = read(text) else { panic!("{text}") };
            assert_eq!(duration.as_window(), window, "{text}");
        }
    }
}
