//! The engine: scan, diff, plan, deliver, settle. It knows no portal by name and no SQL; it sees a source, a portal and a ledger
//! through their traits, and everything else through schemas.

mod audit;
mod cascade;
mod clock;
mod contest;
mod cycle;
mod deliver;
mod fuse;
mod gone;
mod index;
mod interned;
mod line;
mod order;
mod outgoing;
mod places;
mod plan;
mod removal;
mod report;
mod rounds;
mod settle;
mod vanished;
mod watermark;

pub use audit::{AuditError, AuditOrder, AuditProgress, AuditState, Difference, FeedAudit, Kind, Stage, Tally};
pub use clock::Clock;
pub use cycle::{CycleError, Order};
pub use fuse::{FuseSettings, Loss, Tripped};
pub use line::{FeedLine, FeedPlan, Line, LineSettings, OnConflict};
pub use order::parents_first;
pub use report::{CycleReport, Live, Stop};
