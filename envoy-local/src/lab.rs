//! The surroundings of a gateway: a directory, a PKI and the external server.

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::one_name::OneName;
use crate::origin::Origin;
use crate::pki::{CredentialFiles, Credentials, GATEWAY_NAME, ORIGIN_NAME, Pki};

/// Everything around gateways. Keep it longer than they live.
pub struct Lab {
    origin: Origin,
    pki: Pki,
    files: Files,
    dir: Dir,
}

/// PEM files for Envoy.
#[derive(Clone, Debug)]
pub struct Files {
    /// The gateway's certificate.
    pub gateway: CredentialFiles,
    /// Authorities of workloads.
    pub workload_bundle: PathBuf,
    /// The mesh's authority.
    pub mesh_bundle: PathBuf,
    /// The authority of external servers.
    pub origin_bundle: PathBuf,
}

impl Files {
    /// Writes them into a folder.
    pub fn write(pki: &Pki, folder: &Path) -> Result<Files> {
        let write = |name: &str, pem: String| -> Result<PathBuf> {
            let file = folder.join(name);
            std::fs::write(&file, pem)?;
            Ok(file)
        };
        Ok(Files {
            gateway: pki.gateway()?.write(folder, "gateway")?,
            workload_bundle: write("workloads-ca.crt", pki.workload_bundle())?,
            mesh_bundle: write("mesh-ca.crt", pki.mesh_bundle())?,
            origin_bundle: write("origins-ca.crt", pki.origin_bundle())?,
        })
    }
}

/// An mTLS connection to a gateway.
pub type Connection = StreamOwned<ClientConnection, TcpStream>;

/// A test that waits longer than this for an answer has failed.
const READ_TIMEOUT: Duration = Duration::from_secs(20);

impl Lab {
    /// A lab in a directory of its own, which goes with it; after a panic it stays, for its logs.
    pub fn temporary() -> Result<Lab> {
        Lab::new(Dir::Temporary(Some(tempfile::Builder::new().prefix("tollgate-").tempdir()?)))
    }

    /// A lab in this directory, which stays.
    pub fn in_dir(dir: &Path) -> Result<Lab> {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        Lab::new(Dir::Kept(dir.to_owned()))
    }

    fn new(dir: Dir) -> Result<Lab> {
        let pki = Pki::generate()?;
        let files = Files::write(&pki, dir.path())?;
        Ok(Lab { origin: Origin::start(&pki)?, pki, files, dir })
    }

    /// Folder with everything of the lab.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The external server.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The PKI.
    pub fn pki(&self) -> &Pki {
        &self.pki
    }

    /// PEM files for Envoy.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// Speaks to the gateway at an address as a workload that holds its key itself: no proxy of the mesh touches the bytes.
    ///
    /// # Errors
    /// No connection. A certificate that the gateway refuses shows only when something is read.
    pub fn connect(&self, gateway: SocketAddr, credentials: Option<&Credentials>, alpn: &[u8]) -> Result<Connection> {
        let config = self.client_config(credentials, alpn)?;
        let tcp = TcpStream::connect(gateway)?;
        tcp.set_read_timeout(Some(READ_TIMEOUT))?;
        tcp.set_nodelay(true)?;
        let connection = ClientConnection::new(Arc::new(config), ServerName::try_from(GATEWAY_NAME)?)?;
        Ok(StreamOwned::new(connection, tcp))
    }

    /// Speaks mTLS to the gateway at an address, and asks for a server of that name, as the mesh's proxies do: whatever the
    /// name is, the certificate has to be the gateway's.
    ///
    /// # Errors
    /// As [`Lab::connect`]; or the name is none that TLS can carry.
    pub fn connect_by_name(
        &self,
        gateway: SocketAddr,
        credentials: Option<&Credentials>,
        name: &str,
    ) -> Result<Connection> {
        let mut config = self.client_config(credentials, b"istio")?;
        config.alpn_protocols.clear();
        config.dangerous().set_certificate_verifier(Arc::new(OneName::new(self.pki.mesh_root(), GATEWAY_NAME)?));
        let tcp = TcpStream::connect(gateway)?;
        tcp.set_read_timeout(Some(READ_TIMEOUT))?;
        tcp.set_nodelay(true)?;
        let connection = ClientConnection::new(Arc::new(config), ServerName::try_from(name.to_owned())?)?;
        Ok(StreamOwned::new(connection, tcp))
    }

    /// TLS as an application speaks it to an external server that it calls by this name, over a connection of its own. The
    /// server's certificate has to be that of the lab's origin.
    ///
    /// # Errors
    /// The name is none that TLS can carry.
    pub fn https<S: std::io::Read + std::io::Write>(
        &self,
        name: &str,
        connection: S,
    ) -> Result<StreamOwned<ClientConnection, S>> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = Arc::new(OneName::new(self.pki.origin_root(), ORIGIN_NAME)?);
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        let inner = ClientConnection::new(Arc::new(config), ServerName::try_from(name.to_owned())?)?;
        Ok(StreamOwned::new(inner, connection))
    }

    /// TLS as such a workload speaks it.
    pub fn client_config(&self, credentials: Option<&Credentials>, alpn: &[u8]) -> Result<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.pki.mesh_root())?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        let mut config = match credentials {
            Some(credentials) => {
                let (chain, key) = credentials.der();
                builder.with_client_auth_cert(chain, key)?
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![alpn.to_vec()];
        Ok(config)
    }
}

#[derive(Debug)]
enum Dir {
    Kept(PathBuf),
    Temporary(Option<tempfile::TempDir>),
}

impl Dir {
    fn path(&self) -> &Path {
        match self {
            Dir::Kept(path) => path,
            Dir::Temporary(Some(dir)) => dir.path(),
            // Only while it is dropped.
            Dir::Temporary(None) => Path::new("."),
        }
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        if let Dir::Temporary(dir) = self
            && std::thread::panicking()
            && let Some(dir) = dir.take()
        {
            eprintln!("logs and configuration are kept in {}", dir.keep().display());
        }
    }
}
