//! An AWS Organization in one process.
//!
//! The simulator serves unmodified AWS SDKs, the AWS CLI and boto3 over loopback HTTP: AWS
//! Organizations, STS, CloudFormation with service-managed StackSets, and the services whose
//! resources the stack sets create. It interprets templates, evaluates policies and routes events
//! as AWS does, on a virtual clock, so that what breaks there breaks here.
//!
//! Clients need only `AWS_ENDPOINT_URL` set to [`Simulator::endpoint`], and an access key id. A key
//! id of twelve digits is the administrator of that account; any other is the administrator of the
//! management account.
//!
//! What no AWS API offers (advancing the clock, emitting a service's event, reading the inbox) is
//! under the path `/_simulator/`. [`Faults`] configures fault injection, at the start or at any
//! time with [`Simulator::set_faults`] or `POST /_simulator/faults`; [`Simulator::stats`] counts
//! the occurrences. A test in the same process can also inspect the world without a request:
//! [`Simulator::fleet`], [`Simulator::journal`].
//!
//! # Example
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let simulator = simulator::Simulator::start(simulator::Config::default()).await?;
//! assert!(simulator.endpoint().starts_with("http://127.0.0.1:"));
//! simulator.stop().await;
//! # Ok::<(), simulator::SimulatorError>(())
//! # }).unwrap();
//! ```

mod admin;
mod aws_command;
mod clock;
mod dispatch;
mod faults;
mod journal;
mod server;
mod snapshot;
mod stats;
#[cfg(test)]
mod tests;
mod world;

use simulator_cloudformation as cloudformation;
use simulator_policy as policy;
use simulator_services as services;
use simulator_wire as wire;

pub use aws_command::AwsCommand;
pub use cloudformation::{InstanceEffect, Lag, LiveResource, Quotas, StackOf};
pub use faults::{Bucket, Event, Faults, InstanceFault, Rate, RequestFault, Scheduled, When};
pub use journal::Request;
pub use server::{Config, Simulator, SimulatorError};
pub use services::environment::{DEFAULT_REGIONS, Surprise};
pub use snapshot::{
    Checkpoint, Fleet, FleetAccount, FleetInstance, FleetOperation, FleetStack, FleetStackSet,
    Source,
};
pub use stats::Stats;
