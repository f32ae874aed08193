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
            .env(module::OVERRIDE, module)
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

/// Where the workload listens whose commands stand below `# as NAME`.
fn listener(status: &str, workload: &str) -> SocketAddr {
    let mut lines = status.lines().skip_while(|line| *line != format!("# as {workload}"));
    let command = lines.nth(1).unwrap();
    command.split_once("::").unwrap().1.split(' ').next().unwrap().parse().unwrap()
}

fn admin_path(payments: SocketAddr) -> u16 {
    let mut stream = TcpStream::connect(payments).unwrap();
    let request = b"POST /v1/admin/keys HTTP/1.1\r\nhost: api.cards.example\r\ncontent-length: 0\r\n\r\n";
    wire::exchange(&mut stream, request).unwrap().status
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
    let module = module::find_or_build().unwrap();
    let place = Place::new();
    let up = place.run(&["up", "--port", "0"], &module);
    assert!(up.status.success(), "{}", said(&up));
    let payments = listener(&said(&up), "payments");
    assert_eq!(admin_path(payments), 403);

    place.edit(r#"paths: ["/v1/charges","#, r#"paths: ["/v1/**","#);
    eventually("the edit takes effect", || admin_path(payments) == 200);

    place.edit("rules:", "rulez:");
    eventually("status tells of the bad key", || said(&place.run(&["status"], &module)).contains("rulez"));
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
    let up = place.run(&["up", "--port", &port], &module::find_or_build().unwrap());
    assert!(!up.status.success());
    assert!(said(&up).contains(&format!("port {port} is taken")), "{}", said(&up));
}

#[test]
fn a_bad_first_policy_is_explained() {
    let place = Place::new();
    place.edit("rules:", "rulez:");
    let up = place.run(&["up", "--port", "0"], &module::find_or_build().unwrap());
    assert!(!up.status.success());
    assert!(said(&up).contains("rulez"), "{}", said(&up));
}
