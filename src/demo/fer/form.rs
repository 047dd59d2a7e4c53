//! Forms of single values, as appendix 1 describes them: GUIDs, times, SNILS, OIDs, enums.

use chrono::{DateTime, NaiveDateTime};
use serde_json::Value;
use uuid::Uuid;

/// The form that the document gives a field.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    /// «GUID. Формат: нижний регистр, через дефис».
    Guid,
    /// `string(n)`, n in characters.
    Text(usize),
    /// OID: groups of digits between dots, `string(n)`.
    Oid(usize),
    /// `integer`, at least one. The document prints slot durations as numbers and as text: both are taken.
    Minutes,
    /// `number`.
    Price,
    /// One of the listed words.
    OneOf(&'static [&'static str]),
    /// Some of the listed words, separated by commas.
    SomeOf(&'static [&'static str]),
    /// One of the listed numbers, as `integer`.
    Code(&'static [i64]),
    /// «YYYY-MM-DDTHH:MI:SS», with an offset or without.
    Time,
    /// Eleven digits with right check digits.
    Snils,
}

impl Form {
    /// What is wrong with a value, as the second half of a sentence about the field. Never repeats the value.
    pub(super) fn fault(self, value: &Value) -> Option<String> {
        let fits = match self {
            Form::Guid => value.as_str().is_some_and(|text| guid(text).is_some()),
            Form::Text(limit) => value.as_str().is_some_and(|text| text.chars().count() <= limit),
            Form::Oid(limit) => value.as_str().is_some_and(|text| text.len() <= limit && is_oid(text)),
            Form::Minutes => minutes(value).is_some_and(|minutes| minutes > 0),
            Form::Price => value.as_f64().is_some_and(|price| price >= 0.0),
            Form::OneOf(words) => value.as_str().is_some_and(|text| words.contains(&text)),
            Form::SomeOf(words) => value.as_str().is_some_and(|text| text.split(',').all(|word| words.contains(&word))),
            Form::Code(codes) => value.as_i64().is_some_and(|code| codes.contains(&code)),
            Form::Time => value.as_str().is_some_and(|text| time(text).is_some()),
            Form::Snils => value.as_str().is_some_and(is_snils),
        };
        (!fits).then(|| self.demand())
    }

    fn demand(self) -> String {
        match self {
            Form::Guid => "должно быть GUID в нижнем регистре, через дефис".to_owned(),
            Form::Text(usize::MAX) => "должно быть строкой".to_owned(),
            Form::Text(limit) => format!("должно быть строкой не длиннее {limit} символов"),
            Form::Oid(limit) => format!("должно быть OID не длиннее {limit} символов"),
            Form::Minutes => "должно быть целым числом больше нуля".to_owned(),
            Form::Price => "должно быть неотрицательным числом".to_owned(),
            Form::OneOf(_) | Form::Code(_) => "содержит недопустимое значение".to_owned(),
            Form::SomeOf(_) => "содержит недопустимое значение в списке через запятую".to_owned(),
            Form::Time => "должно иметь формат YYYY-MM-DDTHH:MI:SS".to_owned(),
            Form::Snils => "должно содержать 11 цифр СНИЛС с верной контрольной суммой".to_owned(),
        }
    }
}

/// Reads a GUID in the document's form only.
pub(super) fn guid(text: &str) -> Option<u128> {
    let value = Uuid::try_parse(text).ok()?;
    let mut buffer = Uuid::encode_buffer();
    (value.hyphenated().encode_lower(&mut buffer) == text).then(|| value.as_u128())
}

/// Prints a GUID in the document's form.
pub(super) fn print_guid(key: u128) -> String {
    Uuid::from_u128(key).hyphenated().to_string()
}

/// Reads a time: seconds since 1970-01-01T00:00:00 on the clock it is given in, taken for UTC without an offset.
pub(super) fn time(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.len() < 19 || bytes.get(10) != Some(&b'T') {
        return None;
    }
    match bytes.len() {
        19 => NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S").ok().map(|time| time.and_utc().timestamp()),
        _ => DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp()),
    }
}

/// Reads a number of minutes from either printed form.
fn minutes(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        other => other.as_i64(),
    }
}

fn is_oid(text: &str) -> bool {
    text.contains('.') && text.split('.').all(|group| !group.is_empty() && group.bytes().all(|b| b.is_ascii_digit()))
}

/// Eleven digits; above 001-001-998 the last two are the check digits of the first nine.
fn is_snils(text: &str) -> bool {
    if text.len() != 11 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let (number, given) = text.split_at(9);
    if number <= "001001998" {
        return true;
    }
    given == format!("{:02}", snils_check(number))
}

/// The check digits that belong to nine digits: their sum weighted 9 to 1, modulo 101, where 100 counts as 0.
fn snils_check(number: &str) -> u32 {
    let sum: u32 = number.bytes().zip((1..=9).rev()).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    sum % 101 % 100
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn guids_are_taken_in_lower_case_with_hyphens_only() {
        let good = "ab7cbc4b-2e68-40d2-881b-6f957b044818";
        assert!(guid(good).is_some());
        for bad in [good.to_uppercase(), good.replace('-', ""), format!("{{{good}}}"), String::new()] {
            assert_eq!(guid(&bad), None, "{bad}");
        }
    }

    #[test]
    fn times_need_the_letter_and_must_exist() {
        assert_eq!(time("1970-01-02T00:00:00"), Some(86_400));
        assert_eq!(time("1970-01-01T05:00:00+05:00"), Some(0));
        for bad in
            ["2023-10-01 09:00:00", "20.10.2023 08:00:00", "2023-02-30T00:00:00", "2023-10-01", "2023-10-01T9:00:00"]
        {
            assert_eq!(time(bad), None, "{bad}");
        }
    }

    #[test]
    fn snils_are_checked_above_the_old_numbers() {
        assert!(is_snils("11223344595"));
        assert!(is_snils("00100199800"));
        for bad in ["11223344594", "112-233-445 95", "1122334459", ""] {
            assert!(!is_snils(bad), "{bad}");
        }
    }

    #[test]
    fn lengths_are_counted_in_characters() {
        assert_eq!(Form::Text(3).fault(&json!("ЁЖЗ")), None);
        assert!(Form::Text(3).fault(&json!("ЁЖЗИ")).is_some());
        assert!(Form::Text(3).fault(&json!(12)).is_some());
    }

    #[test]
    fn numbers_keep_their_kind() {
        assert_eq!(Form::Minutes.fault(&json!(20)), None);
        assert_eq!(Form::Minutes.fault(&json!("20")), None);
        for bad in [json!(20.5), json!(0), json!("twenty"), json!("")] {
            assert!(Form::Minutes.fault(&bad).is_some(), "{bad}");
        }
        assert_eq!(Form::Code(&[5000]).fault(&json!(5000)), None);
        assert!(Form::Code(&[5000]).fault(&json!("5000")).is_some());
    }

    #[test]
    fn lists_are_joined_by_bare_commas() {
        let form = Form::SomeOf(&["EPGU", "REGISTRY"]);
        assert_eq!(form.fault(&json!("EPGU,REGISTRY")), None);
        assert!(form.fault(&json!("EPGU, REGISTRY")).is_some());
        assert!(form.fault(&json!("EPGU,")).is_some());
    }
}
