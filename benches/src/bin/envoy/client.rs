//! Who asks: many workloads, each with its own certificate on its own connection.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use tollgate_local::lab::Lab;
use tollgate_local::pki::{GATEWAY_NAME, Signer};
use tollgate_local::wire;

use tollgate_bench::shapes::{Request, Shape};

/// Workloads.
pub(crate) const CONNECTIONS: usize = 256;
/// Requests under way at a time.
const THREADS: usize = 8;

/// Connections to one Envoy.
pub(crate) struct Client {
    workloads: Vec<Workload>,
}

/// One connection, and the request that it sends again and again.
pub(crate) struct Workload {
    stream: StreamOwned<ClientConnection, TcpStream>,
    request: Vec<u8>,
    expected: u16,
}

impl Client {
    /// Connections whose identities are spread over the rules of a policy of shape A.
    pub(crate) fn connect(lab: &Lab, address: SocketAddr, rules: usize) -> Result<Client> {
        let workload = |k: usize| Workload::connect(lab, address, &Shape::A.request(rules, k * rules / CONNECTIONS, k));
        Ok(Client { workloads: (0..CONNECTIONS).map(workload).collect::<Result<_>>()? })
    }

    /// Sends so many requests in all, one at a time on each connection.
    pub(crate) fn run(&mut self, requests: usize) -> Result<()> {
        let rounds = requests / CONNECTIONS;
        let rest = requests % CONNECTIONS;
        let chunk = CONNECTIONS / THREADS;
        let send = |(first, workloads): (usize, &mut [Workload])| -> Result<()> {
            for round in 0..=rounds {
                for (k, workload) in workloads.iter_mut().enumerate() {
                    if round < rounds || first * chunk + k < rest {
                        workload.ask()?;
                    }
                }
            }
            Ok(())
        };
        thread::scope(|scope| {
            let chunks = self.workloads.chunks_mut(chunk).enumerate();
            let threads: Vec<_> = chunks.map(|chunk| scope.spawn(move || send(chunk))).collect();
            threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| anyhow!("a client panicked"))?)
        })
    }
}

impl Workload {
    pub(crate) fn connect(lab: &Lab, address: SocketAddr, request: &Request) -> Result<Workload> {
        let credentials = lab.pki().workload(Signer::Mesh, &[&request.spiffe()])?;
        let config = Arc::new(lab.client_config(Some(&credentials), b"http/1.1")?);
        let tcp = TcpStream::connect(address)?;
        tcp.set_nodelay(true)?;
        tcp.set_read_timeout(Some(Duration::from_secs(20)))?;
        let connection = ClientConnection::new(config, ServerName::try_from(GATEWAY_NAME)?)?;
        let expected = if request.allowed { 200 } else { 403 };
        let (path, host) = (&request.path, &request.authority);
        let headers = "user-agent: bench\r\naccept: */*\r\naccept-encoding: gzip\r\nx-request-id: 0f3f3d2e-5a0c-4a7e-9a37-0b6e4c1d2f3a\r\n";
        let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n{headers}\r\n").into_bytes();
        Ok(Workload { stream: StreamOwned::new(connection, tcp), request, expected })
    }

    /// One request; how long its answer took.
    pub(crate) fn ask(&mut self) -> Result<Duration> {
        let started = Instant::now();
        let response = wire::exchange(&mut self.stream, &self.request)?;
        ensure!(response.status == self.expected, "{} to {}", response.status, String::from_utf8_lossy(&self.request));
        Ok(started.elapsed())
    }
}
