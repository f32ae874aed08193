//! A registry (OCI distribution specification 1.1).

use super::attached::Attachment;
use super::image::{Blob, Image};
use super::login::{self, Pass, RepositoryAddress};
use super::refused::{Refused, TIMEOUT, behind, is_no_tls, said, unreachable};
use http::HeaderValue;
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::errors::{OciDistributionError, OciErrorCode};
use oci_client::manifest::OCI_IMAGE_INDEX_MEDIA_TYPE;
use oci_client::secrets::RegistryAuth;
use oci_client::token_cache::RegistryTokenType;
use oci_client::{Client, Reference, RegistryOperation};
use serde_json::json;
use std::time::Duration;

/// Tries of what may go better in a moment.
const TRIES: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const AGENT: &str = concat!("tollgate/", env!("CARGO_PKG_VERSION"));

/// One repository of a registry.
pub(crate) struct Registry {
    client: Client,
    reference: Reference,
    auth: RegistryAuth,
    /// Tells whether docker's configuration has a password for it.
    is_known: bool,
}

/// Outcome of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pushed {
    /// Bytes of blobs and of the manifest that were sent.
    pub(crate) sent: usize,
}

impl Registry {
    /// Reaches a registry and shows it who asks.
    ///
    /// # Errors
    /// The credentials that docker's configuration names cannot be had, or may not go where the registry wants them.
    pub(crate) async fn open(
        reference: &Reference,
        plain_http: bool,
        token_hosts: &[String],
    ) -> Result<Registry, Refused> {
        let config = ClientConfig {
            protocol: if plain_http { ClientProtocol::Http } else { ClientProtocol::Https },
            connect_timeout: Some(TIMEOUT),
            read_timeout: Some(TIMEOUT),
            user_agent: AGENT,
            ..ClientConfig::default()
        };
        // TLS is what the rest of the project uses; where somebody chose another one before, that stays
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (registry, repository) = (reference.resolve_registry(), reference.repository());
        let password = login::password(registry)?;
        let is_known = password.is_some();
        let asking =
            reqwest::Client::builder().connect_timeout(TIMEOUT).read_timeout(TIMEOUT).user_agent(AGENT).build();
        let asking = asking.map_err(|error| Refused(format!("TLS cannot be set up: {error}")))?;
        let place = RepositoryAddress { registry, repository, plain_http, token_hosts };
        let client = Client::new(config);
        let auth = match login::log_in(&asking, place, password).await? {
            Pass::Shown(auth) => auth,
            Pass::Basic(user, password) => {
                // given for this registry alone: a later answer that asks for a token elsewhere gets nothing
                for operation in [RegistryOperation::Pull, RegistryOperation::Push] {
                    let pass = RegistryTokenType::Basic(user.clone(), password.clone());
                    client.tokens.insert(reference, operation, pass).await;
                }
                RegistryAuth::Anonymous
            }
        };
        Ok(Registry { client, reference: reference.clone(), auth, is_known })
    }

    /// Sends what the registry has not got: the tag moves once everything it points to is there, and what is said of the image
    /// follows.
    ///
    /// # Errors
    /// The registry cannot be reached, or refuses.
    pub(crate) async fn push(&self, image: &Image, attachments: &[Attachment]) -> Result<Pushed, Refused> {
        self.client.store_auth_if_needed(self.reference.resolve_registry(), &self.auth).await;
        let mut sent = self.manifest(&self.reference, &image.manifest, &[&image.layer, &image.config]).await?;
        for Attachment { document, config, manifest, .. } in attachments {
            let own = self.named(&manifest.digest);
            sent = sent.saturating_add(self.manifest(&own, manifest, &[document, config]).await?);
        }
        if !attachments.is_empty() {
            sent = sent.saturating_add(self.refer(&image.manifest, attachments).await?);
        }
        Ok(Pushed { sent })
    }

    /// Names the repository with something else in the tag's place.
    fn named(&self, tag: &str) -> Reference {
        let (registry, repository) = (self.reference.registry(), self.reference.repository());
        Reference::with_tag(registry.to_owned(), repository.to_owned(), tag.to_owned())
    }

    /// Sends a manifest and before it what it points to. Returns the number of bytes that were sent.
    async fn manifest(&self, to: &Reference, manifest: &Blob, blobs: &[&Blob]) -> Result<usize, Refused> {
        let known = self.retried(|| self.client.fetch_manifest_digest(to, &self.auth)).await;
        match known {
            Ok(digest) if digest == manifest.digest => return Ok(0),
            Ok(_) => {}
            Err(error) if is_absent(&error) => {}
            Err(error) => return Err(self.refused(&error)),
        }
        let mut sent = manifest.bytes.len();
        for blob in blobs {
            sent = sent.saturating_add(self.blob(blob).await?);
        }
        self.put(to, manifest).await?;
        let now = self.retried(|| self.client.fetch_manifest_digest(to, &self.auth)).await;
        let now = now.map_err(|error| self.refused(&error))?;
        if now != manifest.digest {
            return Err(Refused(format!("`{to}` took the image and names another afterwards: {now}")));
        }
        Ok(sent)
    }

    async fn put(&self, to: &Reference, manifest: &Blob) -> Result<(), Refused> {
        let kind = HeaderValue::from_str(&manifest.media_type).map_err(|error| Refused(error.to_string()))?;
        let put = || self.client.push_manifest_raw(to, manifest.bytes.clone(), kind.clone());
        self.retried(put).await.map_err(|error| self.refused(&error))?;
        Ok(())
    }

    /// Has the image list what is said of it. Registries that know referrers have done so; for the others the list is a tag (OCI
    /// distribution specification, section "Referrers Tag Schema").
    async fn refer(&self, image: &Blob, attachments: &[Attachment]) -> Result<usize, Refused> {
        let (registry, repository) = (self.reference.registry(), self.reference.repository());
        let subject = Reference::with_digest(registry.to_owned(), repository.to_owned(), image.digest.clone());
        let listed = self.retried(|| self.client.pull_referrers(&subject, None)).await;
        let listed = listed.map_err(|error| self.refused(&error))?;
        let is_listed = |of: &&Attachment| listed.manifests.iter().any(|entry| entry.digest == of.manifest.digest);
        let missing: Vec<&Attachment> = attachments.iter().filter(|attachment| !is_listed(attachment)).collect();
        if missing.is_empty() {
            return Ok(0);
        }
        let before = serde_json::to_value(&listed.manifests).map_err(|error| Refused(error.to_string()))?;
        let before = before.as_array().cloned().unwrap_or_default();
        let manifests: Vec<_> =
            before.into_iter().chain(missing.iter().map(|attachment| attachment.descriptor.clone())).collect();
        let index = json!({"schemaVersion": 2, "mediaType": OCI_IMAGE_INDEX_MEDIA_TYPE, "manifests": manifests});
        let index = Blob::new(OCI_IMAGE_INDEX_MEDIA_TYPE, index.to_string().into_bytes());
        self.put(&self.named(&image.digest.replace(':', "-")), &index).await?;
        Ok(index.bytes.len())
    }

    /// Returns the number of bytes that were sent.
    async fn blob(&self, blob: &Blob) -> Result<usize, Refused> {
        if self.has(blob).await? {
            return Ok(0);
        }
        let put = || self.client.push_blob(&self.reference, blob.bytes.clone(), &blob.digest);
        match self.retried(put).await {
            Ok(_) => {}
            // some registries take it and do not say where it is, which nobody asked
            Err(OciDistributionError::RegistryNoLocationError) if self.has(blob).await? => {}
            Err(error) => return Err(self.refused(&error)),
        }
        Ok(blob.bytes.len())
    }

    async fn has(&self, blob: &Blob) -> Result<bool, Refused> {
        let is_there = self.retried(|| self.client.blob_exists(&self.reference, &blob.digest)).await;
        is_there.map_err(|error| self.refused(&error))
    }

    /// Tries again what may go better in a moment.
    async fn retried<T, F>(&self, attempt: impl Fn() -> F) -> Result<T, OciDistributionError>
    where
        F: Future<Output = Result<T, OciDistributionError>>,
    {
        let mut pause = FIRST_PAUSE;
        let mut tries = 1;
        loop {
            match attempt().await {
                Err(error) if tries < TRIES && is_passing(&error) => {
                    tokio::time::sleep(pause).await;
                    pause = pause.saturating_mul(2);
                    tries = tries.saturating_add(1);
                }
                done => return done,
            }
        }
    }

    fn refused(&self, error: &OciDistributionError) -> Refused {
        let registry = self.reference.resolve_registry();
        Refused(match error {
            OciDistributionError::UnauthorizedError { .. } | OciDistributionError::AuthenticationFailure(_) => {
                let how = match self.is_known {
                    false => format!("docker's configuration has no credentials for it; `docker login {registry}`"),
                    true => "it does not take the credentials of docker's configuration".to_owned(),
                };
                format!("`{registry}` does not let `{}` be pushed: {how}", self.reference)
            }
            OciDistributionError::RequestError(error) => unreachable(registry, error),
            OciDistributionError::ServerError { code: 400, message, .. } if speaks_tls(message) => {
                format!("`{registry}` speaks TLS: leave out --plain-http")
            }
            // an address of an upload may let whoever has it upload
            OciDistributionError::ServerError { code, message, .. } => {
                format!("`{registry}` does not take `{}`: it answers {code}{}", self.reference, said(message))
            }
            OciDistributionError::RegistryError { envelope, .. } => {
                let words: Vec<&str> = envelope.errors.iter().map(|error| error.message.as_str()).collect();
                format!("`{registry}` does not take `{}`{}", self.reference, said(&words.join("; ")))
            }
            error => format!("`{registry}` does not take `{}`: {error}", self.reference),
        })
    }
}

/// Tells whether a server says that plain HTTP arrived where it speaks TLS.
fn speaks_tls(message: &str) -> bool {
    ["HTTP request to an HTTPS server", "plain HTTP request was sent to HTTPS port"]
        .iter()
        .any(|text| message.contains(text))
}

/// Tells whether a registry says that it has no such manifest, or no such repository.
fn is_absent(error: &OciDistributionError) -> bool {
    match error {
        OciDistributionError::ImageManifestNotFoundError(_) => true,
        OciDistributionError::ServerError { code, .. } => *code == 404,
        OciDistributionError::RequestError(error) => error.status().is_some_and(|status| status.as_u16() == 404),
        OciDistributionError::RegistryError { envelope, .. } => envelope.errors.iter().any(|error| {
            matches!(error.code, OciErrorCode::ManifestUnknown | OciErrorCode::NameUnknown | OciErrorCode::NotFound)
        }),
        _ => false,
    }
}

/// Tells an error after which another try may succeed.
fn is_passing(error: &OciDistributionError) -> bool {
    match error {
        OciDistributionError::ServerError { code, .. } => *code >= 500 || *code == 429,
        OciDistributionError::RequestError(error) => {
            !behind(error).any(is_no_tls)
                && error.status().is_none_or(|status| status.is_server_error() || status.as_u16() == 429)
        }
        OciDistributionError::RegistryError { envelope, .. } => {
            envelope.errors.iter().any(|error| error.code == OciErrorCode::Toomanyrequests)
        }
        _ => false,
    }
}
