//! Suggestions: the known word that a mistyped one is nearest to.

/// `; did you mean slot?`, or nothing when no known word is near.
pub(super) fn did_you_mean<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> String {
    let given = given.to_lowercase();
    let near = known
        .map(|word| (distance(&given, word), word))
        .filter(|(distance, word)| *distance <= word.chars().count().max(3) / 3)
        .min();
    match near {
        Some((_, word)) => format!("; did you mean {word}?"),
        None => String::new(),
    }
}

/// Fewest insertions, deletions, replacements and swaps of neighbours that make one word of the other.
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in right.iter().enumerate() {
            let mut best = (above[j] + usize::from(a != b)).min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == right[j - 1] && left[i - 1] == *b {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
    }
    above.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_suggested_and_a_far_one_is_not() {
        let known = ["batch", "in_flight", "requests_per_second", "every"];
        assert_eq!(did_you_mean("bacth", known.into_iter()), "; did you mean batch?");
        assert_eq!(did_you_mean("request_per_seconds", known.into_iter()), "; did you mean requests_per_second?");
        assert_eq!(did_you_mean("colour", known.into_iter()), "");
    }

    #[test]
    fn distance_counts_a_swap_as_one() {
        assert_eq!(distance("utc", "uct"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
