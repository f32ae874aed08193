//! TLS on either side of an Envoy.

use std::path::Path;

use serde_json::{Value, json};

use super::type_url;
use crate::pki::CredentialFiles;

/// Demand for a client certificate. One that is shown is verified either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificate {
    /// No certificate, no connection.
    Required,
    /// A caller may come without, and is anonymous then.
    #[default]
    Optional,
}

/// Transport socket of a listener of the mesh: mTLS with callers for whom an authority of the bundle vouches.
pub fn downstream(own: &CredentialFiles, bundle: &Path, client: ClientCertificate) -> Value {
    json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": type_url("envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"),
            "require_client_certificate": client == ClientCertificate::Required,
            "common_tls_context": {
                "alpn_protocols": ["h2", "http/1.1"],
                "tls_certificates": [certificate(own)],
                "validation_context": {"trusted_ca": {"filename": bundle}},
            },
        },
    })
}

/// Transport socket of a cluster: TLS to a server of this name, for which an authority of the bundle vouches. A client
/// certificate is shown if there is one.
pub fn upstream(server: &str, bundle: &Path, own: Option<&CredentialFiles>) -> Value {
    json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": type_url("envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"),
            "sni": server,
            "common_tls_context": {
                "tls_certificates": own.map(certificate).into_iter().collect::<Vec<_>>(),
                "validation_context": {
                    "trusted_ca": {"filename": bundle},
                    "match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": server}}],
                },
            },
        },
    })
}

fn certificate(files: &CredentialFiles) -> Value {
    json!({"certificate_chain": {"filename": files.certificate}, "private_key": {"filename": files.key}})
}
