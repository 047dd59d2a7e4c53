//! Notes and words: what the ledger keeps beside records. A note is the program's own (a paused unit, a tripped fuse); a word is
//! an operator's, left by a verb for the process that holds the ledger.

/// Something small that is remembered beside records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Where it belongs.
    pub place: NotePlace,
    /// JSON, understood by who wrote it: keys, codes, numbers and times only.
    pub body: String,
}

/// Names a note.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NotePlace {
    /// The portal's name in the configuration.
    pub portal: String,
    /// The feed's name; empty for what concerns the whole portal.
    pub feed: String,
    /// What it is about.
    pub kind: NoteKind,
    /// Which of its kind, where there are several: a unit's key.
    pub name: String,
}

/// What a note is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NoteKind {
    /// A unit whose records wait.
    Unit,
    /// A fuse that has tripped, with what it holds back.
    Fuse,
    /// How many records of a request the portal bears.
    Batch,
    /// Where an audit got to.
    Audit,
    /// Whether the records of a feed go out signed by the process that writes the ledger.
    Signing,
    /// What is wrong with the process and its portals, and since when.
    Trouble,
    /// What people were told of that.
    Told,
    /// How a feed did over the last 24 hours.
    History,
}

/// The number of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WordId(pub i64);

/// What an operator has asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The portal's name in the configuration.
    pub portal: String,
    /// The feed's name; empty for what concerns the whole portal.
    pub feed: String,
    /// What is to be done.
    pub kind: WordKind,
    /// JSON: what it is to be done with.
    pub argument: String,
    /// When it was said: seconds since 1970-01-01T00:00:00Z.
    pub said: i64,
}

/// What an operator can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WordKind {
    /// Send refused records again.
    Retry,
    /// Let a tripped fuse's removals go.
    AcceptFuse,
    /// End a unit's pause.
    ResumeUnit,
    /// Compare a portal with the source.
    Audit,
    /// Say what became of a record of unknown outcome.
    Resolve,
}

/// Pairs each variant with its stored name. Never rename.
macro_rules! stored {
    ($kind:ident: $($variant:ident = $name:literal),+) => {
        impl $kind {
            /// The stored name.
            pub(super) fn name(self) -> &'static str {
                match self {
                    $($kind::$variant => $name),+
                }
            }

            /// The kind of a stored name.
            pub(super) fn of(name: &str) -> Option<Self> {
                [$($kind::$variant),+].into_iter().find(|kind| kind.name() == name)
            }
        }
    };
}

stored!(NoteKind: Unit = "unit", Fuse = "fuse", Batch = "batch", Audit = "audit", Signing = "signing",
    Trouble = "trouble", Told = "told", History = "history");
stored!(WordKind: Retry = "retry", AcceptFuse = "accept_fuse", ResumeUnit = "resume_unit", Audit = "audit", Resolve = "resolve");
