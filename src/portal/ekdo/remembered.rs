//! A memory of bounded size. When it is full, a new thing takes the place of one that is drawn by lot: rows are read in the same order
//! again and again, and of such a sequence the oldest is just what is needed next.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Remembers a number of things by their keys.
pub(super) struct Remembered<K, V> {
    most: usize,
    places: HashMap<Arc<K>, usize>,
    things: Vec<(Arc<K>, V)>,
    rng: Box<StdRng>,
}

impl<K: Eq + Hash, V> Remembered<K, V> {
    /// A memory of so many things, at least one.
    pub fn new(most: usize) -> Self {
        // Whose place is taken is of no interest to anybody outside.
        let rng = Box::new(StdRng::seed_from_u64(0));
        Remembered { most: most.max(1), places: HashMap::new(), things: Vec::new(), rng }
    }

    /// What is remembered under a key.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.things.get(*self.places.get(key)?).map(|(_, thing)| thing)
    }

    /// Remembers a thing, instead of another if there is no place left.
    pub fn insert(&mut self, key: K, thing: V) {
        let known = self.places.get(&key).copied();
        let place = known.or_else(|| (self.things.len() >= self.most).then(|| self.rng.random_range(0..self.most)));
        let key = Arc::new(key);
        let Some(old) = place.and_then(|place| self.things.get_mut(place)) else {
            self.places.insert(Arc::clone(&key), self.things.len());
            return self.things.push((key, thing));
        };
        let (forgotten, _) = std::mem::replace(old, (Arc::clone(&key), thing));
        self.places.remove(&forgotten);
        self.places.extend(place.map(|place| (key, place)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memory_that_is_too_small_still_helps_at_each_round() {
        let mut memory = Remembered::new(100);
        for round in 0..5 {
            let mut known = 0;
            for file in 0..120 {
                match memory.get(&file) {
                    Some(found) => {
                        assert_eq!(*found, file * 2);
                        known += 1;
                    }
                    None => memory.insert(file, file * 2),
                }
            }
            assert_eq!((memory.things.len(), memory.places.len()), (100, 100));
            assert!(round == 0 || known > 40, "{known} of 120 in round {round}");
        }
    }

    #[test]
    fn what_is_known_is_replaced_in_its_place() {
        let mut memory = Remembered::new(2);
        for value in [1, 2] {
            memory.insert("one", value);
        }
        memory.insert("two", 3);
        assert_eq!((memory.get(&"one"), memory.get(&"two")), (Some(&2), Some(&3)));
    }
}
