//! Envoys and modules that the tests start.

pub(crate) mod dns;
pub(crate) mod http2;
pub(crate) mod layers;
pub(crate) mod rendered;
pub(crate) mod rig;

use std::path::PathBuf;
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

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

/// Those of them whose TCP proxy can wait for the caller's first bytes: 1.38 and later.
pub(crate) fn envoys_that_wait() -> Vec<PathBuf> {
    let is_old =
        |envoy: &PathBuf| ["envoy-1.36.", "envoy-1.37."].iter().any(|old| envoy.display().to_string().contains(old));
    envoys().into_iter().filter(|envoy| !is_old(envoy)).collect()
}

/// Releases of Envoy to test with: the pinned ones, or those that `TOLLGATE_ENVOYS` lists.
pub(crate) fn envoys() -> Vec<PathBuf> {
    let versions = std::env::var("TOLLGATE_ENVOYS").unwrap_or_else(|_| binary::PINNED.join(" "));
    versions.split_whitespace().map(|version| binary::install(&paths::tools(), version).unwrap()).collect()
}

/// Waits until a condition holds, and no longer than ten seconds.
pub(crate) fn until(mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(10), "waited in vain");
        thread::sleep(Duration::from_millis(5));
    }
}
