//! How a change reaches the fleet: where instances belong, which calls reach exactly those
//! instances, and in which waves.

mod desired;
mod targeting;
mod waves;

pub use desired::BlockedLocation;
pub(crate) use desired::{Desired, desired, region_is_not_enabled, region_is_off, selected};
pub(crate) use targeting::{Group, group};
pub(crate) use waves::{Wave, detection, main, removal, split};
