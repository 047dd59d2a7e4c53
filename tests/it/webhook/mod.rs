//! The webhook: what the client sends, what the program says, and what the mock gateway makes of a hospital's answers.

mod answering;
mod citizens;
mod client;
mod program;
