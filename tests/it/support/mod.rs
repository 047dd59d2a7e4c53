//! What several tests share.

pub mod gateway;
pub mod tls;
pub mod traces;
