//! Plain values: from what the file or the environment says to a checked value, or a sentence about what is wrong with it.

use std::time::Duration;

use config::ValueKind;
use humantime_serde::re::humantime::{format_duration, parse_duration};
use serde_json::Value as Json;

use super::shape::Scalar;
use super::suggest::did_you_mean;

/// A value as given. What the environment gives is text, whatever it is meant to be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Given<'a> {
    /// From the file: it has a type.
    Typed(&'a ValueKind),
    /// From the environment, or a default: text that may be meant as any type.
    Untyped(&'a str),
}

/// Checks a plain value.
pub(super) fn read(scalar: Scalar, given: Given<'_>) -> Result<Json, String> {
    match scalar {
        Scalar::Text(check) => {
            let text = text(given)?;
            check(text)?;
            Ok(text.into())
        }
        Scalar::Word(words) => word(text(given)?, words),
        Scalar::Integer { min, max } => integer(given, min, max),
        Scalar::Boolean => boolean(given),
        Scalar::Moment => moment(given),
        Scalar::Share => share(given),
        Scalar::Duration { min, max } => duration(text(given)?, min, max),
    }
}

/// The text of a value that must be text and not empty.
pub(super) fn text(given: Given<'_>) -> Result<&str, String> {
    let text = match given {
        Given::Untyped(text) => text,
        Given::Typed(ValueKind::String(text)) => text.as_str(),
        Given::Typed(other) => return Err(format!("expected a text in quotes, found {}", type_name(other))),
    };
    match text.trim() {
        "" => Err("is empty".to_owned()),
        _ => Ok(text),
    }
}

/// What a value is, for messages.
pub(super) fn type_name(kind: &ValueKind) -> &'static str {
    match kind {
        ValueKind::Nil => "nothing",
        ValueKind::Boolean(_) => "true or false",
        ValueKind::I64(_) | ValueKind::I128(_) | ValueKind::U64(_) | ValueKind::U128(_) => "a whole number",
        ValueKind::Float(_) => "a decimal number",
        ValueKind::String(_) => "a text",
        ValueKind::Table(_) => "a table",
        ValueKind::Array(_) => "a list",
    }
}

fn word(text: &str, words: &'static [&'static str]) -> Result<Json, String> {
    if words.contains(&text) {
        return Ok(text.into());
    }
    let suggestion = did_you_mean(text, words.iter().copied());
    Err(format!("{text:?} is none of {}{suggestion}", words.join(", ")))
}

fn integer(given: Given<'_>, min: i64, max: i64) -> Result<Json, String> {
    let number = match given {
        Given::Typed(ValueKind::I64(number)) => *number,
        Given::Typed(other) => return Err(format!("expected a whole number, found {}", type_name(other))),
        Given::Untyped(text) => {
            text.trim().parse().map_err(|_| format!("expected a whole number, found the text {text:?}"))?
        }
    };
    match (min..=max).contains(&number) {
        true => Ok(number.into()),
        false => Err(format!("{number} is out of range: {min} to {max}")),
    }
}

fn boolean(given: Given<'_>) -> Result<Json, String> {
    match given {
        Given::Typed(ValueKind::Boolean(value)) => Ok((*value).into()),
        Given::Typed(other) => Err(format!("expected true or false, found {}", type_name(other))),
        Given::Untyped(text) => {
            let value: bool =
                text.trim().parse().map_err(|_| format!("expected true or false, found the text {text:?}"))?;
            Ok(value.into())
        }
    }
}

/// Seconds or milliseconds since 1970, between 2001 and 2100, as seconds.
fn moment(given: Given<'_>) -> Result<Json, String> {
    const SECONDS: std::ops::RangeInclusive<i64> = 1_000_000_000..=4_102_444_800;
    let number = integer(given, i64::MIN, i64::MAX)?.as_i64().unwrap_or_default();
    let seconds = if SECONDS.contains(&number) { number } else { number.div_euclid(1000) };
    match SECONDS.contains(&seconds) {
        true => Ok(seconds.into()),
        false => Err(format!(
            "{number} is no moment in seconds or milliseconds since 1970; a lifetime does not tell when it began, so write its end, or \
             leave the key out"
        )),
    }
}

fn share(given: Given<'_>) -> Result<Json, String> {
    let share = match given {
        Given::Typed(ValueKind::Float(number)) => *number,
        Given::Typed(ValueKind::I64(number)) => *number as f64,
        Given::Typed(other) => return Err(format!("expected a number, found {}", type_name(other))),
        Given::Untyped(text) => {
            text.trim().parse().map_err(|_| format!("expected a number, found the text {text:?}"))?
        }
    };
    match share > 0.0 && share <= 1.0 {
        true => Ok(share.into()),
        false => Err(format!("{share} is out of range: above 0, at most 1 (0.2 is 20 %)")),
    }
}

fn duration(text: &str, min: Duration, max: Duration) -> Result<Json, String> {
    let duration = parse_duration(text.trim())
        .map_err(|error| format!("{text:?} is not a duration ({error}); write a number and a unit: 30s, 5m, 1h"))?;
    match (min..=max).contains(&duration) {
        true => Ok(text.trim().into()),
        false => Err(format!("{text:?} is out of range: {} to {}", format_duration(min), format_duration(max))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNT: Scalar = Scalar::Integer { min: 1, max: 10 };

    #[test]
    fn the_environment_may_say_a_number_as_text_and_the_file_may_not() {
        assert_eq!(read(COUNT, Given::Untyped("7")), Ok(7.into()));
        let typed = ValueKind::String("7".into());
        assert_eq!(read(COUNT, Given::Typed(&typed)), Err("expected a whole number, found a text".into()));
    }

    #[test]
    fn a_number_outside_its_range_is_named_with_the_range() {
        assert_eq!(read(COUNT, Given::Untyped("0")), Err("0 is out of range: 1 to 10".into()));
        assert!(read(Scalar::Share, Given::Untyped("0")).is_err());
        assert!(read(Scalar::Share, Given::Untyped("1.1")).is_err());
        assert_eq!(read(Scalar::Share, Given::Typed(&ValueKind::I64(1))), Ok(1.0.into()));
    }

    #[test]
    fn a_moment_is_read_in_seconds_and_milliseconds_and_a_lifetime_is_none() {
        for text in ["1502305985425", "1502305985"] {
            assert_eq!(read(Scalar::Moment, Given::Untyped(text)), Ok(1_502_305_985.into()), "{text}");
        }
        for text in ["3600", "0", "-5", "20210425", "999999999999999", "soon"] {
            assert!(read(Scalar::Moment, Given::Untyped(text)).is_err(), "{text}");
        }
        assert!(read(Scalar::Moment, Given::Untyped("3600")).unwrap_err().contains("write its end"));
    }

    #[test]
    fn a_duration_needs_a_unit_and_a_sane_length() {
        let scalar = Scalar::seconds(1, 60);
        assert_eq!(read(scalar, Given::Untyped("30s")), Ok("30s".into()));
        assert!(read(scalar, Given::Untyped("30")).unwrap_err().contains("write a number and a unit"));
        assert_eq!(read(scalar, Given::Untyped("2m")), Err("\"2m\" is out of range: 1s to 1m".into()));
    }

    #[test]
    fn a_wrong_word_gets_a_suggestion() {
        let error = read(Scalar::Word(&["source", "utc"]), Given::Untyped("uct")).unwrap_err();
        assert_eq!(error, "\"uct\" is none of source, utc; did you mean utc?");
    }
}
