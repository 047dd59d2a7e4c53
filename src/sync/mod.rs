//! The engine: scan, diff, plan, deliver, settle. It knows no portal by name and no SQL; it sees a source, a portal and a ledger
//! through their traits, and everything else through schemas.

mod batch_size;
mod clock;
mod cycle;
mod deliver;
mod index;
mod interned;
mod line;
mod order;
mod outgoing;
mod pieces;
mod plan;
mod probation;
mod report;
mod settle;
mod standstill;
mod units;
mod vanished;
mod watermark;

pub use clock::Clock;
pub use cycle::{CycleError, Order};
pub use line::{FeedLine, FeedPlan, Line, LineSettings};
pub use order::parents_first;
pub use report::{CycleReport, Live, Stop};
pub use units::{ErrorBudget, PausedUnit, UnitTrouble};
