//! What several test modules share.

pub mod cassettes;
pub mod command;
pub mod daemon;
pub mod database;
pub mod gateway;
pub mod hasty;
pub mod hospital;
mod mariadb;
pub mod mart;
pub mod nmo;
pub mod papers;
pub mod pgbouncer;
pub mod portal;
mod postgres;
pub mod secrets;
pub mod server;
pub mod sluice;
pub mod sout;
pub mod storm;
pub mod terminal;
pub mod tls;
pub mod traces;
pub mod world;
