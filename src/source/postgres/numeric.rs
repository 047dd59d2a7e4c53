//! PostgreSQL's binary `numeric`: groups of four decimal digits, to decimal text without an exponent.

use std::fmt::Write as _;

use super::binary::Malformed;
use crate::record::Cell;

/// Most digits behind the point that a number can have.
const MOST_SCALE: u16 = 0x3fff;
/// The largest group: four nines.
const LARGEST: u16 = 9999;
const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xc000;
const INFINITY: u16 = 0xd000;
const MINUS_INFINITY: u16 = 0xf000;

/// Reads a numeric into `text`. What is no number becomes text, so that a check refuses it.
pub(super) fn read<'a>(field: &[u8], text: &'a mut String) -> Result<Cell<'a>, Malformed> {
    let (head, groups) = field.split_first_chunk::<8>().ok_or(Malformed)?;
    let [c0, c1, w0, w1, s0, s1, d0, d1] = *head;
    let (count, weight) = (u16::from_be_bytes([c0, c1]), i16::from_be_bytes([w0, w1]));
    let scale = u16::from_be_bytes([d0, d1]);
    let (groups, odd) = groups.as_chunks::<2>();
    let is_group = |pair: &[u8; 2]| u16::from_be_bytes(*pair) <= LARGEST;
    if groups.len() != usize::from(count) || !odd.is_empty() || scale > MOST_SCALE || !groups.iter().all(is_group) {
        return Err(Malformed);
    }
    let negative = match u16::from_be_bytes([s0, s1]) {
        0 => false,
        NEGATIVE => true,
        NAN => return Ok(Cell::Text("NaN")),
        INFINITY => return Ok(Cell::Text("infinity")),
        MINUS_INFINITY => return Ok(Cell::Text("-infinity")),
        _ => return Err(Malformed),
    };
    let group = |power: i32| {
        let index = usize::try_from(i32::from(weight) - power).ok()?;
        groups.get(index).map(|pair| u16::from_be_bytes(*pair))
    };
    write(text, negative, weight.into(), scale.into(), |power| group(power).unwrap_or(0));
    Ok(Cell::Decimal(text))
}

/// Writing to a string cannot fail, so the results of `write!` say nothing.
fn write(text: &mut String, negative: bool, weight: i32, scale: usize, group: impl Fn(i32) -> u16) {
    text.clear();
    if negative {
        text.push('-');
    }
    let _ = write!(text, "{}", group(weight.max(0)));
    for power in (0..weight.max(0)).rev() {
        let _ = write!(text, "{:04}", group(power));
    }
    if scale > 0 {
        text.push('.');
        let end = text.len() + scale;
        let mut power = -1;
        while text.len() < end {
            let _ = write!(text, "{:04}", group(power));
            power -= 1;
        }
        text.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numeric(groups: &[u16], weight: i16, sign: u16, scale: u16) -> Vec<u8> {
        let mut field = Vec::new();
        field.extend((groups.len() as u16).to_be_bytes());
        field.extend(weight.to_be_bytes());
        field.extend(sign.to_be_bytes());
        field.extend(scale.to_be_bytes());
        groups.iter().for_each(|group| field.extend(group.to_be_bytes()));
        field
    }

    #[test]
    fn numbers_print_as_postgresql_prints_them() {
        for (field, text) in [
            (numeric(&[], 0, 0, 0), "0"),
            (numeric(&[], 0, 0, 2), "0.00"),
            (numeric(&[12, 5000], 0, NEGATIVE, 2), "-12.50"),
            (numeric(&[1], 2, 0, 0), "100000000"),
            (numeric(&[112, 3344, 5595], 2, 0, 0), "11233445595"),
            (numeric(&[5], -2, 0, 8), "0.00000005"),
            (numeric(&[1, 0, 100], 0, 0, 6), "1.000001"),
        ] {
            assert_eq!(read(&field, &mut String::new()), Ok(Cell::Decimal(text)), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_text() {
        assert_eq!(read(&numeric(&[], 0, NAN, 0), &mut String::new()), Ok(Cell::Text("NaN")));
        assert_eq!(read(&numeric(&[], 0, INFINITY, 0), &mut String::new()), Ok(Cell::Text("infinity")));
    }

    #[test]
    fn a_group_of_more_than_four_digits_or_a_scale_beyond_the_format_is_refused() {
        assert_eq!(read(&numeric(&[1, 10_000], 1, 0, 0), &mut String::new()), Err(Malformed));
        assert_eq!(read(&numeric(&[1], 0, 0, MOST_SCALE + 1), &mut String::new()), Err(Malformed));
    }

    #[test]
    fn a_field_of_the_wrong_length_is_refused() {
        assert_eq!(read(&numeric(&[1, 2], 0, 0, 0)[..9], &mut String::new()), Err(Malformed));
        assert_eq!(read(&[0; 3], &mut String::new()), Err(Malformed));
    }
}
