//! A registry of its own for a test, on loopback.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);

/// A running registry; it and all it stored go when it is dropped.
pub struct Registry {
    process: Child,
    address: SocketAddr,
    folder: tempfile::TempDir,
}

/// Moment at which a connection to a registry is cut.
#[derive(Clone, Copy)]
pub enum Cut {
    /// In the middle of the upload of a blob.
    AtBlob,
    /// Before the manifest arrives.
    AtManifest,
    /// The first two connections, before anything arrives.
    TwoAtFirst,
}

/// Response of a registry.
pub struct Answer {
    pub status: u16,
    head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

impl Registry {
    /// Starts a registry for these users (`htpasswd`, bcrypt), or for everybody.
    pub fn start(users: Option<&str>) -> Registry {
        let folder = tempfile::tempdir().unwrap();
        let mut last = String::new();
        // another process may take a port that was free a moment ago
        for _ in 0..5 {
            let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let mut config = format!(
                "version: 0.1\nlog: {{level: info, accesslog: {{disabled: false}}}}\nhttp: {{addr: '{address}'}}\n\
                 storage: {{filesystem: {{rootdirectory: {}/data}}}}\n",
                folder.path().display()
            );
            if let Some(users) = users {
                std::fs::write(folder.path().join("users"), users).unwrap();
                let users = folder.path().join("users");
                config.push_str(&format!("auth: {{htpasswd: {{realm: test, path: {}}}}}\n", users.display()));
            }
            std::fs::write(folder.path().join("config.yml"), config).unwrap();
            let log = File::create(folder.path().join("log")).unwrap();
            let mut process = Command::new(binary())
                .arg("serve")
                .arg(folder.path().join("config.yml"))
                .stdin(Stdio::null())
                .stdout(log.try_clone().unwrap())
                .stderr(log)
                .spawn()
                .unwrap();
            let deadline = Instant::now() + PATIENCE;
            while process.try_wait().unwrap().is_none() && Instant::now() < deadline {
                if TcpStream::connect(address).is_ok() {
                    return Registry { process, address, folder };
                }
                std::thread::yield_now();
            }
            let _ = process.kill();
            let _ = process.wait();
            last = std::fs::read_to_string(folder.path().join("log")).unwrap();
        }
        panic!("the registry does not start: {last}");
    }

    pub fn address(&self) -> String {
        self.address.to_string()
    }

    pub fn get(&self, path: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let accept = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json";
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {}\r\nAccept: {accept}\r\n\r\n", self.address).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("an answer");
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head, body: bytes[end + 4..].to_vec() }
    }

    /// Number of requests so far that send anything.
    pub fn uploads(&self) -> usize {
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap();
        ["\"PUT ", "\"POST ", "\"PATCH "].iter().map(|method| log.matches(method).count()).sum()
    }

    /// The address of a way to it on which connections are cut.
    pub fn behind(&self, cut: Cut) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, registry) = (listener.local_addr().unwrap(), self.address);
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let Ok(stream) = stream else { return };
                if number < 2 && matches!(cut, Cut::TwoAtFirst) {
                    continue;
                }
                std::thread::spawn(move || pass(stream, registry, cut));
            }
        });
        address
    }
}

/// Passes requests on, and answers back, until the request at which it cuts.
fn pass(mut client: TcpStream, registry: SocketAddr, cut: Cut) -> std::io::Result<()> {
    let mut server = TcpStream::connect(registry)?;
    let (mut from_server, mut to_client) = (server.try_clone()?, client.try_clone()?);
    std::thread::spawn(move || std::io::copy(&mut from_server, &mut to_client));
    let mut buffer = [0; 4096];
    loop {
        let count = client.read(&mut buffer)?;
        let piece = &buffer[..count];
        let has = |start: &[u8]| piece.windows(start.len()).any(|window| window == start);
        let is_cut = match cut {
            Cut::AtBlob => has(b"PATCH /v2/"),
            Cut::AtManifest => has(b"PUT /v2/tollgate/manifests/"),
            Cut::TwoAtFirst => false,
        };
        if count == 0 || is_cut {
            client.shutdown(std::net::Shutdown::Both)?;
            return server.shutdown(std::net::Shutdown::Both);
        }
        server.write_all(piece)?;
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn binary() -> PathBuf {
    let fetched = tollgate_tests::root().join(".tools/registry/usr/bin/docker-registry");
    let binary = std::env::var_os("TOLLGATE_REGISTRY").map_or(fetched, PathBuf::from);
    assert!(binary.is_file(), "{} is missing: run `make setup`, or name one in TOLLGATE_REGISTRY", binary.display());
    binary
}
