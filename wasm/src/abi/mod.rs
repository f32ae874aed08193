//! Proxy-wasm ABI 0.2.1 as the module uses it, with the names that its SDKs have.

#[cfg(target_family = "wasm")]
pub(crate) mod hostcalls;
#[cfg(any(target_family = "wasm", test))]
pub(crate) mod types;
