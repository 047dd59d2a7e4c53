//! The reference implementation of bookings (deploy/mis), installed by the databases' own clients as a hospital does it, and called by an
//! account that may do nothing else.

mod adapted;
mod example;
mod parallel;
mod rules;
mod site;
