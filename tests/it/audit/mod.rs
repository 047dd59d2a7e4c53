//! The audit: what differs between portal and source is named, what only seems to is not, and what is mended stays mended.

mod engine;
mod program;
