//! Recordings: nothing of a person or a secret is in them, and they play again.

mod replayed;
mod scrubbed;
mod written;
