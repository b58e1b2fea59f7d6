//! The simulation campaign: the real deployer, through the real AWS SDK, in thousands of random
//! organizations with random faults, killed at random points and run again.
//!
//! A seed decides everything of a run: the organization, the rules, what is edited, who interferes,
//! which faults occur and when the deployer dies. Deployer, SDK and simulator share one virtual
//! time in one thread, so a seed replays, and hours take milliseconds.
//!
//! What must hold is checked on the simulator's own state and on its journal of requests, never on
//! what the deployer believes; see [`Invariant`].
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
