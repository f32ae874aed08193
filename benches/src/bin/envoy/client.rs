//! Callers: many workloads, each with its own certificate on its own connection.

use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use tollgate_local::lab::Lab;
use tollgate_local::pki::{GATEWAY_NAME, Signer};
use tollgate_local::wire;

use crate::chain::Chain;
use crate::limits::{self, Quotas};
use tollgate_bench::shapes::{Request, Shape};

/// Workloads.
pub(crate) const CONNECTIONS: usize = 256;
/// Workloads that wait for an answer at a time: Envoy finds so many requests whenever it wakes up, and what it spends
/// on waking up is a small part.
pub(crate) const AHEAD: usize = 64;

/// Connections to one Envoy.
pub(crate) struct Client {
    workloads: Vec<Workload>,
}

/// One connection, and the requests that it sends again and again.
pub(crate) struct Workload {
    stream: BufReader<StreamOwned<ClientConnection, TcpStream>>,
    requests: Vec<Vec<u8>>,
    sent: usize,
    expected: u16,
}

impl Client {
    /// Connections whose identities are spread over the rules of a policy of shape A; or, where the chain takes
    /// identities from a header, over those.
    pub(crate) fn connect(lab: &Lab, address: SocketAddr, chain: Chain) -> Result<Client> {
        let rules = chain.rules();
        let workload = |k: usize| -> Result<Workload> {
            let mut workload = Workload::connect(lab, address, &Shape::A.request(rules, k * rules / CONNECTIONS, k))?;
            if let Chain::Quotas(Quotas::Principals(principals)) = chain {
                workload.name_principals((k..principals.max(k + 1)).step_by(CONNECTIONS).map(|i| i % principals));
            }
            Ok(workload)
        };
        Ok(Client { workloads: (0..CONNECTIONS).map(workload).collect::<Result<_>>()? })
    }

    /// Sends so many requests, from workloads that are spread over all of them.
    pub(crate) fn run(&mut self, requests: usize) -> Result<()> {
        let stride = (CONNECTIONS / requests).max(1);
        let order: Vec<usize> = (0..requests).map(|request| request * stride % CONNECTIONS).collect();
        for group in order.chunks(AHEAD) {
            group.iter().try_for_each(|workload| self.workloads[*workload].send())?;
            group.iter().try_for_each(|workload| self.workloads[*workload].receive())?;
        }
        Ok(())
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
        let stream = BufReader::new(StreamOwned::new(connection, tcp));
        Ok(Workload { stream, requests: vec![request], sent: 0, expected })
    }

    /// Sends one request. Returns the time until its answer.
    pub(crate) fn ask(&mut self) -> Result<Duration> {
        let started = Instant::now();
        self.send()?;
        self.receive()?;
        Ok(started.elapsed())
    }

    fn send(&mut self) -> Result<()> {
        let stream = self.stream.get_mut();
        stream.write_all(&self.requests[self.sent % self.requests.len()])?;
        self.sent += 1;
        Ok(stream.flush()?)
    }

    fn receive(&mut self) -> Result<()> {
        let response = wire::receive(&mut self.stream, false)?;
        let last = &self.requests[(self.sent - 1) % self.requests.len()];
        ensure!(response.status == self.expected, "{} to {}", response.status, String::from_utf8_lossy(last));
        Ok(())
    }

    /// Has each request come from another of these principals.
    fn name_principals(&mut self, principals: impl Iterator<Item = usize>) {
        let Some(request) = self.requests.pop() else { return };
        let head = &request[..request.len() - 2];
        let of =
            |i| format!("{}: spiffe://cluster.local/ns/team-{}/sa/worker-{i:06}\r\n\r\n", limits::PRINCIPAL, i % 100);
        self.requests.extend(principals.map(|i| [head, of(i).as_bytes()].concat()));
    }
}
