//! Statements about an image, beside it: a bill of materials, where it comes from (OCI image specification, section "Guidelines for
//! Artifact Usage"; found through the registry's list of referrers).

use super::image::Blob;
use oci_client::manifest::OCI_IMAGE_MEDIA_TYPE;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A bill of materials (CycloneDX).
const CYCLONEDX: &str = "application/vnd.cyclonedx+json";
/// A statement about the image (in-toto attestation framework).
const STATEMENT: &str = "application/vnd.in-toto+json";
/// The build of the image (SLSA 1.0).
const PROVENANCE: &str = "https://slsa.dev/provenance/v1";

/// A document that refers to an image.
#[derive(Debug)]
pub(crate) struct Attachment {
    pub(crate) document: Blob,
    pub(crate) config: Blob,
    pub(crate) manifest: Blob,
    /// As lists of referrers have it.
    pub(crate) descriptor: Value,
}

impl Attachment {
    /// A bill of materials.
    pub(crate) fn sbom(document: Vec<u8>, image: &Blob) -> Attachment {
        Attachment::of(CYCLONEDX, document, image, &BTreeMap::new())
    }

    /// The build of the image, by whom and from what: a predicate, which becomes a statement about this image.
    pub(crate) fn provenance(predicate: &Value, image: &Blob) -> Attachment {
        let sha256 = image.digest.strip_prefix("sha256:").unwrap_or(&image.digest);
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": "tollgate", "digest": {"sha256": sha256}}],
            "predicateType": PROVENANCE,
            "predicate": predicate,
        });
        let annotations = [("in-toto.io/predicate-type", PROVENANCE)].into();
        Attachment::of(STATEMENT, statement.to_string().into_bytes(), image, &annotations)
    }

    fn of(kind: &str, document: Vec<u8>, image: &Blob, annotations: &BTreeMap<&str, &str>) -> Attachment {
        let document = Blob::new(kind, document);
        let config = Blob::new("application/vnd.oci.empty.v1+json", b"{}".to_vec());
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": OCI_IMAGE_MEDIA_TYPE,
            "artifactType": kind,
            "config": config.descriptor(),
            "layers": [document.descriptor()],
            "subject": image.descriptor(),
            "annotations": annotations,
        });
        let manifest = Blob::new(OCI_IMAGE_MEDIA_TYPE, manifest.to_string().into_bytes());
        let mut descriptor = manifest.descriptor();
        if let Some(descriptor) = descriptor.as_object_mut() {
            descriptor.insert("artifactType".to_owned(), kind.into());
            descriptor.insert("annotations".to_owned(), json!(annotations));
        }
        Attachment { document, config, manifest, descriptor }
    }
}
