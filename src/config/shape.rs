//! The description of allowed keys: data that stands beside each struct and that the walk, the example file and the help read.

use std::time::Duration;

/// One key that a table may have.
#[derive(Debug)]
pub(super) struct Key {
    /// Its name.
    pub name: &'static str,
    /// What it must hold.
    pub shape: Shape,
    /// What happens when it is not there.
    pub need: Need,
}

/// What happens when a key is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// An error.
    Mandatory,
    /// Nothing.
    Optional,
    /// This is taken, written as the environment would give it.
    Default(&'static str),
    /// A table that is then filled with the defaults of its keys.
    Filled,
}

/// What a key holds.
#[derive(Debug)]
pub(super) enum Shape {
    /// One plain value.
    Scalar(Scalar),
    /// A text that nobody may see; `<key>_file` beside it names a file that holds it.
    Secret,
    /// Name of a file that must be readable; relative to the configuration's own directory.
    File,
    /// Name of a folder that must be there; relative to the configuration's own directory.
    Folder,
    /// A list of texts.
    Texts(Texts),
    /// A table of texts under words that the operator chooses.
    Words {
        /// Most words.
        most: usize,
    },
    /// A table with these keys.
    Table(&'static [Key]),
    /// Tables that the operator names.
    Named {
        /// What one of them is.
        what: &'static str,
        /// Keys of each.
        keys: &'static [Key],
    },
    /// The portals: named tables whose keys depend on their `kind`.
    Portals,
}

/// A list of texts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Texts {
    /// What each must pass.
    pub check: fn(&str) -> Result<(), String>,
    /// True when one text alone may stand for a list of one. From the environment it always may.
    pub alone: bool,
    /// Most texts.
    pub most: usize,
}

/// A plain value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scalar {
    /// A text that passes a check; the check's error says what is wrong without repeating secrets.
    Text(fn(&str) -> Result<(), String>),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A whole number in a range.
    Integer {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
    },
    /// True or false.
    Boolean,
    /// A moment, in seconds or milliseconds since 1970.
    Moment,
    /// A part of a whole: above 0, at most 1.
    Share,
    /// A duration such as `30s`, in a range.
    Duration {
        /// Shortest.
        min: Duration,
        /// Longest.
        max: Duration,
    },
}

impl Key {
    /// A key that must be there.
    pub const fn must(name: &'static str, shape: Shape) -> Key {
        Key { name, shape, need: Need::Mandatory }
    }

    /// A key that may be left out.
    pub const fn may(name: &'static str, shape: Shape) -> Key {
        Key { name, shape, need: Need::Optional }
    }

    /// A plain value with a default.
    pub const fn or(name: &'static str, default: &'static str, scalar: Scalar) -> Key {
        Key { name, shape: Shape::Scalar(scalar), need: Need::Default(default) }
    }

    /// A table that stands with its defaults when it is left out.
    pub const fn filled(name: &'static str, keys: &'static [Key]) -> Key {
        Key { name, shape: Shape::Table(keys), need: Need::Filled }
    }
}

impl Shape {
    /// A text that passes a check.
    pub const fn text(check: fn(&str) -> Result<(), String>) -> Shape {
        Shape::Scalar(Scalar::Text(check))
    }
}

impl Scalar {
    /// A duration between so many seconds.
    pub const fn seconds(min: u64, max: u64) -> Scalar {
        Scalar::Duration { min: Duration::from_secs(min), max: Duration::from_secs(max) }
    }
}
