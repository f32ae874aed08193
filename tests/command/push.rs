//! `tollgate push` against a real registry: Docker's, from `TOLLGATE_REGISTRY` or `.tools/registry` (`make setup`).

mod liar;
pub(super) mod registry;

use liar::{Liar, answer};
use registry::{Cut, Registry};
use serde_json::{Value, json};
use std::io::Read as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The smallest module there is.
const MODULE: &[u8] = b"\0asm\x01\0\0\0";
const USER: &str = "tester";
const PASSWORD: &str = "U*U";
/// Hash of that password, from the test vectors of bcrypt.
const HASH: &str = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";

/// A folder with a module, in which the command runs; nothing of the user's configuration is seen.
struct Stage(tempfile::TempDir);

impl Stage {
    fn new() -> Stage {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("filter.wasm"), MODULE).unwrap();
        Stage(folder)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn push(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_tollgate"))
            .arg("push")
            .args(arguments)
            .args(["--module", "filter.wasm"])
            .current_dir(self.0.path())
            .env("DOCKER_CONFIG", self.0.path())
            .output()
            .unwrap()
    }

    fn log_in(&self, registry: &str, password: &str) {
        let config = json!({"auths": {registry: {"auth": encoded(password)}}});
        std::fs::write(self.file("config.json"), config.to_string()).unwrap();
    }
}

/// User and password as a header carries them.
fn encoded(password: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{password}"))
}

fn json_of(output: &Output) -> Value {
    assert!(output.status.success(), "{}", stderr(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(70), "{}", stderr(output));
    assert!(output.stdout.is_empty());
    let said = stderr(output);
    assert!(said.starts_with("error: cannot push: "), "{said}");
    assert!(!said.contains(PASSWORD) && !said.contains(&encoded(PASSWORD)), "{said}");
    said
}

#[test]
fn what_is_pushed_is_what_istios_agent_takes() {
    let (stage, registry) = (Stage::new(), Registry::start(None));
    let target = format!("oci://{}/mesh/tollgate:1.0", registry.address());
    let annotation = "org.opencontainers.image.revision=abc";
    let report = json_of(&stage.push(&[&target, "--plain-http", "--annotation", annotation, "--format", "json"]));
    let digest = report["digest"].as_str().unwrap();
    assert_eq!(report["reference"], target.as_str());
    assert_eq!(report["url"], format!("oci://{}/mesh/tollgate@{digest}", registry.address()));
    let manifest = registry.get("/v2/mesh/tollgate/manifests/1.0");
    assert_eq!(manifest.header("docker-content-digest"), Some(digest));
    assert_eq!(manifest.header("content-type"), Some("application/vnd.oci.image.manifest.v1+json"));
    let manifest: Value = serde_json::from_slice(&manifest.body).unwrap();
    assert_eq!(manifest["annotations"]["org.opencontainers.image.revision"], "abc");
    let [layer] = manifest["layers"].as_array().unwrap().as_slice() else { panic!("{manifest}") };
    assert_eq!(layer["mediaType"], "application/vnd.oci.image.layer.v1.tar+gzip");
    let blob = registry.get(&format!("/v2/mesh/tollgate/blobs/{}", layer["digest"].as_str().unwrap())).body;
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(blob.as_slice()));
    let files: Vec<(PathBuf, Vec<u8>)> = archive
        .entries()
        .unwrap()
        .map(|entry| {
            let mut entry = entry.unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            (entry.path().unwrap().into_owned(), bytes)
        })
        .collect();
    assert_eq!(files, [(PathBuf::from("plugin.wasm"), MODULE.to_vec())]);
}

#[test]
fn what_is_there_is_not_sent_again() {
    let (stage, registry) = (Stage::new(), Registry::start(None));
    let target = format!("oci://{}/tollgate:1.0", registry.address());
    let first = json_of(&stage.push(&[&target, "--plain-http", "--format", "json"]));
    assert!(first["sent"].as_u64().unwrap() > 0);
    let before = registry.uploads();
    let second = json_of(&stage.push(&[&target, "--plain-http", "--format", "json"]));
    assert_eq!(second["sent"], 0);
    assert_eq!(second["digest"], first["digest"]);
    let human = stage.push(&[&target, "--plain-http"]);
    assert!(String::from_utf8_lossy(&human.stdout).contains("is up to date"), "{human:?}");
    assert_eq!(registry.uploads(), before);
    // another tag needs its manifest only
    let other = format!("oci://{}/tollgate:1.1", registry.address());
    let third = json_of(&stage.push(&[&other, "--plain-http", "--format", "json"]));
    let manifest = registry.get("/v2/tollgate/manifests/1.1");
    assert_eq!(third["sent"], manifest.body.len());
}

#[test]
fn a_tag_moves_to_another_module() {
    let (stage, registry) = (Stage::new(), Registry::start(None));
    let target = format!("oci://{}/tollgate:latest", registry.address());
    let first = json_of(&stage.push(&[&target, "--plain-http", "--format", "json"]));
    std::fs::write(stage.file("filter.wasm"), [MODULE, b"\0\x02\x01a"].concat()).unwrap();
    let second = json_of(&stage.push(&[&target, "--plain-http", "--format", "json"]));
    assert_ne!(first["digest"], second["digest"]);
    let now = registry.get("/v2/tollgate/manifests/latest");
    assert_eq!(now.header("docker-content-digest"), second["digest"].as_str());
}

#[test]
fn the_same_module_makes_the_same_bytes() {
    fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        for entry in walkdir::WalkDir::new(folder).sort_by_file_name() {
            let entry = entry.unwrap();
            if entry.file_type().is_file() {
                let name = entry.path().strip_prefix(folder).unwrap().to_owned();
                files.push((name, std::fs::read(entry.path()).unwrap()));
            }
        }
        files
    }
    let (one, other) = (Stage::new(), Stage::new());
    for stage in [&one, &other] {
        let output = stage.push(&["--layout", "image"]);
        assert!(output.status.success(), "{}", stderr(&output));
    }
    let written = files(&one.file("image"));
    assert_eq!(written.len(), 5);
    assert_eq!(written, files(&other.file("image")));
}

#[test]
fn a_registry_that_wants_to_know_who_asks() {
    let (stage, registry) = (Stage::new(), Registry::start(Some(&format!("{USER}:{HASH}\n"))));
    let target = format!("oci://{}/tollgate:1.0", registry.address());
    let nobody = refused(&stage.push(&[&target, "--plain-http"]));
    assert!(nobody.contains(&format!("docker login {}", registry.address())), "{nobody}");
    stage.log_in(&registry.address(), "wrong");
    let wrong = refused(&stage.push(&[&target, "--plain-http"]));
    assert!(wrong.contains("does not take the credentials"), "{wrong}");
    stage.log_in(&registry.address(), PASSWORD);
    assert!(json_of(&stage.push(&[&target, "--plain-http", "--format", "json"]))["sent"].as_u64().unwrap() > 0);
}

#[test]
fn nothing_is_half_pushed() {
    let (stage, registry) = (Stage::new(), Registry::start(None));
    for cut in [Cut::AtBlob, Cut::AtManifest] {
        let between = registry.behind(cut);
        let why = refused(&stage.push(&[&format!("oci://{between}/tollgate:1.0"), "--plain-http"]));
        assert!(why.contains(&format!("`{between}`")), "{why}");
        assert_eq!(registry.get("/v2/tollgate/manifests/1.0").status, 404);
    }
}

#[test]
fn what_breaks_off_for_a_moment_is_tried_again() {
    let (stage, registry) = (Stage::new(), Registry::start(None));
    let between = registry.behind(Cut::TwoAtFirst);
    json_of(&stage.push(&[&format!("oci://{between}/tollgate:1.0"), "--plain-http", "--format", "json"]));
    assert_eq!(registry.get("/v2/tollgate/manifests/1.0").status, 200);
}

#[test]
fn what_is_no_registry_is_said() {
    let stage = Stage::new();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let why = refused(&stage.push(&[&format!("oci://{closed}/tollgate:1.0"), "--plain-http"]));
    assert!(why.contains(&format!("`{closed}` cannot be reached")) && why.contains("refused"), "{why}");
}

#[test]
fn the_command_line_is_checked_first() {
    let stage = Stage::new();
    std::fs::write(stage.file("text.wasm"), "not wasm").unwrap();
    for (arguments, why) in [
        (vec!["registry.test/tollgate:1.0"], ": write oci://registry.test/tollgate:1.0\n"),
        (vec!["https://registry.test/tollgate:1.0"], ": write oci://registry.test/tollgate:1.0\n"),
        (vec!["tollgate"], ": write oci://HOST/NAME:TAG\n"),
        (
            vec![
                "oci://registry.test/tollgate@sha256:0000000000000000000000000000000000000000000000000000000000000000",
            ],
            "tag",
        ),
        (vec!["oci://registry.test/Tollgate:1.0"], "oci://registry.test/Tollgate:1.0"),
        (vec!["oci://registry.test/tollgate:1.0", "--annotation", "x"], "KEY=VALUE"),
        (vec![], "oci://HOST/NAME:TAG"),
    ] {
        let output = stage.push(&arguments);
        assert_eq!(output.status.code(), Some(64), "{arguments:?} {}", stderr(&output));
        assert!(stderr(&output).contains(why), "{}", stderr(&output));
    }
    for (file, why) in [("text.wasm", "is no wasm module"), ("none.wasm", "none.wasm")] {
        let output = Command::new(env!("CARGO_BIN_EXE_tollgate"))
            .args(["push", "--layout", "image", "--module", file])
            .current_dir(stage.0.path())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(64), "{}", stderr(&output));
        assert!(stderr(&output).contains(why), "{}", stderr(&output));
    }
}

#[test]
fn what_is_said_of_an_image_stands_beside_it() {
    let (stage, registry) = (Stage::new(), Registry::start(None));
    std::fs::write(stage.file("bom.json"), r#"{"bomFormat": "CycloneDX"}"#).unwrap();
    std::fs::write(stage.file("built.json"), r#"{"buildDefinition": {"buildType": "make"}}"#).unwrap();
    let target = format!("oci://{}/tollgate:1.0", registry.address());
    let arguments = [&target, "--plain-http", "--format", "json", "--sbom", "bom.json", "--provenance", "built.json"];
    let digest = json_of(&stage.push(&arguments))["digest"].as_str().unwrap().to_owned();

    // this registry lists no referrers itself: they stand under a tag
    let index = |digest: &str| {
        let index = registry.get(&format!("/v2/tollgate/manifests/{}", digest.replace(':', "-")));
        serde_json::from_slice::<Value>(&index.body).unwrap()
    };
    let listed = index(&digest)["manifests"].as_array().unwrap().clone();
    let kinds: Vec<_> = listed.iter().map(|entry| entry["artifactType"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["application/vnd.cyclonedx+json", "application/vnd.in-toto+json"]);
    let documents: Vec<Value> = listed
        .iter()
        .map(|entry| {
            let manifest = registry.get(&format!("/v2/tollgate/manifests/{}", entry["digest"].as_str().unwrap()));
            let manifest: Value = serde_json::from_slice(&manifest.body).unwrap();
            assert_eq!(manifest["subject"]["digest"], digest.as_str());
            let blob = manifest["layers"][0]["digest"].as_str().unwrap();
            serde_json::from_slice(&registry.get(&format!("/v2/tollgate/blobs/{blob}")).body).unwrap()
        })
        .collect();
    assert_eq!(documents[0], json!({"bomFormat": "CycloneDX"}));
    assert_eq!(documents[1]["subject"][0]["digest"]["sha256"], digest.trim_start_matches("sha256:"));
    assert_eq!(documents[1]["predicate"], json!({"buildDefinition": {"buildType": "make"}}));

    // once more is no upload; one document more keeps the others
    let before = registry.uploads();
    assert_eq!(json_of(&stage.push(&arguments))["sent"], 0);
    assert_eq!(registry.uploads(), before);
    std::fs::write(stage.file("bom.json"), r#"{"bomFormat": "CycloneDX", "version": 2}"#).unwrap();
    json_of(&stage.push(&arguments));
    assert_eq!(index(&digest)["manifests"].as_array().unwrap().len(), 3);
    // and nothing is pushed with a document that is none
    std::fs::write(stage.file("bom.json"), "no JSON").unwrap();
    let before = registry.uploads();
    let output = stage.push(&arguments);
    assert_eq!(output.status.code(), Some(64));
    assert!(stderr(&output).contains("is no JSON"), "{}", stderr(&output));
    assert_eq!(registry.uploads(), before);
}

/// A registry that sends who asks to this realm.
fn sends_to(realm: String) -> Liar {
    Liar::start(move |_, _| answer("401 Unauthorized", &format!("www-authenticate: Bearer realm=\"{realm}\"\r\n"), ""))
}

/// A realm that gives everybody a token.
fn gives_tokens() -> Liar {
    Liar::start(|_, _| answer("200 OK", "", r#"{"token": "a-token"}"#))
}

#[test]
fn a_password_is_not_sent_where_a_registry_says_but_where_it_belongs() {
    let stage = Stage::new();
    let thief = gives_tokens();
    let registry = sends_to(format!("http://localhost:{}/token?x=1", thief.port()));
    let address = format!("127.0.0.1:{}", registry.port());
    let target = format!("oci://{address}/tollgate:1.0");
    stage.log_in(&address, PASSWORD);
    let why = refused(&stage.push(&[&target, "--plain-http"]));
    let asked = format!("`{address}` wants the password sent to `http://localhost:{}`", thief.port());
    assert!(why.contains(&asked) && why.contains("--token-host localhost"), "{why}");
    assert_eq!((registry.authorizations(), thief.heads()), (vec![], vec![]));
    // the caller knows that place
    refused(&stage.push(&[&target, "--plain-http", "--token-host", "localhost"]));
    assert_eq!(thief.authorizations(), [format!("Basic {}", encoded(PASSWORD))]);
    assert!(
        thief.heads()[0].starts_with("GET /token?x=1&scope=repository%3Atollgate%3Apull%2Cpush "),
        "{:?}",
        thief.heads()
    );
    // what was given there is shown to the registry, and nothing else
    let shown = registry.authorizations();
    assert!(!shown.is_empty() && shown.iter().all(|shown| shown == "Bearer a-token"), "{shown:?}");
}

#[test]
fn a_registry_that_changes_its_mind_gets_no_more_than_it_was_given() {
    for first in ["Basic realm=\"x\"", "Bearer realm=\"OWN\""] {
        let stage = Stage::new();
        let thief = gives_tokens();
        let (there, first) = (format!("http://localhost:{}/token", thief.port()), first.to_owned());
        let own = gives_tokens();
        let realm = format!("http://127.0.0.1:{}/token", own.port());
        let registry = Liar::start(move |number, _| {
            let challenge =
                if number == 0 { first.replace("OWN", &realm) } else { format!("Bearer realm=\"{there}\"") };
            answer("401 Unauthorized", &format!("www-authenticate: {challenge}\r\n"), "")
        });
        let address = format!("127.0.0.1:{}", registry.port());
        stage.log_in(&address, PASSWORD);
        let why = refused(&stage.push(&[&format!("oci://{address}/tollgate:1.0"), "--plain-http"]));
        assert!(why.contains("does not take the credentials"), "{why}");
        assert_eq!(thief.heads(), Vec::<String>::new(), "{first_shown:?}", first_shown = registry.authorizations());
    }
}

#[test]
fn a_password_is_not_carried_on_by_a_redirect() {
    let stage = Stage::new();
    let thief = gives_tokens();
    let there = format!("location: http://localhost:{}/token\r\n", thief.port());
    let realm = Liar::start(move |_, _| answer("307 Temporary Redirect", &there, ""));
    let registry = sends_to(format!("http://127.0.0.1:{}/token", realm.port()));
    let address = format!("127.0.0.1:{}", registry.port());
    stage.log_in(&address, PASSWORD);
    refused(&stage.push(&[&format!("oci://{address}/tollgate:1.0"), "--plain-http"]));
    assert_eq!(realm.authorizations(), [format!("Basic {}", encoded(PASSWORD))]);
    assert_eq!(thief.authorizations(), Vec::<String>::new());
}

#[test]
fn an_upload_elsewhere_goes_without_what_lets_in() {
    for challenge in ["Basic realm=\"x\"", "Bearer realm=\"OWN\""] {
        let stage = Stage::new();
        let elsewhere = Liar::start(|_, _| answer("403 Forbidden", "", "no\u{1b}[31m entry"));
        let own = gives_tokens();
        let challenge = challenge.replace("OWN", &format!("http://127.0.0.1:{}/token", own.port()));
        let there = format!("location: http://localhost:{}/upload?secret\r\n", elsewhere.port());
        let registry = Liar::start(move |_, head| match head.split(' ').next() {
            _ if head.starts_with("GET /v2/ ") => {
                answer("401 Unauthorized", &format!("www-authenticate: {challenge}\r\n"), "")
            }
            Some("POST") => answer("202 Accepted", &there, ""),
            _ => answer("404 Not Found", "", ""),
        });
        let address = format!("127.0.0.1:{}", registry.port());
        stage.log_in(&address, PASSWORD);
        let why = refused(&stage.push(&[&format!("oci://{address}/tollgate:1.0"), "--plain-http"]));
        assert!(why.contains("it answers 403: no [31m entry") && !why.contains("secret"), "{why:?}");
        assert!(!elsewhere.heads().is_empty() && !registry.authorizations().is_empty());
        assert_eq!(elsewhere.authorizations(), Vec::<String>::new());
    }
}

#[test]
fn what_a_helper_prints_is_not_told() {
    let stage = Stage::new();
    let helper = stage.file("docker-credential-broken");
    std::fs::write(&helper, format!("#!/bin/sh\necho {PASSWORD}\nexit 1\n")).unwrap();
    std::fs::set_permissions(&helper, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::write(stage.file("config.json"), r#"{"credsStore": "broken"}"#).unwrap();
    let path = format!("{}:{}", stage.0.path().display(), std::env::var("PATH").unwrap());
    let output = Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .args(["push", "oci://127.0.0.1:1/tollgate:1.0", "--module", "filter.wasm"])
        .current_dir(stage.0.path())
        .env("DOCKER_CONFIG", stage.0.path())
        .env("PATH", path)
        .output()
        .unwrap();
    assert!(refused(&output).contains("no usable credentials for `127.0.0.1:1`"), "{output:?}");
}

#[test]
fn a_registry_without_tls_is_told_apart_from_one_that_is_not_there() {
    let (stage, registry) = (Stage::new(), Registry::start(None));
    for login in [false, true] {
        if login {
            stage.log_in(&registry.address(), PASSWORD);
        }
        let why = refused(&stage.push(&[&format!("oci://{}/tollgate:1.0", registry.address())]));
        assert!(why.ends_with(&format!("`{}` answers in plain HTTP: add --plain-http\n", registry.address())), "{why}");
    }
    let why = refused(&stage.push(&["oci://registry.invalid:5000/tollgate:1.0"]));
    assert!(why.ends_with("`registry.invalid:5000` has no address (DNS)\n"), "{why}");
    let tls = Liar::start(|_, _| answer("400 Bad Request", "", "Client sent an HTTP request to an HTTPS server.\n"));
    let why = refused(&stage.push(&[&format!("oci://127.0.0.1:{}/tollgate:1.0", tls.port()), "--plain-http"]));
    assert!(why.contains("speaks TLS: leave out --plain-http"), "{why}");
}
