//! The simulated organization as its callers see it, without HTTP.

mod cloudformation;
mod services;
