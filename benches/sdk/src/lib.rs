//! Does nothing, by the callbacks of the proxy-wasm SDK: the price of its dispatcher above `noop.wat`.
// Only Envoy links it.
#![cfg(target_family = "wasm")]
#![expect(missing_docs, reason = "the macro of the SDK writes the only public item")]

use proxy_wasm::traits::{Context, HttpContext};

struct Nothing;

impl Context for Nothing {}

impl HttpContext for Nothing {}

proxy_wasm::main! {{
    proxy_wasm::set_http_context(|_, _| -> Box<dyn HttpContext> { Box::new(Nothing) });
}}
