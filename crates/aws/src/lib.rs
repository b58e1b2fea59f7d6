//! The ports of deployer and backtest on AWS. No other crate uses the AWS SDK.
//!
//! [`LogBucket`] reads CloudTrail logs from an S3 bucket for a backtest.
//! [`Aws`] implements every trait of [`deployer::ports`]. It works with AWS and with any endpoint
//! that speaks its protocols: it honors `AWS_ENDPOINT_URL`, and falls back to other calls where an
//! emulator lacks one.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use deployer::ports::Organizations;
//!
//! let cloud = aws::Aws::connect(aws::Options::new("eu-central-1")).await;
//! for account in cloud.list_accounts().await? {
//!     assert_eq!(account.id.len(), 12);
//! }
//! # Ok(())
//! # }
//! ```

mod artifacts;
mod call;
mod clock;
mod connect;
mod error;
mod events;
mod health;
mod history;
mod http;
mod json_call;
mod logs;
mod metrics;
mod organizations;
mod pace;
mod parameters;
mod queues;
mod retry;
mod stack_sets;
mod stacks;

pub use artifacts::ArtifactBucket;
pub use connect::{Aws, CallAs, Credentials, Options, Pauser, SessionPolicies};
pub use logs::LogBucket;
