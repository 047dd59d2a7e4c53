//! Keys that cannot be read, as a person may see them: the row has to be found, and a key may be a name or a person's number by mistake.

use super::{Cell, Key};

/// Most characters that are shown.
const MOST: usize = 64;
/// Characters that are shown of a key that may name a person.
const TAIL: usize = 2;

/// What is shown of a key that cannot be read; none where the cell is empty or has no text to show. Where rows tell of persons, letters and
/// digits are masked but the last two; of a text so short that two would tell most of it, all are.
pub(super) fn shown(cell: Cell<'_>, persons: bool) -> Option<Key> {
    let text = match cell {
        Cell::Text(text) | Cell::Decimal(text) => text.trim().to_owned(),
        cell => cell.to_text()?,
    };
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MOST).collect();
    let text = if persons { masked(&text) } else { text };
    (!text.trim().is_empty()).then(|| Key::Text(text.into()))
}

fn masked(text: &str) -> String {
    let telling = text.chars().filter(|c| c.is_alphanumeric()).count();
    let hidden = if telling > 2 * TAIL { telling - TAIL } else { telling };
    let mut seen = 0;
    let mask = |c: char| {
        seen += usize::from(c.is_alphanumeric());
        if c.is_alphanumeric() && seen <= hidden { '*' } else { c }
    };
    text.chars().map(mask).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str, persons: bool) -> Option<String> {
        shown(Cell::Text(text), persons).map(|key| key.to_string())
    }

    #[test]
    fn a_key_of_no_person_is_shown_as_it_is() {
        for text in ["slot-17", "12345678", "Кабинет 5", "ab7cbc4b-2e68-40d2-881b-6f957b04481"] {
            assert_eq!(told(text, false).as_deref(), Some(text));
        }
        assert_eq!(shown(Cell::Int(17), false).map(|key| key.to_string()).as_deref(), Some("17"));
        assert_eq!(told(&"я".repeat(100), false), Some("я".repeat(MOST)));
        assert_eq!(told("a\nb", false).as_deref(), Some("a b"));
    }

    #[test]
    fn of_a_persons_key_the_last_two_characters_and_the_punctuation_are_shown() {
        for (text, shown) in [
            ("112-233-445 95", "***-***-*** 95"),
            ("11223344595", "*********95"),
            ("Иванов Иван", "****** **ан"),
            ("ab7cbc4b-2e68", "********-**68"),
            ("Ли", "**"),
            ("Цой1", "****"),
        ] {
            assert_eq!(told(text, true).as_deref(), Some(shown), "{text}");
        }
    }

    #[test]
    fn an_empty_key_shows_nothing() {
        for cell in [Cell::Null, Cell::Text("  "), Cell::Undecodable] {
            assert_eq!(shown(cell, false), None, "{cell:?}");
        }
    }
}
