//! SHA-256 as text.

use sha2::{Digest as _, Sha256};

/// 64 hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
