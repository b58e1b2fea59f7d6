//! The simulation campaign: runs the real deployer, through the real AWS SDK, in thousands of
//! random organizations with random faults, kills it at random points and restarts it.
//!
//! A seed determines everything in a run: the organization, the rules, the edits, the interference,
//! the faults, and when the deployer dies. Deployer, SDK and simulator share one virtual clock in
//! one thread, so a seed can be replayed, and hours take milliseconds.
//!
//! Invariants are checked against the simulator's own state and its journal of requests, never
//! against what the deployer believes; see [`Invariant`].
//!
//! ```
//! let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! let run = runtime.block_on(campaign::run(1, &campaign::Product))?;
//! assert_eq!(run.broken, [], "{:#?}", run.story);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod deployers;
mod differences;
mod invariants;
mod lab;
mod process;
mod random_faults;
mod random_input;
mod result;
mod run;
mod scale;
mod tampering;
mod time;

mod workers;

pub use deployers::{Deployer, Product};
pub use invariants::{Broken, Invariant};
pub use result::{CampaignResult, Counts, Failure};
pub use run::{Run, run};
pub use scale::{Calls, Scale, Step, scale};
pub use workers::campaign;
