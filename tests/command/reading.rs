//! Sources of policies: objects of a cluster, merge keys, links, and files without end.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const RULE: &str = "rules: [{id: r, from: [{namespace: shop}], to: [{hosts: [a.example.com]}]}]";

fn tollgate(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tollgate")).args(arguments).current_dir(folder).output().unwrap()
}

/// Exit code, stdout and stderr.
fn run(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = tollgate(folder, arguments);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// A policy of this name, as JSON.
fn policy(name: &str) -> Value {
    json!({
        "version": 1,
        "name": name,
        "rules": [{"id": "r", "from": [{"namespace": "shop"}], "to": [{"hosts": ["a.example.com"]}]}],
    })
}

fn plugin(name: &str, config: Value) -> Value {
    json!({
        "apiVersion": "extensions.istio.io/v1alpha1",
        "kind": "WasmPlugin",
        "metadata": {"name": name, "namespace": "mesh"},
        "spec": {"pluginName": "tollgate", "pluginConfig": config},
    })
}

fn extension(name: &str, config: Value) -> Value {
    json!({
        "apiVersion": "extensions.istio.io/v1alpha1",
        "kind": "TrafficExtension",
        "metadata": {"name": name, "namespace": "mesh"},
        "spec": {"wasm": {"pluginConfig": config}},
    })
}

fn list(items: &[Value]) -> Value {
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}

fn secret(texts: &[(&str, &str)]) -> Value {
    let data: serde_json::Map<String, Value> =
        texts.iter().map(|(key, text)| ((*key).to_owned(), BASE64_STANDARD.encode(text).into())).collect();
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": data})
}

fn packed(name: &str) -> Value {
    use std::io::Write as _;
    let mut inside = policy(name);
    let inside = inside.as_object_mut().unwrap();
    inside.remove("version");
    inside.remove("name");
    let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    deflate.write_all(&serde_json::to_vec(inside).unwrap()).unwrap();
    let packed = format!("deflate;{}", BASE64_STANDARD.encode(deflate.finish().unwrap()));
    json!({"version": 1, "name": name, "packed": packed})
}

#[test]
fn an_object_of_the_cluster_stands_for_the_policy_that_it_carries() {
    let folder = tempfile::tempdir().unwrap();
    let yaml = |value: &Value| serde_saphyr::to_string(value).unwrap();
    let text = serde_json::to_string(&policy("p")).unwrap();
    for (what, object) in [
        ("a WasmPlugin", plugin("egress", policy("p"))),
        ("a TrafficExtension", extension("egress", policy("p"))),
        ("a packed policy", plugin("egress", packed("p"))),
        ("a list", list(&[plugin("egress", policy("p")), json!({"apiVersion": "v1", "kind": "ConfigMap"})])),
        ("a list of plugins, of which one is another's", {
            let mut other = plugin("other", json!({"greeting": "hello"}));
            other["spec"]["pluginName"] = "hello".into();
            list(&[other, extension("egress", policy("p"))])
        }),
        ("a Secret", secret(&[("policy.json", &text), ("password", "hunter2")])),
        ("a Secret with the object", secret(&[("x", &plugin("egress", policy("p")).to_string())])),
        ("a list of Secrets", list(&[secret(&[("password", "hunter2")]), secret(&[("policy.yaml", &text)])])),
    ] {
        for (file, text) in [("o.yaml", yaml(&object)), ("o.json", object.to_string())] {
            fs::write(folder.path().join(file), text).unwrap();
            let (code, out, err) = run(folder.path(), &["check", file]);
            assert_eq!((code, out.starts_with("policy p"), err.as_str()), (0, true, ""), "{what} {file}: {out}{err}");
            let (code, out, _) = run(folder.path(), &["explain", file, "--as", "shop/web", "https://a.example.com/"]);
            assert_eq!(code, 0, "{what} {file}: {out}");
            let (code, out, _) = run(folder.path(), &["diff", file, file]);
            assert_eq!(code, 0, "{what} {file}: {out}");
        }
    }
}

#[test]
fn of_several_objects_one_is_chosen_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let objects = list(&[plugin("a", policy("first")), extension("b", policy("second"))]);
    fs::write(folder.path().join("o.yaml"), objects.to_string()).unwrap();
    let (code, _, err) = run(folder.path(), &["check", "o.yaml"]);
    assert!(code == 3 && err.contains("the names are `a`, `b`"), "{code} {err}");
    for (name, expected) in [("b", "policy second"), ("mesh/a", "policy first")] {
        let (code, out, err) = run(folder.path(), &["check", &format!("o.yaml#{name}")]);
        assert!(code == 0 && out.starts_with(expected), "{name}: {out} {err}");
    }
    let (code, _, err) = run(folder.path(), &["check", "o.yaml#c"]);
    assert!(code == 3 && err.contains("no object `c` carries a policy"), "{err}");
    // a file may have such a name
    fs::write(folder.path().join("o.yaml#c"), format!("version: 1\nname: third\n{RULE}\n")).unwrap();
    assert!(run(folder.path(), &["check", "o.yaml#c"]).1.starts_with("policy third"));
}

#[test]
fn findings_in_an_object_stand_where_they_are_in_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let text = "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {name: e}\nspec:\n  pluginConfig:\n    version: 1\n    name: p\n    rulez: []\n";
    fs::write(folder.path().join("o.yaml"), text).unwrap();
    let (code, _, err) = run(folder.path(), &["check", "o.yaml"]);
    assert!(code == 3 && err.contains("unknown key `rulez`") && err.contains("o.yaml:8:5"), "{err}");
}

#[test]
fn what_carries_no_policy_is_named_and_nothing_of_a_secret_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    for (object, expected) in [
        (json!({"apiVersion": "v1", "kind": "Service"}), "this is a Service, an object of Kubernetes"),
        (list(&[]), "the list of objects is empty"),
        (
            list(&[json!({"apiVersion": "v1", "kind": "Pod"}), json!({"apiVersion": "v1", "kind": "Service"})]),
            "Pod, Service",
        ),
        (secret(&[("password", "hunter2"), ("x.yaml", "hunter2: [")]), "this is a Secret"),
        (
            json!({"apiVersion": "x/v1", "kind": "WasmPlugin", "metadata": {"name": "e"}, "spec": {}}),
            "the WasmPlugin `e` has no `pluginConfig`",
        ),
    ] {
        fs::write(folder.path().join("o.yaml"), object.to_string()).unwrap();
        let (code, out, err) = run(folder.path(), &["check", "o.yaml"]);
        assert!(code == 3 && err.contains(expected) && err.matches("error[").count() == 1, "{err}");
        assert!(!(out + &err).contains("hunter2"));
    }
}

#[test]
fn objects_are_not_joined_with_other_files() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("o.yaml"), plugin("e", policy("p")).to_string()).unwrap();
    fs::write(folder.path().join("p.yaml"), "rules: []\n").unwrap();
    let (code, _, err) = run(folder.path(), &["check", "o.yaml", "p.yaml"]);
    assert!(code == 3 && err.contains("carries a policy of its own"), "{err}");
}

#[test]
fn merge_keys_of_aliases_are_read_and_what_stands_beside_them_wins() {
    let folder = tempfile::tempdir().unwrap();
    let text = "version: 1\nname: p\nrules:\n  - &base {id: a, from: [{namespace: shop}], to: [{hosts: [a.example.com]}]}\n  - <<: *base\n    id: b\n    to: [{hosts: [b.example.com]}]\n";
    fs::write(folder.path().join("p.yaml"), text).unwrap();
    let asked = |host: &str| run(folder.path(), &["explain", "p.yaml", "--as", "shop/web", host]).0;
    assert_eq!((asked("https://a.example.com/"), asked("https://b.example.com/")), (0, 0));
    assert_eq!(asked("https://c.example.com/"), 2);
}

#[test]
fn one_mistake_that_an_alias_repeats_is_one_finding() {
    let folder = tempfile::tempdir().unwrap();
    let text = "version: 1\nname: p\nrules:\n  - {id: a, from: &who [{namespace: a/b}], to: [{hosts: [a.example.com]}]}\n  - {id: b, from: *who, to: [{hosts: [a.example.com]}]}\n";
    fs::write(folder.path().join("p.yaml"), text).unwrap();
    let (code, _, err) = run(folder.path(), &["check", "p.yaml"]);
    assert!(code == 3 && err.matches("error[").count() == 1, "{err}");
}

#[test]
fn aliases_and_merge_keys_that_multiply_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (first, item) in
        [("[x, x, x, x, x, x, x, x, x, x]", "[ALL]"), ("{a: 1, b: 2, c: 3}", "{x: {<<: [ALL]}, y: [ALL]}")]
    {
        let mut bomb = format!("a0: &a0 {first}\n");
        for level in 1..12 {
            let all = vec![format!("*a{}", level - 1); 10].join(", ");
            writeln!(bomb, "a{level}: &a{level} {}", item.replace("ALL", &all)).unwrap();
        }
        fs::write(folder.path().join("p.yaml"), bomb).unwrap();
        let (code, _, err) = run(folder.path(), &["check", "p.yaml"]);
        assert!(code == 3 && err.contains("aliases add more than 1,000,000 values"), "{err}");
    }
    // few values, and many bytes
    let long = "x".repeat(1 << 20);
    let text = format!("a: &a {long}\nb: [{}]\n", vec!["*a"; 300].join(", "));
    fs::write(folder.path().join("p.yaml"), text).unwrap();
    let (code, _, err) = run(folder.path(), &["check", "p.yaml"]);
    assert!(code == 3 && err.contains("aliases add more than 256 MiB"), "{code}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_without_end_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let (code, _, err) = run(folder.path(), &["check", "/dev/zero"]);
    assert!(code == 64 && err.contains("larger than 256 MiB"), "{err}");
    let zero = fs::File::open("/dev/zero").unwrap();
    let output =
        Command::new(env!("CARGO_BIN_EXE_tollgate")).args(["check", "-"]).stdin(Stdio::from(zero)).output().unwrap();
    assert_eq!(output.status.code(), Some(64));
    // what says its size is not even begun
    let large = fs::File::create(folder.path().join("large.yaml")).unwrap();
    large.set_len((256 << 20) + 1).unwrap();
    let (code, _, err) = run(folder.path(), &["check", "large.yaml"]);
    assert!(code == 64 && err.contains("larger than 256 MiB"), "{err}");
}

#[cfg(unix)]
#[test]
fn no_link_of_a_folder_shows_a_file_outside() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    fs::create_dir_all(at("policy/real")).unwrap();
    fs::create_dir_all(at("outside")).unwrap();
    fs::write(at("secret"), "hunter2: [").unwrap();
    fs::write(at("outside/x.yaml"), "hunter2: [").unwrap();
    let text = format!("version: 1\nname: p\n{RULE}\n");
    fs::write(at("policy/real/p.yaml"), &text).unwrap();
    symlink("real/p.yaml", at("policy/p.yaml")).unwrap();
    // as Kubernetes mounts a ConfigMap
    assert_eq!(run(folder.path(), &["check", "policy"]).0, 0);
    for (target, name) in [("../secret", "x.yaml"), ("../outside", "more"), ("../outside/x.yaml", "y.yaml")] {
        symlink(target, at("policy").join(name)).unwrap();
        let (code, out, err) = run(folder.path(), &["check", "policy"]);
        assert!(code == 64 && err.contains("leads out of the folder"), "{name}: {code} {err}");
        assert!(!(out + &err).contains("hunter2"), "{name}");
        fs::remove_file(at("policy").join(name)).unwrap();
    }
    symlink("secret", at("p.yaml")).unwrap();
    let (code, out, err) = run(folder.path(), &["check", "p.yaml"]);
    assert!(code == 64 && !(out + &err).contains("hunter2"), "{err}");
    // pipes are no files of a folder
    assert!(Command::new("mkfifo").arg(at("policy/pipe.yaml")).status().unwrap().success());
    let (code, _, err) = run(folder.path(), &["check", "policy"]);
    assert!(code == 64 && err.contains("it is no file"), "{err}");
}

#[test]
fn entries_of_dry_run_are_a_note_while_they_run() {
    let folder = tempfile::tempdir().unwrap();
    for (until, now, expected, code) in [
        (", until: \"2027-01-01T00:00:00Z\"", "2026-12-31T00:00:00Z", "note[TG312]", 0),
        (", until: \"2027-01-01T00:00:00Z\"", "2027-01-01T00:00:00Z", "warning[TG312]", 1),
        ("", "2026-12-31T00:00:00Z", "warning[TG312]", 1),
    ] {
        let text = format!("version: 1\nname: p\ndryRunFor: [{{namespace: new{until}}}]\n{RULE}\n");
        fs::write(folder.path().join("p.yaml"), text).unwrap();
        let (exit, _, err) = run(folder.path(), &["lint", "p.yaml", "--now", now]);
        assert!(exit == code && err.contains(expected) && !err.contains("TG212"), "{exit} {err}");
    }
}
