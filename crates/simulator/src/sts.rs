//! AWS Security Token Service: who am I, and temporary keys for a role.

use std::collections::BTreeMap;

/// The keys handed out so far.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    /// By access key id.
    by_key: BTreeMap<String, Session>,
}

#[derive(Debug, Clone)]
struct Session {
    account: String,
    role_arn: String,
    arn: String,
}
