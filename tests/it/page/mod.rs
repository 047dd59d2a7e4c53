//! The page: what a person sees of a running daemon in a real browser, and who may have something done from there.

mod actions;
mod browser;
mod seen;
mod site;
