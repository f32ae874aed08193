//! `tollgate render`: every object of Istio and Kubernetes that a policy needs at a gateway.

use super::error::CommandError;
use super::exit::Exit;
use super::input;
use crate::analysis::advice::{Advice, code, suppress};
use crate::analysis::lint;
use crate::mesh::render::folder::{self, FileDifference};
use crate::mesh::render::{Pack, Plan, Purpose, Rendered, patched, render, stream};
use crate::mesh::site::{self, Gateway, Permission, Site};
use crate::output::report::{self, Format, Plain, Report};
use crate::output::{self, Out, progress};
use crate::read::document::Document;
use crate::read::escape;
use crate::read::{self, Loaded, Rejected};
use serde_json::json;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use tollgate::policy::Severity;

/// Render the objects of Istio and Kubernetes that enforce a policy
///
/// One host needs one line in the policy and nothing else. The same policy and site give the same bytes. What a mesh
/// cannot do is a finding with the way out, and the exit code 1; a policy that `check` refuses is never rendered.
#[derive(Debug, clap::Args)]
pub(crate) struct RenderArguments {
    /// The policy: YAML or JSON files, or folders of them; `-` for stdin
    #[arg(required = true, value_name = "POLICY")]
    files: Vec<PathBuf>,
    /// Where it runs: the site file
    #[arg(long, value_name = "FILE")]
    site: PathBuf,
    /// The gateway to render for, if the site has several
    #[arg(long, value_name = "NAME")]
    gateway: Option<String>,
    /// Write files into this folder, patches for others included; else one stream of objects to stdout
    #[arg(long, short, value_name = "FOLDER", conflicts_with_all = ["check", "plan"])]
    output: Option<PathBuf>,
    /// Say what of this folder is not as it would be rendered, and exit with 1 if anything is
    #[arg(long, value_name = "FOLDER", conflicts_with = "plan")]
    check: Option<PathBuf>,
    /// Count the objects, and tell what is left to others
    #[arg(long)]
    plan: bool,
    /// How the policy stands in its object
    #[arg(long, value_enum, default_value_t)]
    pack: Pack,
    /// How to write objects (a Kubernetes List) and plans
    #[arg(long, value_enum, default_value_t)]
    format: Plain,
}

pub(crate) fn run(arguments: &RenderArguments) -> Result<Exit, CommandError> {
    let loaded = input::load(&arguments.files, Format::Human)?;
    let site = site::read(&arguments.site).map_err(|failure| CommandError::loading(failure, Format::Human))?;
    let gateway = choose(&site, arguments.gateway.as_deref())?;
    let document = input::document(&loaded)?;
    let mut advice = Advice::default();
    let rendered = progress::during("rendering", || {
        render(&loaded, &document, &site, gateway, Purpose::Render, arguments.pack, &mut advice)
    })?;
    let mut differences = BTreeSet::new();
    if let Some(folder) = &arguments.check {
        let (files, found) = (rendered.files()?, folder::read(folder).map_err(CommandError::Unreadable)?);
        patched::judge(&files, &found, &mut advice);
        differences = folder::differences(&files, &found);
    }
    let findings = suppress::only(read::locate(advice.findings, &loaded.files), &loaded.files);
    if findings.iter().any(|located| located.finding.severity == Severity::Error) {
        // the policy is valid, and a gateway would load it: what is wrong is what the site makes of it
        let rejected = Rejected { findings, files: loaded.files, noun: "rendering" };
        report::write(Format::Human, &Report::of_rejection(&rejected))?;
        return Ok(Exit::Findings);
    }
    report::findings(&findings, &loaded.files);
    write(arguments, &rendered, &differences)?;
    let warned = findings.iter().any(|located| located.finding.severity == Severity::Warning);
    Ok(if warned || !differences.is_empty() { Exit::Findings } else { Exit::Fine })
}

/// Warnings of rendering a policy for a site, and of what it means there; returns the gateway that they are about. A site that is
/// rejected is reported in the format.
pub(crate) fn advise(
    loaded: &Loaded,
    document: &Document,
    site: &Path,
    gateway: Option<&str>,
    format: Format,
    advice: &mut Advice,
) -> Result<Gateway, CommandError> {
    let site = site::read(site).map_err(|failure| CommandError::loading(failure, format))?;
    let gateway = choose(&site, gateway)?;
    render(loaded, document, &site, gateway, Purpose::Lint, Pack::Auto, advice)?;
    if gateway.envoy_filter == Permission::Forbidden && document.tripwire.is_none() {
        let message =
            "there is no `tripwire` header, and the site has no other proof of the filter's presence".to_owned();
        let fix =
            "write `tripwire: {header: x-egress-guard, values: [\"…\"]}`, with a secret of 16 bytes or more".to_owned();
        advice.add(code::NO_TRIPWIRE, String::new(), message, fix);
    }
    if gateway.ports.carrying().is_some() {
        lint::connections(document, advice);
    }
    Ok(gateway.clone())
}

fn choose<'s>(site: &'s Site, name: Option<&str>) -> Result<&'s Gateway, CommandError> {
    let names = || site.gateways.iter().map(|gateway| gateway.name.as_str()).collect::<Vec<_>>().join(", ");
    match (site.gateways.as_slice(), name) {
        ([gateway], None) => Ok(gateway),
        (gateways, Some(name)) => gateways
            .iter()
            .find(|gateway| gateway.name == name)
            .ok_or_else(|| CommandError::Usage(format!("the site has no gateway `{name}`; it has {}", names()))),
        (_, None) => {
            Err(CommandError::Usage(format!("the site has several gateways: name one with --gateway ({})", names())))
        }
    }
}

/// Writes the output that was asked for; `differences` are those of a folder that was to be checked.
fn write(
    arguments: &RenderArguments,
    rendered: &Rendered,
    differences: &BTreeSet<FileDifference>,
) -> Result<(), CommandError> {
    let is_stream = !arguments.plan && arguments.check.is_none() && arguments.output.is_none();
    let mut out = if is_stream { Out::data() } else { arguments.format.out() };
    match (arguments, arguments.format) {
        (RenderArguments { plan: true, .. }, Plain::Human) => output::render::plan(&Plan::of(rendered), &mut out)?,
        (RenderArguments { plan: true, .. }, Plain::Json) => report::pretty(&Plan::of(rendered), &mut out)?,
        (RenderArguments { check: Some(_), .. }, _) => {
            for difference in differences {
                let object = difference.object.as_ref().map(|object| format!("{object} of ")).unwrap_or_default();
                writeln!(out, "{}: {object}{}", difference.how.word(), difference.file)?;
            }
        }
        (RenderArguments { output: Some(folder), .. }, _) => {
            let files = rendered.files()?;
            if let Some(link) = folder::link(folder, files.keys()) {
                return Err(CommandError::Usage(format!(
                    "`{}` is a symbolic link, and nothing is written through one: remove it, or name where it leads",
                    escape::path(&link)
                )));
            }
            let earlier = folder::read(folder).map_err(CommandError::Unreadable)?;
            if let Some((name, _)) = earlier.iter().find(|(_, text)| !text.starts_with(&rendered.title())) {
                return Err(CommandError::Usage(format!(
                    "`{}` is of another policy or gateway: give each a folder of its own",
                    escape::path(&folder.join(name))
                )));
            }
            folder::write(folder, &files, &earlier)?;
            let (objects, files) = (rendered.objects.len(), files.len());
            writeln!(out, "{objects} objects in {files} files: {}", escape::path(folder))?;
            output::render::consequences(&rendered.consequences, &mut out)?;
        }
        (_, Plain::Human) => stream(&rendered.objects, &mut out)?,
        (_, Plain::Json) => {
            let items: Vec<_> = rendered.objects.iter().map(|object| &object.value).collect();
            report::pretty(&json!({"apiVersion": "v1", "kind": "List", "items": items}), &mut out)?;
        }
    }
    out.finish()?;
    Ok(())
}
