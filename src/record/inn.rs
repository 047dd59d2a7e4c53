//! INN, the number of a taxpayer: ten digits for a legal entity, twelve for a person, the last one or two of them check digits.

/// True for ten or twelve digits whose check digits are right.
pub fn is_valid(text: &str) -> bool {
    let Some(digits) =
        text.bytes().map(|byte| byte.is_ascii_digit().then(|| u32::from(byte - b'0'))).collect::<Option<Vec<u32>>>()
    else {
        return false;
    };
    let check = |weights: &[u32]| {
        let sum: u32 = digits.iter().zip(weights).map(|(digit, weight)| digit * weight).sum();
        digits.get(weights.len()) == Some(&(sum % 11 % 10))
    };
    match digits.len() {
        10 => check(&[2, 4, 10, 3, 5, 9, 4, 6, 8]),
        12 => check(&[7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) && check(&[3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8]),
        _ => false,
    }
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
