//! Envoy's admin interface.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::wire;

/// The admin interface of one Envoy.
#[derive(Clone, Copy, Debug)]
pub struct Admin(pub(super) SocketAddr);

impl Admin {
    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.0
    }

    /// Body of the answer to `GET path`, whatever its status.
    pub fn page(&self, path: &str) -> Result<String> {
        self.ask("GET", path)
    }

    /// Body of the answer to `POST path`, whatever its status. Pages that change something want POST.
    pub fn post(&self, path: &str) -> Result<String> {
        self.ask("POST", path)
    }

    fn ask(&self, method: &str, path: &str) -> Result<String> {
        let mut stream = TcpStream::connect(self.0)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let request = format!("{method} {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n");
        let response = wire::exchange(&mut stream, request.as_bytes())?;
        Ok(String::from_utf8_lossy(&response.body).into_owned())
    }

    /// Tells whether Envoy says that it serves.
    pub fn is_ready(&self) -> bool {
        self.page("/ready").is_ok_and(|body| body.trim() == "LIVE")
    }

    /// The value of one counter or gauge; 0 where Envoy has none of that name (yet).
    pub fn stat(&self, name: &str) -> Result<u64> {
        let page = self.page("/stats")?;
        let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        value.map_or(Ok(0), |value| value.trim().parse().with_context(|| format!("`{name}` is no number: {value}")))
    }

    /// All counters and gauges as Prometheus scrapes them.
    pub fn prometheus(&self) -> Result<String> {
        self.page("/stats/prometheus")
    }

    /// Address of the listener of this name.
    ///
    /// # Errors
    /// Envoy does not answer, or has no such listener.
    pub fn listener(&self, name: &str) -> Result<SocketAddr> {
        let page: Value = serde_json::from_str(&self.page("/listeners?format=json")?)?;
        let listeners = page.get("listener_statuses").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let Some(listener) = listeners.iter().find(|listener| listener.get("name") == Some(&name.into())) else {
            bail!("Envoy has no listener `{name}`");
        };
        let socket = listener.pointer("/local_address/socket_address").context("listener without an address")?;
        let address = socket.get("address").and_then(Value::as_str).context("no address")?;
        let port = socket.get("port_value").and_then(Value::as_u64).context("no port")?;
        Ok(SocketAddr::new(address.parse()?, u16::try_from(port)?))
    }
}
