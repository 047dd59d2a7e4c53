//! SNILS, the insurance number of a person: eleven digits, the last two of them a check sum.

/// Numbers up to this one were given out before the check sum existed.
const UNCHECKED_UP_TO: u64 = 1_001_998;

/// Reads a SNILS from text: eleven digits, with or without the printed form's hyphens and spaces.
pub fn from_text(text: &str) -> Option<[u8; 11]> {
    let mut digits = [0u8; 11];
    let mut count = 0;
    for byte in text.trim_ascii().bytes() {
        match byte {
            b'0'..=b'9' => {
                *digits.get_mut(count)? = byte;
                count += 1;
            }
            b'-' | b' ' => {}
            _ => return None,
        }
    }
    (count == 11 && is_valid(&digits)).then_some(digits)
}

/// Reads a SNILS from a numeric column, which has lost the leading zeros.
pub fn from_number(number: i64) -> Option<[u8; 11]> {
    if !(1..=99_999_999_999).contains(&number) {
        return None;
    }
    let mut digits = [b'0'; 11];
    let mut rest = number;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    is_valid(&digits).then_some(digits)
}

fn is_valid(digits: &[u8; 11]) -> bool {
    let value =
        |range: std::ops::Range<usize>| digits[range].iter().fold(0u64, |sum, d| sum * 10 + u64::from(d - b'0'));
    let number = value(0..9);
    if number <= UNCHECKED_UP_TO {
        return number > 0;
    }
    let sum: u64 = digits[..9].iter().zip((1..=9).rev()).map(|(d, weight)| u64::from(d - b'0') * weight).sum();
    sum % 101 % 100 == value(9..11)
}

/// Nine digits with their check sum behind them.
pub fn checked(number: &[u8]) -> Vec<u8> {
    let sum: u64 = number.iter().zip((1..=9).rev()).map(|(digit, weight)| u64::from(digit - b'0') * weight).sum();
    let check = sum % 101 % 100;
    [number, &[b'0' + (check / 10) as u8, b'0' + (check % 10) as u8]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_valid_number_is_read_in_every_form() {
        for text in ["11223344595", "112-233-445 95", " 112 233 445 95 "] {
            assert_eq!(from_text(text).as_ref(), Some(b"11223344595"), "{text}");
        }
        assert_eq!(from_number(11_223_344_595).as_ref(), Some(b"11223344595"));
    }

    #[test]
    fn a_number_that_lost_its_zeros_gets_them_back() {
        // 087-654-303 00: the sum is 202, so the check is 0.
        assert_eq!(from_number(8_765_430_300).as_ref(), Some(b"08765430300"));
        assert_eq!(from_text("8765430300"), None);
    }

    #[test]
    fn wrong_check_digits_and_other_texts_are_refused() {
        for text in ["11223344594", "1122334459", "112233445955", "1122334459x", "", "00000000000"] {
            assert_eq!(from_text(text), None, "{text}");
        }
        assert_eq!(from_number(0), None);
        assert_eq!(from_number(-11_223_344_595), None);
    }

    #[test]
    fn old_numbers_have_no_check_sum() {
        assert!(from_text("00100199899").is_some());
        assert!(from_text("00100199999").is_none());
    }
}
