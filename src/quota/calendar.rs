//! Calendar windows in UTC.

use time::{Date, Month};

/// A kind of calendar window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Calendar {
    /// From second 0 to second 0.
    Minute,
    /// From minute 0 to minute 0.
    Hour,
    /// From midnight to midnight.
    Day,
    /// From Monday to Monday.
    Week,
    /// From the first to the first.
    Month,
}

const SECOND: u64 = 1_000_000_000;
const DAY: u64 = 86_400;

impl Calendar {
    /// All of them.
    pub const ALL: [Calendar; 5] = [Calendar::Minute, Calendar::Hour, Calendar::Day, Calendar::Week, Calendar::Month];

    /// `minute`, `hour`, `day`, `week` or `month`.
    pub fn as_str(self) -> &'static str {
        match self {
            Calendar::Minute => "minute",
            Calendar::Hour => "hour",
            Calendar::Day => "day",
            Calendar::Week => "week",
            Calendar::Month => "month",
        }
    }

    /// The number of the window that holds a moment, in nanoseconds since 1970. Windows are numbered without a gap.
    pub fn window(self, time: u64) -> u32 {
        let seconds = time.div_euclid(SECOND);
        let days = seconds.div_euclid(DAY);
        let number = match self {
            Calendar::Minute => seconds.div_euclid(60),
            Calendar::Hour => seconds.div_euclid(3600),
            Calendar::Day => days,
            // 1970 began on a Thursday.
            Calendar::Week => days.saturating_add(3).div_euclid(7),
            Calendar::Month => month(days),
        };
        // The year 2554, at which the clock ends, is minute 307 million.
        u32::try_from(number).unwrap_or(u32::MAX)
    }

    /// The end of a window, in nanoseconds since 1970; the clock's end where it ends later.
    pub fn end(self, window: u32) -> u64 {
        let next = u64::from(window).saturating_add(1);
        let seconds = match self {
            Calendar::Minute => next.saturating_mul(60),
            Calendar::Hour => next.saturating_mul(3600),
            Calendar::Day => next.saturating_mul(DAY),
            Calendar::Week => next.saturating_mul(7).saturating_sub(3).saturating_mul(DAY),
            Calendar::Month => first_of(next).saturating_mul(DAY),
        };
        seconds.saturating_mul(SECOND)
    }
}

/// Months since January 1970; the last number where the calendar ends before.
fn month(days: u64) -> u64 {
    let date = i32::try_from(days).ok().and_then(|days| Date::from_julian_day(EPOCH.checked_add(days)?).ok());
    date.and_then(|date| {
        let years = u64::try_from(date.year().checked_sub(1970)?).ok()?;
        years.checked_mul(12)?.checked_add(u64::from(u8::from(date.month())))?.checked_sub(1)
    })
    .unwrap_or(u64::MAX)
}

/// Days from 1970-01-01 to the first of a month, given in months since January 1970; the last number where the calendar ends before.
fn first_of(month: u64) -> u64 {
    let year = i32::try_from(month.div_euclid(12)).ok().and_then(|years| years.checked_add(1970));
    let month = u8::try_from(month.rem_euclid(12)).ok().and_then(|month| Month::try_from(month.checked_add(1)?).ok());
    let first = year.zip(month).and_then(|(year, month)| Date::from_calendar_date(year, month, 1).ok());
    first.and_then(|date| u64::try_from(date.to_julian_day().checked_sub(EPOCH)?).ok()).unwrap_or(u64::MAX)
}

/// Julian day of 1970-01-01.
const EPOCH: i32 = 2_440_588;

#[cfg(test)]
mod tests {
    use super::*;
    use time::OffsetDateTime;

    /// As a date library sees it: what all moments of a window have in common.
    fn label(calendar: Calendar, time: OffsetDateTime) -> [i64; 5] {
        let (year, month, day) = (i64::from(time.year()), i64::from(u8::from(time.month())), i64::from(time.day()));
        let (hour, minute) = (i64::from(time.hour()), i64::from(time.minute()));
        match calendar {
            Calendar::Minute => [year, month, day, hour, minute],
            Calendar::Hour => [year, month, day, hour, 0],
            Calendar::Day => [year, month, day, 0, 0],
            Calendar::Week => {
                let (year, week, _) = time.to_iso_week_date();
                [i64::from(year), i64::from(week), 0, 0, 0]
            }
            Calendar::Month => [year, month, 0, 0, 0],
        }
    }

    fn date(nanoseconds: u64) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp((nanoseconds / SECOND) as i64).unwrap()
    }

    #[test]
    fn windows_are_those_of_the_calendar_from_1970_to_the_end_of_the_clock() {
        let mut random = fastrand::Rng::with_seed(7);
        for calendar in Calendar::ALL {
            let mut moments: Vec<u64> = (0..20_000).map(|_| random.u64(..)).collect();
            moments.extend([0, 1, DAY * SECOND - 1, DAY * SECOND, 4 * DAY * SECOND, u64::MAX]);
            for moment in moments {
                let window = calendar.window(moment);
                let end = calendar.end(window);
                assert!(end > moment || end == u64::MAX, "{calendar:?} {moment}");
                assert_eq!(label(calendar, date(moment)), label(calendar, date(end.saturating_sub(1))), "{moment}");
                if end < u64::MAX {
                    assert_eq!(calendar.window(end), window + 1, "{calendar:?} {moment}");
                    assert_ne!(label(calendar, date(end)), label(calendar, date(moment)), "{calendar:?} {moment}");
                }
            }
        }
    }

    #[test]
    fn every_month_begins_where_the_one_before_ends() {
        for month in 0..7000 {
            let end = first_of(month + 1);
            assert_eq!(super::month(end), month + 1);
            assert_eq!(super::month(end - 1), month);
        }
    }

    #[test]
    fn weeks_begin_on_monday() {
        let monday = time::Date::from_calendar_date(2026, time::Month::November, 23).unwrap().midnight().assume_utc();
        let monday = u64::try_from(monday.unix_timestamp()).unwrap() * SECOND;
        assert_eq!(Calendar::Week.window(monday), Calendar::Week.window(monday - 1) + 1);
        assert_eq!(Calendar::Week.end(Calendar::Week.window(monday)), monday + 7 * DAY * SECOND);
    }
}
