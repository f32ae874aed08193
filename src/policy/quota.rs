//! Quotas of a policy.

use super::Mode;
use crate::quota::Quota;

/// A quota, and whether it refuses.
#[derive(Clone, Debug)]
pub struct QuotaEntry {
    /// What is limited.
    pub quota: Quota,
    /// Its own mode; if it has none, the policy's dry-run and that of identities suspend it.
    pub mode: Option<Mode>,
}
