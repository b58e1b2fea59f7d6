//! The nonces that tell a run's own canaries from all others.

use compiler::canary::CanaryKind;
use sha2::{Digest, Sha256};

use crate::fingerprint::hex;
use crate::ports::Location;

/// Random bytes, which are never printed.
pub(super) struct Secret(pub(super) [u8; 32]);

/// Makes a nonce per kind and location. Who sees one can't compute the others.
pub(super) struct Nonces(Secret);

impl Nonces {
    pub(super) fn new(secret: Secret) -> Nonces {
        Nonces(secret)
    }

    /// 32 hexadecimal digits.
    pub(super) fn of(&self, kind: CanaryKind, location: &Location) -> String {
        let mut hash = Sha256::new();
        hash.update(self.0.0);
        // Names have no zero bytes, so no two inputs are the same text.
        for part in [kind.name(), &location.account, &location.region] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        let bytes: [u8; 32] = hash.finalize().into();
        let (half, _) = bytes.split_at(16);
        hex(half)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_and_location_of_every_run_has_its_own_nonce() {
        let (one, other) = (Nonces::new(Secret([1; 32])), Nonces::new(Secret([2; 32])));
        let here = Location::new("111122223333", "eu-central-1");
        let there = Location::new("111122223333", "us-east-1");
        let nonce = one.of(CanaryKind::Event, &here);
        assert_eq!(nonce.len(), 32);
        assert_eq!(nonce, one.of(CanaryKind::Event, &here));
        for different in [
            one.of(CanaryKind::CloudTrail, &here),
            one.of(CanaryKind::Event, &there),
            other.of(CanaryKind::Event, &here),
        ] {
            assert_ne!(nonce, different);
        }
    }
}
