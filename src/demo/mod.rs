//! A demo hospital and stateful mock portals: what `vitrina demo` and `vitrina mock` run, and what the tests hold the
//! daemon against.
//!
//! Nothing here uses the daemon's schemas or encoder. The mock gateway and the hospital's own idea of what the mart
//! should hold are written from the portal's document a second time, so that a misreading on one side shows.

pub mod ekdo;
pub mod fault;
pub mod fer;
pub mod hospital;
pub mod host;
pub mod nmo;
pub mod pos;
pub mod sout;
pub mod stage;
pub mod view;
