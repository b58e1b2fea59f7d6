//! Content hashes as short names: equal content always gets the same name.

use std::io;

use serde::Serialize;
use sha2::{Digest, Sha256};

/// The first 16 hex digits of the content's SHA-256 hash.
pub(crate) fn fingerprint(content: &impl Serialize) -> String {
    let mut hasher = Hasher::default();
    hasher.take(content);
    let mut digits = hasher.hex();
    digits.truncate(16);
    digits
}

/// Hashes serialized values without buffering their text.
#[derive(Default)]
pub(crate) struct Hasher(Sha256);

impl Hasher {
    pub(crate) fn take(&mut self, value: &impl Serialize) {
        // Writing to a hash can't fail, and all maps that are hashed have string keys.
        drop(serde_json::to_writer(&mut *self, value));
    }

    pub(crate) fn hex(self) -> String {
        hex(&self.0.finalize())
    }
}

/// Formats bytes as lowercase hex digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

impl io::Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
