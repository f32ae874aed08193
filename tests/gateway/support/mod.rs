//! Envoys and modules that the tests start.

pub(crate) mod dns;
pub(crate) mod http2;
pub(crate) mod rendered;
pub(crate) mod rig;

use std::path::PathBuf;
use std::sync::LazyLock;

use tollgate_local::envoy::binary;
use tollgate_local::{module, paths};

/// The filter, built once a test binary.
pub(crate) fn filter() -> PathBuf {
    static MODULE: LazyLock<PathBuf> = LazyLock::new(|| module::HTTP.find_or_build().unwrap());
    MODULE.clone()
}

/// The filter for connections, likewise.
pub(crate) fn tcp_filter() -> PathBuf {
    static MODULE: LazyLock<PathBuf> = LazyLock::new(|| module::TCP.find_or_build().unwrap());
    MODULE.clone()
}

/// Releases of Envoy to test with: the pinned ones, or those that `TOLLGATE_ENVOYS` lists.
pub(crate) fn envoys() -> Vec<PathBuf> {
    let versions = std::env::var("TOLLGATE_ENVOYS").unwrap_or_else(|_| binary::PINNED.join(" "));
    versions.split_whitespace().map(|version| binary::install(&paths::tools(), version).unwrap()).collect()
}
