//! "External" servers on loopback that keep everything they receive: whether a request got through is judged by
//! what arrived here, not by the status that the caller saw.

mod answer;
mod raw;
mod received;
mod tally;
mod tap;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

use crate::pki::Pki;
pub use answer::FORGED;
pub use raw::RawOrigin;
use received::Records;
pub use received::{Protocol, Received};
use tally::Tallies;
pub use tally::Tally;
use tap::Tap;

/// A recording HTTPS server: HTTP/1.1 and HTTP/2, upgrades and CONNECT tunnels (which it echoes). Requests for
/// `/tally/NAME` are counted instead of recorded.
#[derive(Debug)]
pub struct Origin {
    address: SocketAddr,
    records: Arc<Records>,
    tallies: Arc<Tallies>,
    // Dropped last, and with it everything that serves.
    _runtime: Runtime,
}

impl Origin {
    /// Serves on a free port of loopback.
    pub fn start(pki: &Pki) -> Result<Origin> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).context("no port for an origin")?;
        let address = listener.local_addr()?;
        let (records, tallies) = (Arc::new(Records::default()), Arc::new(Tallies::default()));
        let tls = TlsAcceptor::from(Arc::new(tls(pki)?));
        runtime.spawn(accept(listener, tls, Arc::clone(&records), Arc::clone(&tallies)));
        Ok(Origin { address, records, tallies, _runtime: runtime })
    }

    /// Address at which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything received since the last call.
    pub fn take(&self) -> Vec<Received> {
        self.records.take()
    }

    /// Counts of the requests for `/tally/NAME`.
    pub fn tally(&self, name: &str) -> Tally {
        self.tallies.get(name)
    }

    /// Lets requests for `/tally/NAME` go on that ordered to be held.
    pub fn release(&self, name: &str) {
        self.tallies.release(name);
    }

    /// Everything received since the last [`Origin::take`].
    pub fn received(&self) -> Vec<Received> {
        self.records.snapshot()
    }
}

fn tls(pki: &Pki) -> Result<rustls::ServerConfig> {
    let (chain, key) = pki.origin()?.der();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

async fn accept(listener: TcpListener, tls: TlsAcceptor, records: Arc<Records>, tallies: Arc<Tallies>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream, tls.clone(), Arc::clone(&records), Arc::clone(&tallies)));
    }
}

async fn serve(stream: TcpStream, tls: TlsAcceptor, records: Arc<Records>, tallies: Arc<Tallies>) {
    let Ok(stream) = tls.accept(stream).await else { return };
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let (tap, bytes) = Tap::new(stream);
    let io = TokioIo::new(tap);
    let taken = bytes.clone();
    let service =
        service_fn(|request| answer::answer(request, Arc::clone(&records), Arc::clone(&tallies), taken.clone()));
    let served = if is_http2 {
        http2::Builder::new(TokioExecutor::new())
            .enable_connect_protocol()
            .max_header_list_size(8 << 20)
            .serve_connection(io, service)
            .await
    } else {
        // hyper takes 100 headers and 400 KiB by default; the tests send more.
        http1::Builder::new()
            .max_headers(20_000)
            .max_buf_size(8 << 20)
            .serve_connection(io, service)
            .with_upgrades()
            .await
    };
    // What hyper could not read has arrived all the same.
    let rest = bytes.take();
    if served.is_err() && !is_http2 && !rest.is_empty() {
        records.add(Received::unreadable(rest));
    }
}
