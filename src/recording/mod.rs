//! Recording: exchanges with portals written to files, without persons and secrets, and played again against a test stand.

mod body;
mod cassette;
mod folder;
mod recorder;
pub mod replay;
mod scrub;
mod stand_in;
mod xml;

pub use body::{Body, Part};
pub use cassette::{About, Answer, Cassette, NoCassette, Request};
pub use folder::{Limits, ReadError, read_folder};
pub use recorder::Recorder;
pub use scrub::{Credentials, Scrubber, stand_in_for};
pub use stand_in::StandIns;
