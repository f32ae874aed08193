//! A throw-away PKI: the mesh's authority, a foreign one that the gateway's bundle also trusts, and the origins' one.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// The name that the gateway's certificate carries, for callers to check.
pub const GATEWAY_NAME: &str = "egress.gateway.internal";
/// The name that every origin's certificate carries, for the gateway to check.
pub const ORIGIN_NAME: &str = "origin.external";

/// Every authority of a local gateway.
pub struct Pki {
    mesh: Authority,
    foreign: Authority,
    origins: Authority,
}

/// Authority that signs a workload's certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Signer {
    /// The mesh's own.
    #[default]
    Mesh,
    /// One of another trust domain, which the gateway's bundle holds as federations do.
    Foreign,
}

impl Pki {
    /// New keys for everything.
    pub fn generate() -> Result<Pki> {
        Ok(Pki {
            mesh: Authority::generate("mesh")?,
            foreign: Authority::generate("foreign trust domain")?,
            origins: Authority::generate("external servers")?,
        })
    }

    /// A workload's certificate, whose only subject alternative names are these URIs.
    pub fn workload(&self, signer: Signer, uris: &[&str]) -> Result<Credentials> {
        let sans = uris
            .iter()
            .map(|uri| Ok(SanType::URI((*uri).try_into().with_context(|| format!("`{uri}` is not ASCII"))?)))
            .collect::<Result<Vec<_>>>()?;
        let authority = match signer {
            Signer::Mesh => &self.mesh,
            Signer::Foreign => &self.foreign,
        };
        authority.issue(sans)
    }

    /// The gateway's own certificate.
    pub fn gateway(&self) -> Result<Credentials> {
        self.mesh.issue(vec![SanType::DnsName(GATEWAY_NAME.try_into()?)])
    }

    /// A certificate for an external server.
    pub fn origin(&self) -> Result<Credentials> {
        self.origins.issue(vec![SanType::DnsName(ORIGIN_NAME.try_into()?)])
    }

    /// PEM of the authorities whose workloads the gateway lets speak at all: the mesh's and the foreign one.
    pub fn workload_bundle(&self) -> String {
        format!("{}{}", self.mesh.pem(), self.foreign.pem())
    }

    /// PEM of the authority of external servers.
    pub fn origin_bundle(&self) -> String {
        self.origins.pem()
    }

    /// PEM of the mesh's authority.
    pub fn mesh_bundle(&self) -> String {
        self.mesh.pem()
    }

    /// The mesh's authority, for a client to check the gateway with.
    pub fn mesh_root(&self) -> CertificateDer<'static> {
        self.mesh.0.der().clone()
    }

    /// The authority of external servers, for their clients.
    pub fn origin_root(&self) -> CertificateDer<'static> {
        self.origins.0.der().clone()
    }
}

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn generate(name: &str) -> Result<Authority> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, format!("tollgate throw-away CA, {name}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        Ok(Authority(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?))
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    fn issue(&self, sans: Vec<SanType>) -> Result<Credentials> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = sans;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.0)?;
        Ok(Credentials { certificate, key })
    }
}

/// A certificate and its key.
pub struct Credentials {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

/// Files in which [`Credentials`] lie as PEM.
#[derive(Clone, Debug)]
pub struct CredentialFiles {
    /// The certificate.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

impl Credentials {
    /// Certificate chain and key for rustls.
    pub fn der(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = PrivatePkcs8KeyDer::from(self.key.serialize_der());
        (vec![self.certificate.der().clone()], key.into())
    }

    /// Writes `NAME.crt` and `NAME.key` for Envoy.
    pub fn write(&self, dir: &Path, name: &str) -> Result<CredentialFiles> {
        let files =
            CredentialFiles { certificate: dir.join(format!("{name}.crt")), key: dir.join(format!("{name}.key")) };
        std::fs::write(&files.certificate, self.certificate.pem())?;
        std::fs::write(&files.key, self.key.serialize_pem())?;
        Ok(files)
    }
}
