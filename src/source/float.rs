//! Binary floating point numbers as cells.

use crate::record::{Cell, RowChunk};

/// Appends a float. A number that is none is handed on as text, so that a check refuses it.
pub(super) fn push_float(value: f64, chunk: &mut RowChunk) {
    match value {
        value if value.is_finite() => chunk.push(Cell::Float(value)),
        value if value.is_nan() => chunk.push(Cell::Text("NaN")),
        value if value > 0.0 => chunk.push(Cell::Text("infinity")),
        _ => chunk.push(Cell::Text("-infinity")),
    }
}

/// The double that prints as the float prints: 0.1 stays 0.1.
pub(super) fn widen(value: f32) -> f64 {
    if value.is_finite() { value.to_string().parse().unwrap_or(f64::NAN) } else { value.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_float_keeps_the_digits_it_was_stored_with() {
        assert_eq!(widen(0.1), 0.1);
        assert_eq!(widen(f32::INFINITY), f64::INFINITY);
    }
}
