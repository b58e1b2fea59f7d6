//! The compiler from the outside: organization file and rules in, bundle out.

mod bundle;
mod forwarding;
mod hostile;
mod limits;
mod organization;
mod support;
