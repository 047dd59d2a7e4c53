//! The engine: scan, diff, plan, deliver, settle. It knows no portal by name and no SQL; it sees a source, a portal and a ledger
//! through their traits, and everything else through schemas.

mod accept;
pub mod audit;
mod batch_size;
mod belonging;
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
mod pieces;
mod places;
mod plan;
mod probation;
mod remedy;
mod removal;
mod report;
mod retry;
mod rounds;
mod settle;
mod standstill;
mod units;
mod vanished;
mod watermark;
mod words;

pub use accept::AcceptFuse;
pub use clock::Clock;
pub use cycle::{CycleError, Order};
pub use fuse::{FuseSettings, Loss, Tripped};
pub use line::{FeedLine, FeedPlan, Line, LineSettings, OnConflict};
pub use order::parents_first;
pub use remedy::{TEXTS, remedy};
pub use report::{CycleReport, Live, Stop};
pub use retry::{ResumeWord, RetryWord};
pub use units::{ErrorBudget, PausedUnit, UnitTrouble};
