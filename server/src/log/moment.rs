//! Moments of the wall clock as people and programs read them, in UTC.
//!
//! Source: RFC 3339; H. Hinnant, "chrono-Compatible Low-Level Date Algorithms" for the days of the proleptic calendar.

use std::fmt::{self, Display, Formatter};
use std::time::{SystemTime, UNIX_EPOCH};

/// A moment, in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment {
    seconds: u64,
    micros: u32,
}

/// Days from the first of March of the year 0 to the first of January 1970.
const DAYS_TO_1970: u64 = 719_468;

/// Days of four hundred years, after which the calendar repeats.
const ERA_DAYS: u64 = 146_097;

impl Moment {
    /// Now; a clock before 1970 counts as 1970.
    pub(crate) fn now() -> Moment {
        let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Moment { seconds: elapsed.as_secs(), micros: elapsed.subsec_micros() }
    }

    /// As it stands in the name of a file: `20261121T153550Z`.
    pub(crate) fn compact(self) -> String {
        let (year, month, day) = self.date();
        let (hour, minute, second) = self.time();
        format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
    }

    fn date(self) -> (u64, u64, u64) {
        // Years begin in March here, so that the odd day of leap years is their last.
        let days = self.seconds / 86_400 + DAYS_TO_1970;
        let (era, day_of_era) = (days / ERA_DAYS, days % ERA_DAYS);
        let leap_days = day_of_era / 1_460 + day_of_era / (ERA_DAYS - 1);
        let year_of_era = (day_of_era - leap_days + day_of_era / 36_524) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        (era * 400 + year_of_era + u64::from(month <= 2), month, day)
    }

    fn time(self) -> (u64, u64, u64) {
        let of_day = self.seconds % 86_400;
        (of_day / 3_600, of_day / 60 % 60, of_day % 60)
    }
}

impl Display for Moment {
    /// As RFC 3339 has it, with microseconds: `2026-11-21T15:35:50.000001Z`.
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.date();
        let (hour, minute, second) = self.time();
        write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:06}Z", self.micros)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_the_calendar_has_them() {
        for (seconds, text, compact) in [
            (0, "1970-01-01T00:00:00.000007Z", "19700101T000000Z"),
            (951_782_399, "2000-02-28T23:59:59.000007Z", "20000228T235959Z"),
            (951_782_400, "2000-02-29T00:00:00.000007Z", "20000229T000000Z"),
            (1_709_251_199, "2024-02-29T23:59:59.000007Z", "20240229T235959Z"),
            (4_107_542_399, "2100-02-28T23:59:59.000007Z", "21000228T235959Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000007Z", "21000301T000000Z"),
            (1_795_275_350, "2026-11-21T15:35:50.000007Z", "20261121T153550Z"),
        ] {
            let moment = Moment { seconds, micros: 7 };
            assert_eq!((moment.to_string().as_str(), moment.compact().as_str()), (text, compact));
        }
    }

    #[test]
    fn every_day_follows_the_one_before_it() {
        let days_of = |year: u64, month| match month {
            2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for number in 0..200_000 {
            let moment = Moment { seconds: number * 86_400, micros: 0 };
            assert_eq!(moment.date(), (year, month, day), "day {number}");
            day += 1;
            if day > days_of(year, month) {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
    }
}
