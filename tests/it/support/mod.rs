//! What several test modules share.

pub mod database;
mod mariadb;
pub mod portal;
mod postgres;
mod server;
