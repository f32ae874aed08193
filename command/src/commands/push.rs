//! `tollgate push`: the filter's module as an OCI image that Istio's agent takes.

use super::error::CommandError;
use super::exit::Exit;
use crate::mesh::push::{Attachment, Image, Pushed, Refused, Registry, layout};
use crate::output::progress;
use crate::output::report::{self, Plain};
use crate::read::Unreadable;
use crate::read::escape;
use oci_client::Reference;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Description of the image, which is of the filter and not of the command.
const DESCRIPTION: &str =
    "Decides the outbound requests of a mesh at its egress gateway: identity, host, path and quota.";

/// Push the filter to a registry, as an OCI image
///
/// The image has the form that Istio's agent takes: one gzipped layer that holds `plugin.wasm`. The same module makes the same
/// image, byte by byte, and what the registry already has is not sent again. Credentials are those of docker's configuration,
/// its helpers included (`docker login`); they go to that registry's own hosts and to no other. The tag moves last: a push that breaks off leaves it where it was.
#[derive(Debug, clap::Args)]
pub(crate) struct PushArguments {
    /// Where to: a repository and a tag
    #[arg(value_name = "oci://HOST/NAME:TAG", required_unless_present = "layout", value_parser = reference)]
    target: Option<Reference>,
    /// The module, as `make wasm` builds it
    #[arg(long, value_name = "FILE")]
    module: PathBuf,
    /// An annotation of the image, such as `org.opencontainers.image.revision=COMMIT`
    #[arg(long, value_name = "KEY=VALUE", value_parser = annotation)]
    annotation: Vec<(String, String)>,
    /// Attach a bill of materials (CycloneDX, JSON)
    #[arg(long, value_name = "FILE")]
    sbom: Option<PathBuf>,
    /// Attach how the module was built: the predicate of a SLSA provenance (JSON), of which a statement about this image is made
    #[arg(long, value_name = "FILE")]
    provenance: Option<PathBuf>,
    /// Speak plain HTTP to the registry
    #[arg(long)]
    plain_http: bool,
    /// A further host that may have the password: of a registry whose tokens come from elsewhere
    #[arg(long, value_name = "HOST")]
    token_host: Vec<String>,
    /// Write the image into this folder (an OCI image layout), and push it only if a registry is named
    #[arg(long, value_name = "FOLDER")]
    layout: Option<PathBuf>,
    /// How to write what was pushed
    #[arg(long, value_enum, default_value_t)]
    format: Plain,
}

/// Result of a push.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PushReport {
    /// Digest of the manifest: what `@sha256:…` pins.
    digest: String,
    /// Address that it was pushed to; none for a layout on disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    /// Value for `url` of a WasmPlugin.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// Bytes that were sent; 0 if the registry had everything.
    sent: usize,
}

pub(crate) fn run(arguments: &PushArguments) -> Result<Exit, CommandError> {
    let module = read(&arguments.module)?;
    if !module.starts_with(b"\0asm") {
        return Err(CommandError::Usage(format!("`{}` is no wasm module", escape::path(&arguments.module))));
    }
    let image = Image::of(&module, &annotations(&arguments.annotation))?;
    let attachments = attachments(arguments, &image)?;
    if let Some(folder) = &arguments.layout {
        let name = arguments.target.as_ref().and_then(Reference::tag).unwrap_or("latest");
        layout::write(&image, &attachments, folder, name)?;
    }
    let push = |target| push(&image, &attachments, target, arguments).map(|pushed| (target, pushed));
    let pushed = arguments.target.as_ref().map(push).transpose()?;
    let report = PushReport {
        url: pushed.map(|(target, _)| {
            format!("oci://{}/{}@{}", target.resolve_registry(), target.repository(), image.manifest.digest)
        }),
        reference: pushed.map(|(target, _)| format!("oci://{}", target.whole())),
        sent: pushed.map_or(0, |(_, pushed)| pushed.sent),
        digest: image.manifest.digest,
    };
    let mut out = arguments.format.out();
    match arguments.format {
        Plain::Human => human(&report, &mut out)?,
        Plain::Json => report::pretty(&report, &mut out)?,
    }
    out.finish()?;
    Ok(Exit::Fine)
}

fn read(file: &Path) -> Result<Vec<u8>, CommandError> {
    let unreadable = |error| CommandError::Unreadable(Unreadable { path: escape::path(file), error });
    std::fs::read(file).map_err(unreadable)
}

/// Reads the attestations to attach to the image. Files that are no JSON are refused before anything is pushed.
fn attachments(arguments: &PushArguments, image: &Image) -> Result<Vec<Attachment>, CommandError> {
    let read = |file: &PathBuf| -> Result<(Vec<u8>, Value), CommandError> {
        let bytes = read(file)?;
        let value: Value = serde_json::from_slice(&bytes)
            .map_err(|error| CommandError::Usage(format!("`{}` is no JSON: {error}", escape::path(file))))?;
        Ok((bytes, value))
    };
    let sbom = arguments.sbom.as_ref().map(read).transpose()?;
    let provenance = arguments.provenance.as_ref().map(read).transpose()?;
    let sbom = sbom.map(|(bytes, _)| Attachment::sbom(bytes, &image.manifest));
    let provenance = provenance.map(|(_, predicate)| Attachment::provenance(&predicate, &image.manifest));
    Ok(sbom.into_iter().chain(provenance).collect())
}

fn push(
    image: &Image,
    attachments: &[Attachment],
    target: &Reference,
    to: &PushArguments,
) -> Result<Pushed, CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let push = async {
        let registry = Registry::open(target, to.plain_http, &to.token_host).await?;
        registry.push(image, attachments).await
    };
    progress::during("pushing", || runtime.block_on(push)).map_err(refused)
}

fn refused(Refused(why): Refused) -> CommandError {
    CommandError::NotPushed(why)
}

fn human(report: &PushReport, out: &mut impl Write) -> io::Result<()> {
    match (&report.reference, report.sent) {
        (Some(reference), 0) => writeln!(out, "{reference} is up to date")?,
        (Some(reference), sent) => writeln!(out, "pushed {reference}, {sent} bytes")?,
        (None, _) => {}
    }
    writeln!(out, "digest {}", report.digest)?;
    report.url.as_ref().map_or(Ok(()), |url| writeln!(out, "pin    {url}"))
}

/// Annotations of the image (OCI image specification, section "Annotations"); given ones win.
fn annotations(given: &[(String, String)]) -> BTreeMap<String, String> {
    let own = [
        ("title", "tollgate"),
        ("description", DESCRIPTION),
        ("version", env!("CARGO_PKG_VERSION")),
        ("licenses", env!("CARGO_PKG_LICENSE")),
    ];
    let own = own.map(|(key, value)| (format!("org.opencontainers.image.{key}"), value.to_owned()));
    own.into_iter().chain(given.iter().cloned()).collect()
}

fn reference(text: &str) -> Result<Reference, String> {
    let name = match (text.strip_prefix("oci://"), text.split_once("://")) {
        (Some(name), _) => name,
        (None, Some((_, name))) => return Err(format!("write oci://{name}")),
        (None, None) if text.contains('/') => return Err(format!("write oci://{text}")),
        (None, None) => return Err("write oci://HOST/NAME:TAG".to_owned()),
    };
    let reference: Reference = name.parse().map_err(|error| format!("{error}"))?;
    match reference.digest() {
        Some(_) => Err("a digest names what is there already; write a tag".to_owned()),
        None => Ok(reference),
    }
}

fn annotation(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or("write KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}
