//! Policies as the command reads them: files that [`tollgate_read`] takes in, and the policy in its own words.

pub(crate) mod clock;
pub(crate) mod document;
pub(crate) mod excerpt;
pub(crate) mod revision;
pub(crate) mod sha256;

pub(crate) use tollgate_read::*;
