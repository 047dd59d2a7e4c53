//! Dates and times: every form a database keeps them in, and the one form the wire wants, `YYYY-MM-DDTHH:MM:SS`.

/// Seconds of a day.
pub(super) const DAY: i64 = 86_400;

/// Years that fit the wire's form and can be meant: open ends are often kept as 9999-12-31.
const YEARS: std::ops::RangeInclusive<i64> = 1900..=9999;

/// A time as it was written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// On a wall clock: seconds since 1970-01-01T00:00:00 on that clock.
    Local(i64),
    /// A date without a time: its midnight, in seconds since 1970-01-01T00:00:00 on that clock.
    Day(i64),
    /// With a zone: seconds since 1970-01-01T00:00:00Z.
    Instant(i64),
}

/// The calendar date of a day since 1970-01-01 (Gregorian, proleptic).
pub fn civil(days: i64) -> (i64, u32, u32) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = (of_year - (153 * month_from_march + 2) / 5 + 1) as u32;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 } as u32;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The day since 1970-01-01 of a calendar date; none if the date does not exist.
fn days(year: i64, month: u32, day: u32) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(leap),
        _ => return None,
    };
    if day == 0 || day > length {
        return None;
    }
    let shifted_year = year - i64::from(month <= 2);
    let era = shifted_year.div_euclid(400);
    let year_of_era = shifted_year.rem_euclid(400);
    let month_from_march = i64::from((month + 9) % 12);
    let of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
    Some(era * 146_097 + of_era - 719_468)
}

/// Writes times, remembering the date it wrote last: neighbouring rows mostly share it.
#[derive(Debug, Clone)]
pub struct TimeWriter {
    day: i64,
    date: [u8; 11],
}

impl Default for TimeWriter {
    fn default() -> Self {
        TimeWriter { day: i64::MIN, date: *b"0000-00-00T" }
    }
}

impl TimeWriter {
    /// Appends `YYYY-MM-DDTHH:MM:SS` of a wall clock's reading. False, and nothing written, if the year is out of range.
    pub fn write(&mut self, seconds: i64, out: &mut Vec<u8>) -> bool {
        let day = seconds.div_euclid(DAY);
        if day != self.day && !self.turn_to(day) {
            return false;
        }
        let rest = seconds.rem_euclid(DAY) as u32;
        out.extend_from_slice(&self.date);
        let (hour, minute, second) = (two(rest / 3600), two(rest / 60 % 60), two(rest % 60));
        out.extend_from_slice(&[hour[0], hour[1], b':', minute[0], minute[1], b':', second[0], second[1]]);
        true
    }

    fn turn_to(&mut self, day: i64) -> bool {
        if day.abs() > 10_000 * 366 {
            return false;
        }
        let (year, month, of_month) = civil(day);
        if !YEARS.contains(&year) {
            return false;
        }
        let (century, of_century) = (two((year / 100) as u32), two((year % 100) as u32));
        let (month, of_month) = (two(month), two(of_month));
        self.date[..4].copy_from_slice(&[century[0], century[1], of_century[0], of_century[1]]);
        self.date[5..7].copy_from_slice(&month);
        self.date[8..10].copy_from_slice(&of_month);
        self.day = day;
        true
    }
}

/// Appends an offset as `+05:00`.
pub fn write_offset(seconds: i64, out: &mut Vec<u8>) {
    out.push(if seconds < 0 { b'-' } else { b'+' });
    let minutes = (seconds.unsigned_abs() / 60) as u32;
    out.extend_from_slice(&two(minutes / 60));
    out.push(b':');
    out.extend_from_slice(&two(minutes % 60));
}

fn two(value: u32) -> [u8; 2] {
    [b'0' + (value / 10 % 10) as u8, b'0' + (value % 10) as u8]
}

/// Reads a written time: `YYYY-MM-DD` or `DD.MM.YYYY`, then optionally a time of day with seconds and fractions (cut off), then
/// optionally a zone (`Z`, `+05`, `+05:00`, `+0500`).
pub fn parse(text: &str) -> Option<Written> {
    let mut rest = Reader(text.trim_ascii().as_bytes());
    let date = rest.date()?;
    if rest.0.is_empty() {
        return Some(Written::Day(date * DAY));
    }
    if !(rest.take(b'T') || rest.take(b't') || rest.take(b' ')) {
        return None;
    }
    let local = date * DAY + rest.time_of_day()?;
    rest.take(b' ');
    if rest.0.is_empty() {
        return Some(Written::Local(local));
    }
    let offset = rest.offset()?;
    rest.0.is_empty().then_some(Written::Instant(local - offset))
}

/// The part of a text not yet read.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take(&mut self, byte: u8) -> bool {
        let taken = self.0.first() == Some(&byte);
        if taken {
            self.0 = &self.0[1..];
        }
        taken
    }

    fn digits(&mut self, count: usize) -> Option<u32> {
        let digits = self.0.get(..count)?;
        let value = digits
            .iter()
            .try_fold(0u32, |value, byte| byte.is_ascii_digit().then(|| value * 10 + u32::from(byte - b'0')))?;
        self.0 = &self.0[count..];
        Some(value)
    }

    fn date(&mut self) -> Option<i64> {
        let dotted = self.0.get(2) == Some(&b'.');
        let (year, month, day) = if dotted {
            let day = self.digits(2)?;
            let month = self.take(b'.').then(|| self.digits(2))??;
            let year = self.take(b'.').then(|| self.digits(4))??;
            (year, month, day)
        } else {
            let year = self.digits(4)?;
            let month = self.take(b'-').then(|| self.digits(2))??;
            let day = self.take(b'-').then(|| self.digits(2))??;
            (year, month, day)
        };
        days(i64::from(year), month, day)
    }

    fn time_of_day(&mut self) -> Option<i64> {
        let hour = self.digits(2)?;
        let minute = self.take(b':').then(|| self.digits(2))??;
        let second = if self.take(b':') { self.digits(2)? } else { 0 };
        if self.take(b'.') || self.take(b',') {
            let fraction = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if fraction == 0 {
                return None;
            }
            self.0 = &self.0[fraction..];
        }
        (hour < 24 && minute < 60 && second < 60).then(|| i64::from(hour * 3600 + minute * 60 + second))
    }

    fn offset(&mut self) -> Option<i64> {
        if self.take(b'Z') || self.take(b'z') {
            return Some(0);
        }
        let sign = if self.take(b'+') {
            1
        } else if self.take(b'-') {
            -1
        } else {
            return None;
        };
        let hours = self.digits(2)?;
        self.take(b':');
        let minutes = if self.0.is_empty() { 0 } else { self.digits(2)? };
        (hours < 24 && minutes < 60).then(|| sign * i64::from(hours * 3600 + minutes * 60))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(seconds: i64) -> String {
        let mut out = Vec::new();
        assert!(TimeWriter::default().write(seconds, &mut out));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_written_form_reads_as_the_same_moment() {
        let expected = Some(Written::Local(1_711_602_000));
        for text in [
            "2024-03-28T05:00:00",
            "2024-03-28 05:00:00",
            "2024-03-28 05:00",
            "28.03.2024 05:00:00",
            " 2024-03-28 05:00:00.123 ",
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
        for text in
            ["2024-03-28T05:00:00Z", "2024-03-28T10:00:00+05:00", "2024-03-28 10:00:00+05", "2024-03-28T00:30:00-0430"]
        {
            assert_eq!(parse(text), Some(Written::Instant(1_711_602_000)), "{text}");
        }
    }

    #[test]
    fn a_bare_date_is_its_midnight() {
        assert_eq!(parse("1970-01-02"), Some(Written::Day(86_400)));
    }

    #[test]
    fn dates_that_do_not_exist_are_refused() {
        for text in [
            "",
            "2023-02-29",
            "2024-13-01",
            "2024-00-01",
            "2024-01-32",
            "2024-01-01T24:00:00",
            "2024-01-01T10:60",
            "2024-01-01x",
            "20240101",
            "1.1.2024",
            "2024-01-01T10:00:00+05:00x",
            "infinity",
            "0000-00-00",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn writing_and_reading_agree_over_four_centuries() {
        let mut writer = TimeWriter::default();
        for day in (-20_000..130_000).step_by(7) {
            let seconds = day * DAY + 12 * 3600 + 34 * 60 + 56;
            let mut out = Vec::new();
            assert!(writer.write(seconds, &mut out));
            let text = String::from_utf8(out).unwrap();
            assert_eq!(parse(&text), Some(Written::Local(seconds)), "{text}");
        }
    }

    #[test]
    fn the_wire_form_has_neither_zone_nor_fraction() {
        assert_eq!(written(1_711_602_000), "2024-03-28T05:00:00");
    }

    #[test]
    fn years_that_nobody_means_are_not_written() {
        for seconds in [i64::MIN, i64::MAX, -62_135_596_800, 253_402_300_800] {
            assert!(!TimeWriter::default().write(seconds, &mut Vec::new()), "{seconds}");
        }
    }

    #[test]
    fn offsets_are_written_with_sign_and_colon() {
        let mut out = Vec::new();
        write_offset(5 * 3600, &mut out);
        write_offset(-(3600 + 1800), &mut out);
        assert_eq!(out, b"+05:00-01:30");
    }
}
