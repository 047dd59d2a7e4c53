//! What several test modules share.

pub mod database;
mod mariadb;
mod postgres;
mod server;
