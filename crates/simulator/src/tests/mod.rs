//! The simulated organization as its callers see it, without HTTP in between.

mod cloudformation;
mod services;
