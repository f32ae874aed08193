//! `limit`: its unit, its amount and what that is counted over; then one gateway's share of it.
//!
//! `replicas` may be read after the quotas, so limits are divided once everything was read.

use super::amount::{Burst, Bytes, Count};
use super::decode::Field;
use super::document::LimitDoc;
use super::finding::{Findings, code};
use super::period::Period;
use crate::quota::{Calendar, Limit, Rate, Unit};
use std::num::NonZeroU32;

/// The limit of a quota, for all gateways together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LimitDraft {
    pub(super) unit: Unit,
    pub(super) amount: u64,
    pub(super) pace: Pace,
}

/// Stretch that an amount is counted over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// So many nanoseconds; what may come at once, if that was said.
    Rate {
        per: u64,
        burst: Option<u64>,
    },
    Window(Calendar),
    /// Nothing: it is what is in flight.
    InFlight,
}

/// The unit that a key of `limit` stands for.
pub(super) fn key(unit: Unit) -> &'static str {
    match unit {
        Unit::Requests => "requests",
        Unit::BytesOut => "bytesOut",
        Unit::BytesIn => "bytesIn",
        Unit::Bytes => "bytes",
        Unit::Concurrent => "concurrent",
    }
}

impl LimitDraft {
    /// Checks a limit, at which the reading stands.
    pub(super) fn read(doc: LimitDoc<'_>, findings: &mut Findings<'_>) -> Option<LimitDraft> {
        let unit = unit(&doc, findings)?;
        let amount = match unit {
            Unit::Requests => doc.requests.good().map(|Count(count)| count),
            Unit::BytesOut => doc.bytes_out.good().map(|Bytes(bytes)| bytes),
            Unit::BytesIn => doc.bytes_in.good().map(|Bytes(bytes)| bytes),
            Unit::Bytes => doc.bytes.good().map(|Bytes(bytes)| bytes),
            Unit::Concurrent => doc.concurrent.good().map(|Count(count)| count),
        };
        let pace = if unit == Unit::Concurrent {
            let over_time = [("per", doc.per.is_absent()), ("burst", doc.burst.is_absent())];
            for (key, _) in over_time.iter().filter(|(_, absent)| !absent) {
                let fix = "what is in flight has neither `per` nor `burst`; remove it, or limit `requests`".to_owned();
                findings.error_in(key, code::COMBINATION, format!("`{key}` stands beside `concurrent`"), fix);
            }
            Some(Pace::InFlight)
        } else if doc.per.is_absent() {
            let fix = "say over what: `per: 1s` and the like for a rate, `per: day` and the like for a calendar window";
            findings.error(code::MISSING, "`per` is missing", fix.to_owned())
        } else {
            doc.per.good().and_then(|per| pace(unit, per, doc.burst, findings))
        };
        Some(LimitDraft { unit, amount: amount?, pace: pace? })
    }

    /// The share of one gateway. None where a burst would take too long to pay.
    pub(super) fn divide(&self, replicas: NonZeroU32) -> Option<Limit> {
        Some(match self.pace {
            Pace::Rate { per, .. } => {
                Limit::Rate(Rate::new(self.unit, self.amount, per, self.share(replicas), replicas.get())?)
            }
            Pace::Window(calendar) => Limit::Window(calendar, self.share(replicas)),
            Pace::InFlight => Limit::Concurrent(self.share(replicas)),
        })
    }

    /// Amount that all gateways together allow at once, in a window, or at a time.
    pub(super) fn whole(&self) -> u64 {
        match self.pace {
            Pace::Rate { burst, .. } => burst.unwrap_or(self.amount),
            Pace::Window(_) | Pace::InFlight => self.amount,
        }
    }

    /// One gateway's share of it: rounded down, but at least 1.
    pub(super) fn share(&self, replicas: NonZeroU32) -> u64 {
        self.whole().div_euclid(u64::from(replicas.get())).max(1)
    }
}

/// The one unit that is given.
fn unit(doc: &LimitDoc<'_>, findings: &mut Findings<'_>) -> Option<Unit> {
    let mut given = [
        (Unit::Requests, doc.requests.is_absent()),
        (Unit::BytesOut, doc.bytes_out.is_absent()),
        (Unit::BytesIn, doc.bytes_in.is_absent()),
        (Unit::Bytes, doc.bytes.is_absent()),
        (Unit::Concurrent, doc.concurrent.is_absent()),
    ]
    .into_iter()
    .filter(|(_, absent)| !absent)
    .map(|(unit, _)| unit);
    match (given.next(), given.next()) {
        (Some(unit), None) => Some(unit),
        (Some(first), Some(second)) => {
            let message = format!("the limit has several units: `{}` and `{}`", key(first), key(second));
            findings.error(code::COMBINATION, message, "give each a quota of its own".to_owned())
        }
        (None, _) => {
            let fix = "give one of `requests`, `bytesOut`, `bytesIn`, `bytes` and `concurrent`".to_owned();
            findings.error(code::MISSING, "the limit limits nothing", fix)
        }
    }
}

/// Result of `per` and `burst`.
fn pace(unit: Unit, per: Period<'_>, burst: Field<Burst>, findings: &mut Findings<'_>) -> Option<Pace> {
    let duration = match per {
        Period::Duration(duration) => duration,
        Period::Window(calendar) if burst.is_absent() => return Some(Pace::Window(calendar)),
        Period::Window(calendar) => {
            let message = format!("`burst` stands beside the calendar window `{}`", calendar.as_str());
            let fix = "a window allows its whole limit at once; remove `burst`, or give `per` a duration for a rate";
            findings.error_in("burst", code::COMBINATION, message, fix.to_owned());
            return None;
        }
    };
    let per = duration.nanoseconds;
    match burst {
        Field::Absent => {
            if let Some(window) = duration.as_window() {
                let message = format!("`{}` is a rate: within it up to twice the limit may pass", &*duration.text);
                let fix =
                    format!("for a calendar window write `per: {}`; if a rate is meant, give `burst`", window.as_str());
                findings.advise_in("per", code::RATE_OR_WINDOW, message, fix);
            }
            Some(Pace::Rate { per, burst: None })
        }
        Field::Good(burst) if burst.is_bytes && !unit.is_bytes() => {
            let message = format!("`burst` is an amount of bytes, and the limit counts `{}`", key(unit));
            findings.error_in("burst", code::COMBINATION, message, "write a number".to_owned());
            None
        }
        Field::Good(burst) => Some(Pace::Rate { per, burst: Some(burst.amount) }),
        Field::Bad => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;

    const SECOND: u64 = 1_000_000_000;

    fn policy(replicas: u32, limit: &str) -> String {
        let quota = format!(r#"{{"id":"q","limit":{limit}}}"#);
        // Kubernetes sorts keys: `replicas` comes after `quotas`
        format!(r#"{{"name":"p","quotas":[{quota}],"replicas":{replicas},"version":1}}"#)
    }

    fn limit(replicas: u32, limit: &str) -> Limit {
        let policy = Policy::load(policy(replicas, limit).as_bytes()).unwrap();
        policy.quotas()[0].quota.limit
    }

    fn refused(limit: &str) -> Vec<String> {
        let rejection = Policy::load(policy(1, limit).as_bytes()).unwrap_err();
        rejection.findings.iter().map(|finding| format!("{} {finding}", finding.code)).collect()
    }

    fn advice(replicas: u32, limit: &str) -> Vec<String> {
        let (_, advice) = Policy::load_with_advice(policy(replicas, limit).as_bytes()).unwrap();
        advice.iter().map(|finding| format!("{} {finding}", finding.code)).collect()
    }

    #[test]
    fn a_duration_makes_a_rate_whose_burst_is_the_limit_unless_given() {
        for (text, unit, amount, per, burst) in [
            (r#"{"requests":100,"per":"1s"}"#, Unit::Requests, 100, SECOND, 100),
            (r#"{"requests":100,"per":"250ms","burst":7}"#, Unit::Requests, 100, SECOND / 4, 7),
            (r#"{"bytesOut":"10MiB","per":"1m"}"#, Unit::BytesOut, 10 << 20, 60 * SECOND, 10 << 20),
            (r#"{"bytesIn":1000,"per":"1m","burst":"2kB"}"#, Unit::BytesIn, 1000, 60 * SECOND, 2000),
            (r#"{"bytes":"1kB","per":"1m","burst":5}"#, Unit::Bytes, 1000, 60 * SECOND, 5),
        ] {
            assert_eq!(limit(1, text), Limit::Rate(Rate::new(unit, amount, per, burst, 1).unwrap()), "{text}");
        }
    }

    #[test]
    fn a_word_makes_a_window_and_concurrent_neither() {
        assert_eq!(limit(1, r#"{"requests":5,"per":"hour"}"#), Limit::Window(Calendar::Hour, 5));
        assert_eq!(limit(1, r#"{"bytes":"1GiB","per":"month"}"#), Limit::Window(Calendar::Month, 1 << 30));
        assert_eq!(limit(1, r#"{"concurrent":5}"#), Limit::Concurrent(5));
    }

    #[test]
    fn replicas_divide_rates_exactly_and_the_rest_rounded_down_to_at_least_1() {
        let rate = |burst| Limit::Rate(Rate::new(Unit::Requests, 100, SECOND, burst, 3).unwrap());
        assert_eq!(limit(3, r#"{"requests":100,"per":"1s"}"#), rate(33));
        assert_eq!(limit(3, r#"{"requests":100,"per":"1s","burst":200}"#), rate(66));
        assert_eq!(limit(3, r#"{"requests":100,"per":"1s","burst":2}"#), rate(1));
        assert_eq!(limit(3, r#"{"requests":100,"per":"day"}"#), Limit::Window(Calendar::Day, 33));
        assert_eq!(limit(3, r#"{"requests":2,"per":"day"}"#), Limit::Window(Calendar::Day, 1));
        assert_eq!(limit(3, r#"{"concurrent":8}"#), Limit::Concurrent(2));
        assert_eq!(limit(3, r#"{"concurrent":1}"#), Limit::Concurrent(1));
    }

    #[test]
    fn a_limit_has_one_unit() {
        let none = "TG004 quotas[0].limit: the limit limits nothing; give one of `requests`, `bytesOut`, `bytesIn`, \
                    `bytes` and `concurrent`";
        assert_eq!(refused("{}"), [none]);
        assert_eq!(refused(r#"{"per":"1s"}"#), [none]);
        let two = "TG007 quotas[0].limit: the limit has several units: `requests` and `bytes`; give each a quota of its \
                   own";
        assert_eq!(refused(r#"{"bytes":"1GB","requests":1,"per":"1s"}"#), [two]);
        assert_eq!(
            refused(r#"{"request":1,"per":"1s"}"#),
            ["TG002 quotas[0].limit.request: unknown key `request`; did you mean `requests`?", none]
        );
    }

    #[test]
    fn a_limit_has_per_unless_it_is_concurrent() {
        for unit in [r#""requests":1"#, r#""bytes":1,"burst":1"#] {
            assert_eq!(
                refused(&format!("{{{unit}}}")),
                [
                    "TG004 quotas[0].limit: `per` is missing; say over what: `per: 1s` and the like for a rate, `per: day` \
                  and the like for a calendar window"
                ]
            );
        }
        let fix = "what is in flight has neither `per` nor `burst`; remove it, or limit `requests`";
        assert_eq!(
            refused(r#"{"concurrent":1,"per":"1s","burst":1}"#),
            [
                format!("TG007 quotas[0].limit.per: `per` stands beside `concurrent`; {fix}"),
                format!("TG007 quotas[0].limit.burst: `burst` stands beside `concurrent`; {fix}"),
            ]
        );
    }

    #[test]
    fn only_a_rate_has_a_burst_and_in_its_own_unit() {
        assert_eq!(
            refused(r#"{"requests":1,"per":"day","burst":2}"#),
            [
                "TG007 quotas[0].limit.burst: `burst` stands beside the calendar window `day`; a window allows its whole \
              limit at once; remove `burst`, or give `per` a duration for a rate"
            ]
        );
        assert_eq!(
            refused(r#"{"requests":1,"per":"1s","burst":"2kB"}"#),
            ["TG007 quotas[0].limit.burst: `burst` is an amount of bytes, and the limit counts `requests`; write a \
              number"]
        );
    }

    #[test]
    fn nothing_is_no_amount() {
        let nothing = "`0` lets nothing through; write at least 1; what lets nothing through is a `deny` entry";
        for (text, key) in [
            (r#"{"requests":0,"per":"1s"}"#, "requests"),
            (r#"{"bytesOut":0,"per":"1s"}"#, "bytesOut"),
            (r#"{"bytesIn":0,"per":"day"}"#, "bytesIn"),
            (r#"{"bytes":0,"per":"1s"}"#, "bytes"),
            (r#"{"concurrent":0}"#, "concurrent"),
            (r#"{"requests":1,"per":"1s","burst":0}"#, "burst"),
        ] {
            assert_eq!(refused(text), [format!("TG006 quotas[0].limit.{key}: {nothing}")], "{text}");
        }
        assert_eq!(refused(r#"{"bytes":"0GB","per":"1s"}"#).len(), 1);
    }

    #[test]
    fn values_of_other_types_are_refused_where_they_stand() {
        for (text, expected) in [
            (r#"{"requests":"100","per":"1s"}"#, "requests: expected a number of requests, found a string"),
            (
                r#"{"requests":1.5,"per":"1s"}"#,
                "requests: expected a number of requests, found a number with a fraction",
            ),
            (r#"{"requests":-1,"per":"1s"}"#, "requests: expected a number of requests, found a negative number"),
            (r#"{"bytes":[1],"per":"1s"}"#, "bytes: expected an amount of bytes, found a list"),
            (r#"{"bytes":null,"per":"1s"}"#, "bytes: expected an amount of bytes, found null"),
            (r#"{"bytes":1,"per":60}"#, "per: `60` has no unit of time; write `60s` if these are seconds"),
            (r#"{"bytes":1,"per":null}"#, "per: expected a duration or a calendar window"),
            (
                r#"{"bytes":1,"per":"1s","burst":true}"#,
                "burst: expected a number, or an amount of bytes, found a boolean",
            ),
            (r#"{"bytes":1,"per":"1s","burst":"1gib"}"#, "burst: `1gib` is no amount of bytes; did you mean `1GiB`?"),
            (r#"{"bytes":1,"per":"1s","per":"1s"}"#, "per: the key `per` is given twice"),
        ] {
            let refused = refused(text);
            let [finding] = refused.as_slice() else { panic!("{refused:?}") };
            assert!(finding.contains(&format!("quotas[0].limit.{expected}")), "{finding}");
        }
        assert_eq!(refused("5"), ["TG005 quotas[0].limit: expected a map with a unit and `per`, found a number"]);
    }

    #[test]
    fn what_takes_centuries_to_pay_is_refused() {
        let long = "TG014 quotas[0].limit: the limit's burst would take more than 146 years to pay; shorten `per`, or \
                    lower `burst` or `replicas`";
        assert_eq!(refused(r#"{"requests":1,"per":"1h","burst":2000000}"#), [long]);
        assert_eq!(refused(r#"{"requests":1,"per":"2000000h"}"#), [long]);
        assert_eq!(refused(r#"{"bytes":1,"per":"1h","burst":"18446744073709551615B"}"#), [long]);
        // as far as it goes
        limit(1, r#"{"requests":1,"per":"1h","burst":1000000}"#);
        limit(1, r#"{"bytes":"18446744073709551615B","per":"1ms"}"#);
        limit(u32::MAX, r#"{"requests":1000000000,"per":"1s"}"#);
        limit(u32::MAX, r#"{"requests":18446744073709551615,"per":"month"}"#);
        // one gateway's burst of 1 is worth `replicas` times as long
        let rejection = Policy::load(policy(2_000_000, r#"{"requests":1,"per":"1h"}"#).as_bytes()).unwrap_err();
        assert_eq!(rejection.findings[0].pointer, "quotas[0].limit");
    }

    #[test]
    fn a_rate_as_long_as_a_calendar_window_is_pointed_out() {
        for (per, window) in [("1h", "hour"), ("60m", "hour"), ("24h", "day"), ("168h", "week"), ("720h", "month")] {
            assert_eq!(
                advice(1, &format!(r#"{{"requests":10,"per":"{per}"}}"#)),
                [format!(
                    "TG101 quotas[0].limit.per: `{per}` is a rate: within it up to twice the limit may pass; for a \
                     calendar window write `per: {window}`; if a rate is meant, give `burst`"
                )]
            );
            assert_eq!(advice(1, &format!(r#"{{"requests":10,"per":"{per}","burst":10}}"#)), [""; 0]);
        }
        for per in ["1s", "1m", "60s", "2h", "hour", "day"] {
            assert_eq!(advice(1, &format!(r#"{{"requests":10,"per":"{per}"}}"#)), [""; 0], "{per}");
        }
    }

    #[test]
    fn what_replicas_make_of_a_limit_is_said_where_it_is_not_what_was_written() {
        let said = |limit, expected: &str| {
            let advice = advice(3, limit);
            assert_eq!(advice, [format!("TG102 quotas[0].limit: each of the 3 `replicas` allows {expected}")]);
        };
        let rounded = "write a multiple of 3 to keep all of it";
        said(r#"{"requests":100,"per":"1s"}"#, &format!("bursts of 33, which makes 99 in all and not 100; {rounded}"));
        said(
            r#"{"requests":100,"per":"1s","burst":200}"#,
            &format!("bursts of 66, which makes 198 in all and not 200; {rounded}"),
        );
        said(r#"{"requests":1000,"per":"day"}"#, &format!("333 a day, which makes 999 in all and not 1000; {rounded}"));
        said(r#"{"requests":100,"per":"hour"}"#, &format!("33 an hour, which makes 99 in all and not 100; {rounded}"));
        said(r#"{"concurrent":10}"#, &format!("3 at a time, which makes 9 in all and not 10; {rounded}"));
        let least = "no gateway can allow less than 1: write at least 3, or lower `replicas`";
        said(r#"{"concurrent":2}"#, &format!("1 at a time, which makes 3 in all and not 2; {least}"));
        said(r#"{"bytes":2,"per":"day"}"#, &format!("1 a day, which makes 3 in all and not 2; {least}"));
        for limit in [
            r#"{"requests":100,"per":"1s","burst":300}"#,
            r#"{"requests":999,"per":"day"}"#,
            r#"{"concurrent":3}"#,
            r#"{"bytes":"10GiB","per":"day"}"#,
        ] {
            assert_eq!(advice(3, limit), [""; 0], "{limit}");
        }
        assert_eq!(advice(1, r#"{"requests":100,"per":"1s"}"#), [""; 0]);
    }
}
