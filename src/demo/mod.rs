//! A demo hospital and stateful mock portals: what `vitrina demo` and `vitrina mock` run, and what the tests hold the
//! daemon against.
//!
//! Nothing here uses the daemon's schemas or encoder. The mocks and the hospital's own idea of what the portals
//! should hold are written from the portals' documents a second time, so that a misreading on one side shows.

pub mod ekdo;
pub mod fault;
pub mod feed;
pub mod fer;
pub mod hospital;
pub mod host;
pub mod mocks;
pub mod nmo;
pub mod pos;
pub mod sout;
pub mod stage;
pub mod view;
