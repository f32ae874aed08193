//! Calendar windows in UTC.

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

/// Months since January 1970.
///
/// Years are counted from March, so that the leap day comes last: a cycle of 400 years has 146,097 days, and the months
/// from March on have 153 days every five.
fn month(days: u64) -> u64 {
    let days = days.saturating_add(DAYS_BEFORE_1970);
    let (cycle, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let leap_days = day.div_euclid(1460).saturating_add(day.div_euclid(146_096));
    let year = day.saturating_add(day.div_euclid(36_524)).saturating_sub(leap_days).div_euclid(365);
    let day = day.saturating_sub(days_of(year));
    let month = day.saturating_mul(5).saturating_add(2).div_euclid(153);
    let months = cycle.saturating_mul(400).saturating_add(year).saturating_mul(12).saturating_add(month);
    months.saturating_sub(MONTHS_BEFORE_1970)
}

/// Days from 1970-01-01 to the first of a month, given in months since January 1970.
fn first_of(month: u64) -> u64 {
    let months = month.saturating_add(MONTHS_BEFORE_1970);
    let (year, month) = (months.div_euclid(12), months.rem_euclid(12));
    let (cycle, year) = (year.div_euclid(400), year.rem_euclid(400));
    let within = month.saturating_mul(153).saturating_add(2).div_euclid(5);
    let days = cycle.saturating_mul(146_097).saturating_add(days_of(year)).saturating_add(within);
    days.saturating_sub(DAYS_BEFORE_1970)
}

/// Days in so many years of a cycle.
fn days_of(years: u64) -> u64 {
    let leap_days = years.div_euclid(4).saturating_sub(years.div_euclid(100));
    years.saturating_mul(365).saturating_add(leap_days)
}

/// From the first of March of year 0 to 1970-01-01.
const DAYS_BEFORE_1970: u64 = 719_468;
const MONTHS_BEFORE_1970: u64 = 1970 * 12 - 2;

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
