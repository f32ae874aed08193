//! Servers that are called by many names and have one certificate.

use std::sync::Arc;

use anyhow::Result;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use crate::pki::GATEWAY_NAME;

/// Has a server prove that it is the gateway, whatever name it was called by.
#[derive(Debug)]
pub(crate) struct OneName(Arc<WebPkiServerVerifier>);

impl OneName {
    /// Certificates of this authority count.
    pub(crate) fn new(root: CertificateDer<'static>) -> Result<OneName> {
        let mut roots = RootCertStore::empty();
        roots.add(root)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        Ok(OneName(WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build()?))
    }
}

impl ServerCertVerifier for OneName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _called: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let gateway = ServerName::try_from(GATEWAY_NAME).map_err(|error| Error::General(error.to_string()))?;
        self.0.verify_server_cert(end_entity, intermediates, &gateway, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
