//! Proxy-wasm ABI 0.2.1, with the names that its SDKs have.

#[cfg(target_family = "wasm")]
pub(crate) mod hostcalls;
#[cfg(target_family = "wasm")]
pub(crate) mod types;
