//! What a hospital watches the daemon with: metrics, alert rules, dashboards and the pages that explain them. All of them name the same things.

mod boards;
mod known;
mod live;
mod pages;
mod query;
mod rules;
