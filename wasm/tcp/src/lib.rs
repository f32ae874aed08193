//! Tollgate as a module for Envoy's network filters: [`tollgate_wasm`] with the functions of TCP, so that a fault of one filter
//! does not take the other's streams.
#![forbid(unsafe_code)]

// Its functions are exported from here.
extern crate tollgate_wasm as _;
