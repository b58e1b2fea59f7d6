//! Sending the rules' test events through the deployed chain.

mod chain;
mod report;

pub use chain::{Chain, ChainError, Delivery, Hop, HopOutcome, TestInstance, Trace};
pub use report::{Case, CaseKind, VerifyOutcome, VerifyReport};

use compiler::Bundle;
use rules::Rule;

use crate::ports::Account;
use crate::progress::Progress;

/// The account from which [`verify`] sends: the first watched member account that is active and
/// plays no other part, else any watched active member account.
pub fn sender(bundle: &Bundle, accounts: &[Account]) -> Option<String> {
    let _ = (bundle, accounts);
    None
}

/// Sends every rule's test events from `account` and compares what arrives with what should.
pub async fn verify(
    _chain: &impl Chain,
    _bundle: &Bundle,
    _rules: &[Rule],
    _account: &str,
    _progress: &dyn Progress,
) -> Result<VerifyReport, ChainError> {
    Ok(VerifyReport::default())
}
