//! A worker's VM that dies: what waits in it fails, nothing gets by it, and the next requests are judged again.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use tollgate_local::config::filter;
use tollgate_local::gateway::GatewayConfig;
use walrus::{FunctionBuilder, Module, ValType};

use crate::support;
use crate::support::rig::Rig;

const CHECKOUT: &str = "spiffe://cluster.local/ns/payments/sa/checkout";
/// The callback that kills; it is called only for a request with a body.
const CALLBACK: &str = "proxy_on_request_body";

/// Builds a module in which a request with a body kills the VM that it is in; otherwise it is the filter.
pub(crate) fn mortal(module: &Path, dir: &Path) -> PathBuf {
    let mut mortal = Module::from_file(module).unwrap();
    drop(mortal.exports.remove(CALLBACK));
    let parameters = [ValType::I32; 3];
    let mut dies = FunctionBuilder::new(&mut mortal.types, &parameters, &[ValType::I32]);
    dies.func_body().unreachable();
    let arguments = parameters.map(|kind| mortal.locals.add(kind)).to_vec();
    let dies = dies.finish(arguments, &mut mortal.funcs);
    mortal.exports.add(CALLBACK, dies);
    let file = dir.join("mortal.wasm");
    mortal.emit_wasm_file(&file).unwrap();
    file
}

#[test]
fn after_its_vm_died_the_filter_judges_again() {
    let policy = json!({
        "version": 1,
        "name": "death",
        "rules": [{"id": "api", "from": [{"namespace": "payments"}], "to": [{"hosts": ["api.example.com"]}]}],
    });
    for envoy in support::envoys() {
        let dir = tempfile::tempdir().unwrap();
        let module = mortal(&support::filter(), dir.path());
        let mut rig = Rig::start(&envoy, &module, &policy.to_string(), GatewayConfig::default());
        rig.caller(CHECKOUT);
        let ask = |host: &str, body: &str| {
            let length = body.len();
            let request = format!("POST / HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}\r\n\r\n{body}");
            rig.send(Some(CHECKOUT), request.as_bytes())
        };
        for death in 1..=3 {
            assert_eq!(ask("api.example.com", "").status(), 200);
            assert_eq!(ask("evil.example", "").status(), 403);
            let dying = ask("api.example.com", "x");
            assert_eq!(dying.status(), 503);

            let started = Instant::now();
            loop {
                let denied = ask("evil.example", "");
                // The dying request was let through before its body came, and may arrive late.
                let passed = denied.received.iter().any(|received| received.authority == "evil.example");
                assert!(!passed, "after death {death}");
                assert!(matches!(denied.status(), 403 | 503), "{}", denied.status());
                if denied.recorded("r") == "NO_MATCH" {
                    break;
                }
                assert!(started.elapsed() < Duration::from_secs(10), "the filter does not come back");
                thread::sleep(Duration::from_millis(10));
            }
        }
        let reloads = rig.gateway.admin().stat(&format!("wasm.{}.vm_reload_success", filter::NAME)).unwrap();
        assert!(reloads >= 3, "{reloads}");
    }
}
