//! `tollgate-local up`, `status` and `down`, as a person uses them.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tollgate_local::{demo::Script, module, paths, wire};

/// One directory with a gateway of its own, which is stopped at the end in any case.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        std::fs::copy(Script::policy_file(), place.policy()).unwrap();
        place
    }

    fn policy(&self) -> std::path::PathBuf {
        self.0.path().join("policy.yaml")
    }

    fn run(&self, arguments: &[&str], module: &Path) -> Output {
        Command::new(env!("CARGO_BIN_EXE_tollgate-local"))
            .args(arguments)
            .env(paths::LOCAL, self.0.path())
            .env(module::HTTP.variable, module)
            .env("TOLLGATE_POLICY", self.policy())
            .output()
            .unwrap()
    }

    fn edit(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.policy()).unwrap();
        assert!(text.contains(from), "{from}");
        std::fs::write(self.policy(), text.replace(from, to)).unwrap();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.run(&["down"], Path::new("unused"));
    }
}

fn said(output: &Output) -> String {
    let Output { stdout, stderr, .. } = output;
    format!("{}{}", String::from_utf8_lossy(stdout), String::from_utf8_lossy(stderr))
}

/// Finds the port of the caller whose commands stand below `# as NAME (IDENTITY)`.
fn listener(said: &str, caller: &str, identity: &str) -> SocketAddr {
    let mut lines = said.lines().skip_while(|line| *line != format!("# as {caller} ({identity})"));
    let command = lines.nth(1).unwrap();
    command.split_once("::").unwrap().1.split(' ').next().unwrap().parse().unwrap()
}

const CHECKOUT: &str = "spiffe://cluster.local/ns/payments/sa/checkout";

fn admin_path(caller: SocketAddr) -> u16 {
    post(caller, "/v1/admin/keys")
}

fn charge(caller: SocketAddr) -> u16 {
    post(caller, "/v1/charges")
}

fn post(caller: SocketAddr, path: &str) -> u16 {
    let mut stream = TcpStream::connect(caller).unwrap();
    let request = format!("POST {path} HTTP/1.1\r\nhost: api.cards.example\r\ncontent-length: 0\r\n\r\n");
    wire::exchange(&mut stream, request.as_bytes()).unwrap().status
}

fn eventually(what: &str, holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(10), "{what}");
        sleep(Duration::from_millis(20));
    }
}

#[test]
fn an_edited_policy_takes_effect_without_a_restart_and_a_bad_one_is_explained() {
    let module = module::HTTP.find_or_build().unwrap();
    let place = Place::new();
    let up = place.run(&["up", "--port", "0"], &module);
    assert!(up.status.success(), "{}", said(&up));
    let payments = listener(&said(&up), "payments", CHECKOUT);
    let status = said(&place.run(&["status"], &module));
    assert!(status.starts_with(&format!("Policy:    {}: serving\n", place.policy().display())), "{status}");
    assert!(status.contains(CHECKOUT) && status.contains(&payments.to_string()), "{status}");
    assert!(!status.contains("curl"), "the commands are told once: {status}");
    assert_eq!(admin_path(payments), 403);

    place.edit(r#"paths: ["/v1/charges","#, r#"paths: ["/v1/**","#);
    eventually("the edit takes effect", || admin_path(payments) == 200);

    place.edit("rules:", "rulez:");
    eventually("status tells of the bad key", || said(&place.run(&["status"], &module)).contains("rulez"));
    let status = said(&place.run(&["status"], &module));
    assert!(status.starts_with(&format!("Policy:    {}: rejected", place.policy().display())), "{status}");
    assert_eq!(admin_path(payments), 200);

    let again = place.run(&["up"], &module);
    assert!(again.status.success() && said(&again).contains("already"), "{}", said(&again));
    assert!(place.run(&["down"], &module).status.success());
    assert!(TcpStream::connect(payments).is_err());
    assert!(said(&place.run(&["down"], &module)).contains("was not running"));
}

#[test]
fn a_taken_port_is_a_clear_message() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let up = place.run(&["up", "--port", &port], &module::HTTP.find_or_build().unwrap());
    assert!(!up.status.success());
    assert!(said(&up).contains(&format!("port {port} is taken")), "{}", said(&up));
}

#[test]
fn a_bad_first_policy_is_explained() {
    let place = Place::new();
    place.edit("rules:", "rulez:");
    let up = place.run(&["up", "--port", "0"], &module::HTTP.find_or_build().unwrap());
    assert!(!up.status.success());
    assert!(said(&up).contains("rulez"), "{}", said(&up));
}

#[test]
fn a_policy_of_ones_own_brings_its_own_callers() {
    let module = module::HTTP.find_or_build().unwrap();
    let place = Place::new();
    place.edit("name: demo-egress", "name: own\nidentity: {trustDomains: [corp.example, partner.example]}");
    let partner = "spiffe://partner.example/ns/payments/sa/checkout";
    let up = place.run(&["up", "--port", "0", "--as", &format!("payments/checkout,{partner}")], &module);
    assert!(up.status.success(), "{}", said(&up));
    let payments = listener(&said(&up), "payments/checkout", "spiffe://corp.example/ns/payments/sa/checkout");
    assert_eq!(charge(payments), 200);
    assert_eq!(charge(listener(&said(&up), partner, partner)), 403);
    assert_eq!(charge(listener(&said(&up), "nobody", "no certificate")), 403);
    assert!(place.run(&["down"], &module).status.success());
}

#[test]
fn who_is_no_caller_is_said() {
    let place = Place::new();
    for (caller, why) in [("checkout", "write NAMESPACE/NAME"), ("Pay ments/x", "is no SPIFFE ID")] {
        let up = place.run(&["up", "--port", "0", "--as", caller], &module::HTTP.find_or_build().unwrap());
        assert!(!up.status.success());
        assert!(said(&up).contains(&format!("`{caller}`")) && said(&up).contains(why), "{}", said(&up));
    }
}

/// A checkout that was moved with what was built in it, and the program built in it: run there, it sees the files
/// there.
#[test]
fn a_moved_checkout_is_the_one_that_is_used() {
    let place = tempfile::tempdir().unwrap();
    let moved = place.path().join("moved");
    for file in ["envoy-local/scenarios.yaml", "envoy-local/policy.yaml", "wasm/Cargo.toml"] {
        std::fs::create_dir_all(moved.join(file).parent().unwrap()).unwrap();
        std::fs::copy(paths::root().join(file), moved.join(file)).unwrap();
    }
    std::fs::create_dir_all(moved.join("target/debug")).unwrap();
    let program = moved.join("target/debug/tollgate-local");
    std::fs::copy(env!("CARGO_BIN_EXE_tollgate-local"), &program).unwrap();
    let elsewhere = place.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    for folder in [&moved, &moved.join("wasm"), &elsewhere] {
        let help = Command::new(&program)
            .args(["up", "--help"])
            .current_dir(folder)
            .env_remove("CARGO_MANIFEST_DIR")
            .env_remove("TOLLGATE_POLICY")
            .output()
            .unwrap();
        let policy = moved.canonicalize().unwrap().join("envoy-local/policy.yaml");
        assert!(said(&help).contains(&format!("[default: {}]", policy.display())), "{}", said(&help));
    }
    // and a program that is not in one says so
    let lost = elsewhere.join("tollgate-local");
    std::fs::copy(&program, &lost).unwrap();
    let status =
        Command::new(&lost).arg("status").current_dir(&elsewhere).env_remove("CARGO_MANIFEST_DIR").output().unwrap();
    assert!(said(&status).contains("there is no checkout of tollgate here"), "{}", said(&status));
}
