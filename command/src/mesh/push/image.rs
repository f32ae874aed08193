//! The image: the module in the one form that every client of registries, and Istio's agent, takes.
//!
//! An OCI image manifest with one gzipped layer that holds `plugin.wasm`. The same module makes the same bytes: nothing in it
//! knows when, where or by whom it was made.

use crate::read::sha256;
use flate2::{Compression, GzBuilder};
use oci_client::manifest::{IMAGE_CONFIG_MEDIA_TYPE, IMAGE_LAYER_GZIP_MEDIA_TYPE, OCI_IMAGE_MEDIA_TYPE};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{self, Write as _};

/// Name of the layer's file, by which Istio's agent finds it.
const FILE: &str = "plugin.wasm";

/// Bytes, and what a registry calls them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Blob {
    pub(crate) media_type: String,
    pub(crate) digest: String,
    pub(crate) bytes: Vec<u8>,
}

impl Blob {
    pub(crate) fn new(media_type: &str, bytes: Vec<u8>) -> Blob {
        Blob { media_type: media_type.to_owned(), digest: digest(&bytes), bytes }
    }

    /// As manifests point to it (OCI image specification, section "Content Descriptors").
    pub(crate) fn descriptor(&self) -> Value {
        json!({"mediaType": self.media_type, "digest": self.digest, "size": self.bytes.len()})
    }
}

/// A module as an image.
#[derive(Debug)]
pub(crate) struct Image {
    pub(crate) layer: Blob,
    pub(crate) config: Blob,
    pub(crate) manifest: Blob,
}

impl Image {
    /// # Errors
    /// It could not be packed.
    pub(crate) fn of(module: &[u8], annotations: &BTreeMap<String, String>) -> io::Result<Image> {
        let tar = tar(module)?;
        let mut gzip = GzBuilder::new().operating_system(255).write(Vec::new(), Compression::best());
        gzip.write_all(&tar)?;
        let layer = Blob::new(IMAGE_LAYER_GZIP_MEDIA_TYPE, gzip.finish()?);
        let config = json!({
            "architecture": "wasm",
            "os": "wasip1",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [digest(&tar)]},
        });
        let config = Blob::new(IMAGE_CONFIG_MEDIA_TYPE, config.to_string().into_bytes());
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": OCI_IMAGE_MEDIA_TYPE,
            "config": config.descriptor(),
            "layers": [layer.descriptor()],
            "annotations": annotations,
        });
        let manifest = Blob::new(OCI_IMAGE_MEDIA_TYPE, manifest.to_string().into_bytes());
        Ok(Image { layer, config, manifest })
    }
}

/// A tape archive (POSIX.1-1988, ustar) of one file.
fn tar(module: &[u8]) -> io::Result<Vec<u8>> {
    let mut header = tar::Header::new_ustar();
    header.set_size(module.len() as u64);
    header.set_mode(0o644);
    header.set_mtime(0);
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_data(&mut header, FILE, module)?;
    archive.into_inner()
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", sha256::hex(bytes))
}
