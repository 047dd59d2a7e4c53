//! The register of training: its client against its mock over real HTTP, then the whole engine.

mod engine;
mod inquiries;
mod program;
mod pushes;
mod replays;
