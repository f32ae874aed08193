//! An image as a folder (OCI image layout specification 1.0), for tools that read those.

use super::attached::Attachment;
use super::image::{Blob, Image};
use serde_json::json;
use std::path::Path;
use std::{fs, io};

/// Writes an image; what else lies in the folder stays.
///
/// # Errors
/// The folder cannot be written.
pub(crate) fn write(image: &Image, attachments: &[Attachment], folder: &Path, name: &str) -> io::Result<()> {
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs)?;
    let attached = attachments.iter().flat_map(|attached| [&attached.document, &attached.config, &attached.manifest]);
    for Blob { digest, bytes, .. } in [&image.layer, &image.config, &image.manifest].into_iter().chain(attached) {
        let hex = digest.strip_prefix("sha256:").unwrap_or(digest);
        fs::write(blobs.join(hex), bytes)?;
    }
    let mut descriptor = image.manifest.descriptor();
    if let Some(descriptor) = descriptor.as_object_mut() {
        descriptor.insert("annotations".to_owned(), json!({"org.opencontainers.image.ref.name": name}));
    }
    let attached = attachments.iter().map(|attached| attached.descriptor.clone());
    let manifests: Vec<_> = std::iter::once(descriptor).chain(attached).collect();
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": manifests,
    });
    fs::write(folder.join("oci-layout"), json!({"imageLayoutVersion": "1.0.0"}).to_string())?;
    fs::write(folder.join("index.json"), index.to_string())
}
