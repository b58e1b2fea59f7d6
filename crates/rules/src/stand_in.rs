//! Texts in patterns that stand for values of the organization file, which the rules don't know. The
//! compiler replaces them; until then they match nothing but events that say the same, as in a rule's
//! tests.

/// The roles that deploy. Without any in the organization file it stays, and nobody is exempt.
pub const DEPLOYERS: &str = "gizmos:deployers";
/// The account of the hub.
pub const HUB: &str = "gizmos:hub";
/// The account with the trail's log files.
pub const LOG_ARCHIVE: &str = "gizmos:log-archive";
