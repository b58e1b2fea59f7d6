//! What every service sees of a request and its answer, whatever protocol it arrived in.

pub(crate) mod api;
pub(crate) mod paging;
mod request;
pub(crate) mod time;

pub(crate) use paging::listing;
pub(crate) use request::{decode, missing, scalar};

/// Whether an action changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It only reads.
    Reads,
    /// It changes something.
    Changes,
}
