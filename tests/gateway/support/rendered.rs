//! Output of `tollgate render` for a gateway, piece by piece.

use std::process::Command;

use serde_json::{Value, json};

/// The objects for a policy with one rule, at a gateway with `routes: catch-all` and these keys besides.
pub(crate) fn objects(to: &Value, more: &Value) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let policy = json!({"version": 1, "name": "walls", "rules": [{"id": "r", "from": [{"any": true}], "to": to}]});
    let mut gateway = json!({
        "name": "egress", "api": "istio", "namespace": "istio-egress", "selector": {"istio": "egressgateway"},
        "service": "gateway.istio-egress.svc.cluster.local", "ports": {"http": 8443}, "routes": "catch-all",
    });
    gateway.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let site = json!({
        "site": 1,
        "istio": {"version": "1.31"},
        "gateways": [gateway],
        "module": {"image": "registry.example/tollgate", "digest": format!("sha256:{}", "1".repeat(64))},
        "workloadNamespaces": ["payments"],
    });
    std::fs::write(folder.path().join("policy.json"), policy.to_string()).unwrap();
    std::fs::write(folder.path().join("site.json"), site.to_string()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command.current_dir(&folder).args(["render", "policy.json", "--site", "site.json", "--format", "json"]);
    let output = command.output().unwrap();
    let list: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    list["items"].as_array().unwrap().clone()
}

/// The patches of an EnvoyFilter.
pub(crate) fn patches<'o>(objects: &'o [Value], name: &str) -> &'o Vec<Value> {
    let mut filters = objects.iter().filter(|object| object["kind"] == "EnvoyFilter");
    filters.find(|object| object["metadata"]["name"] == name).unwrap()["spec"]["configPatches"].as_array().unwrap()
}
