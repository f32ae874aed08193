//! `tollgate render`: every object of Istio and Kubernetes that a policy needs at a gateway.

mod addresses;
mod callers;
mod clusters;
mod consequences;
mod destinations;
mod dynamic;
mod entrance;
mod envoy_filter;
mod fit;
mod folder;
mod hosts;
mod inside;
mod limits;
mod literals;
mod lockdown;
mod network;
mod object;
mod output;
mod patches;
mod plan;
mod plugin;
mod removal;
mod replies;
mod resolved;
mod rest;
mod tripwire;
mod way;
mod yaml;

use self::consequences::Consequences;
use self::destinations::Destinations;
pub(super) use self::destinations::written_ports;
use self::hosts::Common;
use self::object::{Maker, Object};
use self::patches::Patch;
use self::plan::Plan;
use super::advice::{Advice, code, suppress};
use super::document::Document;
use super::exit::Exit;
use super::output::{Out, escape};
use super::report::{self, Format, Report};
use super::site::{self, Gateway, Permission, Routes, Site};
use super::source::{self, Loaded, Rejected};
use super::{Trouble, progress};
use serde_json::{Value, json};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tollgate::policy::Severity;

/// Render the objects of Istio and Kubernetes that enforce a policy
///
/// One host needs one line in the policy and nothing else. The same policy and site give the same bytes. What a mesh
/// cannot do is a finding with the way out, and the exit code 1; a policy that `check` refuses is never rendered.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
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
    pack: plugin::Pack,
    /// How to write objects (a Kubernetes List) and plans
    #[arg(long, value_enum, default_value_t)]
    format: report::Plain,
}

/// Everything that a policy needs at a gateway.
#[derive(Debug)]
struct Rendered {
    policy: String,
    gateway: String,
    revision: String,
    hosts: usize,
    objects: Vec<Object>,
    patches: Vec<Patch>,
    consequences: Consequences,
}

/// The target of a rendering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// To be applied: what leads nowhere is an error.
    Render,
    /// To be advised on.
    Lint,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Trouble> {
    let loaded = super::load(&arguments.files, Format::Human)?;
    let site = site::read(&arguments.site).map_err(|failure| Trouble::loading(failure, Format::Human))?;
    let gateway = choose(&site, arguments.gateway.as_deref())?;
    let document = super::document(&loaded)?;
    let mut advice = Advice::default();
    let rendered = progress::during("rendering", || {
        render(&loaded, &document, &site, gateway, Purpose::Render, arguments.pack, &mut advice)
    })?;
    let findings = suppress::only(source::locate(advice.findings, &loaded.files), &loaded.files);
    if findings.iter().any(|located| located.finding.severity == Severity::Error) {
        // the policy is valid, and a gateway would load it: what is wrong is what the site makes of it
        let rejected = Rejected { findings, files: loaded.files, noun: "rendering" };
        report::write(Format::Human, &Report::of_rejection(&rejected))?;
        return Ok(Exit::Findings);
    }
    report::findings(&findings, &loaded.files);
    let differs = write(arguments, &rendered)?;
    let warned = findings.iter().any(|located| located.finding.severity == Severity::Warning);
    Ok(if differs || warned { Exit::Findings } else { Exit::Fine })
}

/// What rendering a policy for a site has to say of it. A site that is rejected is reported in the format.
pub(super) fn advise(
    loaded: &Loaded,
    document: &Document,
    site: &Path,
    gateway: Option<&str>,
    format: Format,
    advice: &mut Advice,
) -> Result<(), Trouble> {
    let site = site::read(site).map_err(|failure| Trouble::loading(failure, format))?;
    let gateway = choose(&site, gateway)?;
    render(loaded, document, &site, gateway, Purpose::Lint, plugin::Pack::Auto, advice)?;
    if gateway.envoy_filter == Permission::Forbidden && document.tripwire.is_none() {
        let message =
            "there is no `tripwire` header, and the site has no other proof of the filter's presence".to_owned();
        let fix =
            "write `tripwire: {header: x-egress-guard, values: [\"…\"]}`, with a secret of 16 bytes or more".to_owned();
        advice.add(code::NO_TRIPWIRE, String::new(), message, fix);
    }
    Ok(())
}

fn choose<'s>(site: &'s Site, name: Option<&str>) -> Result<&'s Gateway, Trouble> {
    let names = || site.gateways.iter().map(|gateway| gateway.name.as_str()).collect::<Vec<_>>().join(", ");
    match (site.gateways.as_slice(), name) {
        ([gateway], None) => Ok(gateway),
        (gateways, Some(name)) => gateways
            .iter()
            .find(|gateway| gateway.name == name)
            .ok_or_else(|| Trouble::Usage(format!("the site has no gateway `{name}`; it has {}", names()))),
        (_, None) => {
            Err(Trouble::Usage(format!("the site has several gateways: name one with --gateway ({})", names())))
        }
    }
}

fn render(
    loaded: &Loaded,
    document: &Document,
    site: &Site,
    gateway: &Gateway,
    purpose: Purpose,
    pack: plugin::Pack,
    advice: &mut Advice,
) -> io::Result<Rendered> {
    fit::judge(document, site, gateway, advice);
    inside::judge(gateway, advice);
    callers::judge(document, site, advice);
    resolved::judge(document, gateway, advice);
    let maker = Maker { gateway, policy: &document.name };
    let destinations = Destinations::of(document, gateway, purpose, advice);
    let strip = removal::names(document);
    let mut objects = entrance::objects(&maker, &strip, advice);
    objects.extend(limits::objects(&maker));
    let policy = plugin::policy(&loaded.json)?;
    let revision = policy.get("revision").and_then(Value::as_str).unwrap_or_default().to_owned();
    objects.push(plugin::object(&maker, site, document, policy, pack, advice)?);
    objects.extend(tripwire::objects(&maker, site, document, advice));
    let common = Common::new(maker, site, document.default_port(), &strip);
    for (host, reached) in &destinations.hosts {
        objects.extend(common.objects(host, reached, advice));
    }
    objects.extend(rest::objects(&maker, site, &destinations));
    if gateway.routes == Routes::CatchAll {
        objects.extend(dynamic::objects(&maker, site, &destinations, &strip));
    }
    objects.push(network::object(&maker, site, &destinations));
    objects.extend(lockdown::objects(&maker, site));
    objects.sort_by_key(|object| object.part);
    let patches = patches::patches(&maker, site);
    Ok(Rendered {
        policy: document.name.clone(),
        gateway: gateway.name.clone(),
        revision,
        hosts: destinations.hosts.len(),
        objects,
        consequences: Consequences::of(site, gateway, &patches),
        patches,
    })
}

/// Writes what was asked for; whether a folder that was to be checked differs.
fn write(arguments: &Arguments, rendered: &Rendered) -> Result<bool, Trouble> {
    let is_stream = !arguments.plan && arguments.check.is_none() && arguments.output.is_none();
    let mut out = if is_stream { Out::data() } else { arguments.format.out() };
    let title = output::title(&rendered.policy, &rendered.gateway);
    let files = || output::files(&rendered.objects, &rendered.patches, &title);
    let mut differs = false;
    match (arguments, arguments.format) {
        (Arguments { plan: true, .. }, report::Plain::Human) => Plan::of(rendered).write(&mut out)?,
        (Arguments { plan: true, .. }, report::Plain::Json) => report::pretty(&Plan::of(rendered), &mut out)?,
        (Arguments { check: Some(folder), .. }, _) => {
            let found = folder::read(folder).map_err(Trouble::Unreadable)?;
            for difference in folder::differences(&files()?, &found) {
                differs = true;
                let object = difference.object.map(|object| format!("{object} of ")).unwrap_or_default();
                writeln!(out, "{}: {object}{}", difference.how.word(), difference.file)?;
            }
        }
        (Arguments { output: Some(folder), .. }, _) => {
            let files = files()?;
            if let Some(link) = folder::link(folder, files.keys()) {
                return Err(Trouble::Usage(format!(
                    "`{}` is a symbolic link, and nothing is written through one: remove it, or name where it leads",
                    escape::path(&link)
                )));
            }
            let earlier = folder::read(folder).map_err(Trouble::Unreadable)?;
            if let Some((name, _)) = earlier.iter().find(|(_, text)| !text.starts_with(title.as_str())) {
                return Err(Trouble::Usage(format!(
                    "`{}` is of another policy or gateway: give each a folder of its own",
                    escape::path(&folder.join(name))
                )));
            }
            folder::write(folder, &files, &earlier)?;
            let (objects, files) = (rendered.objects.len(), files.len());
            writeln!(out, "{objects} objects in {files} files: {}", escape::path(folder))?;
            rendered.consequences.write(&mut out)?;
        }
        (_, report::Plain::Human) => output::stream(&rendered.objects, &mut out)?,
        (_, report::Plain::Json) => {
            let items: Vec<_> = rendered.objects.iter().map(|object| &object.value).collect();
            report::pretty(&json!({"apiVersion": "v1", "kind": "List", "items": items}), &mut out)?;
        }
    }
    out.finish()?;
    Ok(differs)
}
