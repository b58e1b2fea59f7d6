//! Texts in patterns that stand for values of the organization file, which the rules don't know. The
//! compiler replaces them; until then they match nothing but events that say the same, as in a rule's
//! tests.

/// The roles that deploy. Without any in the organization file it stays, and nobody is exempt.
pub const DEPLOYERS: &str = "gizmos:deployers";
/// The management account, to which the organization trail belongs.
pub const MANAGEMENT: &str = "gizmos:management";
/// The account of the hub.
pub const HUB: &str = "gizmos:hub";
/// The account with the trail's log files.
pub const LOG_ARCHIVE: &str = "gizmos:log-archive";
/// The organization trail by its name, as callers in the management account may give it. Other accounts
/// may have trails of that name, such as those of earlier landing zones of AWS Control Tower.
pub const TRAIL_NAME: &str = "gizmos:trail-name";
/// The organization trail by its ARN.
pub const TRAIL_ARN: &str = "gizmos:trail-arn";
/// The bucket with the trail's log files. Without one in the organization file it stays, and no bucket
/// is protected.
pub const LOG_BUCKET: &str = "gizmos:log-bucket";
/// The bucket for templates that are too large for a request. Without one it stays.
pub const ARTIFACT_BUCKET: &str = "gizmos:artifact-bucket";
