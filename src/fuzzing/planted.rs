//! Values that a portal may repeat and that must never be shown.

/// Values of a made-up person; none is a word of another.
pub(crate) const PERSON: [&str; 4] = ["Щукин-Ёлкин", "Феофан", "11223344595", "Zhdanko"];

/// What a password of a made-up account is.
pub(crate) const SECRET: &str = "correct horse 9";

/// A text that is shown holds none of these, in whatever letter case.
pub(crate) fn assert_hidden(shown: &str, values: &[&str]) {
    let lower = shown.to_lowercase();
    for value in values {
        assert!(!lower.contains(&value.to_lowercase()), "{value} is shown in: {shown}");
    }
}
