//! `--since`: a time that people type.

use jiff::civil::Date;
use jiff::{Timestamp, Zoned};

/// What the verbs show without the option.
pub(super) const DEFAULT: &str = "24h";

const FORMS: &str = "give a duration (30m, 2h, 1h30m, 7d), `today`, a date (2026-01-31) or a time \
                     (2026-01-31T09:00:00Z)";

/// A time that has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Since(Timestamp);

impl Since {
    /// CLOCK_REALTIME in nanoseconds, as the store has it.
    pub(super) fn nanoseconds(self) -> i64 {
        i64::try_from(self.0.as_nanosecond()).unwrap_or(i64::MIN)
    }

    /// For a sentence.
    pub(super) fn shown(self) -> String {
        moment(self.0)
    }
}

/// `2026-01-31 09:00:00 UTC`
pub(super) fn moment(time: Timestamp) -> String {
    time.strftime("%F %T UTC").to_string()
}

/// Reads the option's value. Days are the ones of this machine's time zone.
pub(super) fn since(text: &str) -> Result<Since, String> {
    parse(text, &Zoned::now())
}

fn parse(text: &str, now: &Zoned) -> Result<Since, String> {
    let day_begin = |date: Date| {
        let zoned = date.to_zoned(now.time_zone().clone());
        zoned.map(|zoned| zoned.timestamp()).map_err(short)
    };
    let time = if text == "today" {
        day_begin(now.date())?
    } else if text.ends_with(|c: char| c.is_ascii_alphabetic()) && is_duration(text) {
        let seconds = duration(text)?;
        let begin = now.timestamp().as_second().saturating_sub(seconds);
        Timestamp::from_second(begin).map_err(|_| format!("`{text}` is too long ago"))?
    } else if let Ok(date) = text.parse::<Date>()
        && text.len() == "2026-01-31".len()
    {
        day_begin(date)?
    } else {
        text.parse::<Timestamp>().map_err(|_| FORMS.to_owned())?
    };
    if time > now.timestamp() {
        return Err(format!("{} is in the future", moment(time)));
    }
    Ok(Since(time))
}

fn is_duration(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || b.is_ascii_lowercase())
}

/// Seconds of `1h30m`.
fn duration(text: &str) -> Result<i64, String> {
    let mut total: i64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at(digits);
        let letters = tail.bytes().take_while(u8::is_ascii_lowercase).count();
        let (unit, tail) = tail.split_at(letters);
        let seconds = match unit {
            "s" => 1,
            "m" | "min" => 60,
            "h" => 60 * 60,
            "d" => 24 * 60 * 60,
            "w" => 7 * 24 * 60 * 60,
            _ => {
                return Err(format!(
                    "`{unit}` is no unit: they are s, m, h, d and w, as in 1h30m"
                ));
            }
        };
        let part = number.parse::<i64>().ok();
        total = part
            .and_then(|number| number.checked_mul(seconds))
            .and_then(|part| total.checked_add(part))
            .ok_or_else(|| format!("`{text}` is too long ago"))?;
        rest = tail;
    }
    Ok(total)
}

fn short(error: jiff::Error) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    fn parsed(text: &str) -> Result<String, String> {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        let now = "2026-03-10T01:30:00Z".parse::<Timestamp>().unwrap();
        parse(text, &now.to_zoned(zone)).map(Since::shown)
    }

    #[test]
    fn durations_days_and_times_are_read() {
        for (text, expected) in [
            ("90s", "2026-03-10 01:28:30 UTC"),
            ("30m", "2026-03-10 01:00:00 UTC"),
            ("30min", "2026-03-10 01:00:00 UTC"),
            ("2h", "2026-03-09 23:30:00 UTC"),
            ("1h30m", "2026-03-10 00:00:00 UTC"),
            ("7d", "2026-03-03 01:30:00 UTC"),
            ("2w", "2026-02-24 01:30:00 UTC"),
            ("0s", "2026-03-10 01:30:00 UTC"),
            // 03:30 in this zone, so the day began before midnight UTC.
            ("today", "2026-03-09 22:00:00 UTC"),
            ("2026-03-09", "2026-03-08 22:00:00 UTC"),
            ("2026-03-09T12:00:00Z", "2026-03-09 12:00:00 UTC"),
            ("2026-03-09T12:00:00.5+02:00", "2026-03-09 10:00:00 UTC"),
        ] {
            assert_eq!(parsed(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_that_has_passed_is_told_with_what_to_type() {
        for (text, expected) in [
            ("", "give a duration"),
            ("2", "give a duration"),
            ("yesterday", "give a duration"),
            ("-2h", "give a duration"),
            ("2 h", "give a duration"),
            ("2026-02-30", "give a duration"),
            ("2x", "`x` is no unit: they are s, m, h, d and w"),
            ("2h3", "give a duration"),
            ("2hm", "`hm` is no unit"),
            ("99999999999999999999h", "too long ago"),
            ("9999999w", "too long ago"),
            ("2026-03-10T01:30:01Z", "is in the future"),
            ("2026-03-11", "is in the future"),
        ] {
            let error = parsed(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
