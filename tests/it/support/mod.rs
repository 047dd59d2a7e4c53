//! What several tests share.

pub mod mart;
