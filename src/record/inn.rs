//! INN, the number of a taxpayer: ten digits for a legal entity, twelve for a person, the last one or two of them check digits.

/// True for ten or twelve digits whose check digits are right.
pub fn is_valid(text: &str) -> bool {
    let Some(digits) =
        text.bytes().map(|byte| byte.is_ascii_digit().then(|| u32::from(byte - b'0'))).collect::<Option<Vec<u32>>>()
    else {
        return false;
    };
    let check = |weights: &[u32]| digits.get(weights.len()) == Some(&check_digit(&digits, weights));
    match digits.len() {
        10 => check(&LEGAL),
        12 => check(&PERSON[1..]) && check(&PERSON),
        _ => false,
    }
}

/// Weights of the digits before the check digit of a legal entity.
const LEGAL: [u32; 9] = [2, 4, 10, 3, 5, 9, 4, 6, 8];
/// Those before the second check digit of a person; without the first of them, those before the first one.
const PERSON: [u32; 11] = [3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8];

fn check_digit(digits: &[u32], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(digit, weight)| digit * weight).sum::<u32>() % 11 % 10
}

/// Nine digits of a legal entity, or ten of a person, with their check digits behind them.
pub fn checked(number: Vec<u8>) -> String {
    let mut digits: Vec<u32> = number.into_iter().map(|digit| u32::from(digit - b'0')).collect();
    if digits.len() == LEGAL.len() {
        digits.push(check_digit(&digits, &LEGAL));
    } else {
        digits.push(check_digit(&digits, &PERSON[1..]));
        digits.push(check_digit(&digits, &PERSON));
    }
    digits.into_iter().filter_map(|digit| char::from_digit(digit, 10)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits_are_checked_for_both_lengths() {
        for good in ["7707083893", "500100732259"] {
            assert!(is_valid(good), "{good}");
        }
        for bad in
            ["7707083894", "500100732258", "500100732269", "1313123131", "770708389", "77070838931", "770708389а", ""]
        {
            assert!(!is_valid(bad), "{bad}");
        }
    }
}
