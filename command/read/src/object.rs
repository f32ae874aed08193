//! Objects of a cluster that carry a policy: WasmPlugin, TrafficExtension, a Secret, and lists of such.

use super::file::File;
use super::finding::Located;
use super::span::Span;
use super::tree::Node;
use super::yaml;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeSet;
use tollgate::policy::code;

/// Kinds of objects that configure a filter.
const PLUGINS: [&str; 2] = ["WasmPlugin", "TrafficExtension"];
/// The objects from which a policy is read, as findings list them.
const CARRIERS: &str =
    "a policy begins `version: 1` and `name: …`, or is that of a WasmPlugin, a TrafficExtension or a Secret";
/// Names that a finding lists.
const NAMES_SHOWN: usize = 8;

/// A document of a file.
pub(super) struct Document<'t> {
    pub(super) root: Node<'t>,
    pub(super) file: &'t File,
}

/// Tells whether a JSON text is an object of a cluster. It is only skipped through.
pub(super) fn is_object(text: &str) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Header<'t> {
        #[serde(borrow)]
        api_version: Option<&'t RawValue>,
        #[serde(borrow)]
        kind: Option<&'t RawValue>,
    }
    let header = serde_json::from_str::<Header<'_>>(text);
    header.is_ok_and(|header| header.api_version.is_some() && header.kind.is_some())
}

/// An object of a cluster.
#[derive(Clone, Copy)]
pub(super) struct Object<'n, 't> {
    pub(super) kind: &'n str,
    node: &'n Node<'t>,
}

impl<'n, 't> Object<'n, 't> {
    pub(super) fn of(node: &'n Node<'t>) -> Option<Self> {
        node.get("apiVersion")?.text()?;
        Some(Object { kind: node.get("kind")?.text()?, node })
    }

    fn name(self) -> Option<&'n str> {
        self.node.get("metadata")?.get("name")?.text()
    }

    fn namespace(self) -> Option<&'n str> {
        self.node.get("metadata")?.get("namespace")?.text()
    }

    /// Itself, or the objects of a list.
    fn all(self) -> Vec<Object<'n, 't>> {
        match self.node.get("items") {
            Some(items) if self.kind.ends_with("List") => items.items().iter().filter_map(Object::of).collect(),
            _ => vec![self],
        }
    }

    fn is_plugin(self) -> bool {
        PLUGINS.contains(&self.kind)
    }

    /// The configuration of the filter that it configures.
    fn config(self) -> Option<&'n Node<'t>> {
        let spec = self.node.get("spec")?;
        spec.get("wasm").and_then(|wasm| wasm.get("pluginConfig")).or_else(|| spec.get("pluginConfig"))
    }

    /// Tells whether the filter is Tollgate, as far as its name or its configuration says.
    fn is_tollgate(self) -> bool {
        let spec = self.node.get("spec");
        let named = |node: Option<&Node<'_>>| {
            let name = node.and_then(|node| node.get("pluginName")).and_then(Node::text);
            name.is_some_and(|name| name.starts_with("tollgate"))
        };
        named(spec) || named(spec.and_then(|spec| spec.get("wasm"))) || self.config().is_some_and(looks_like_policy)
    }

    /// Says what it is, where `noun` is expected.
    pub(super) fn is_no(self, noun: &str) -> Located {
        let article = if self.kind.starts_with(['A', 'E', 'I', 'O', 'U']) { "an" } else { "a" };
        let message = format!("this is {article} {}, an object of Kubernetes, not a {noun}", self.kind);
        let fix = match self.kind {
            "AuthorizationPolicy" => {
                "a policy begins `version: 1` and `name: …`; what the object allows is written as a rule: \
                 `{id: …, from: [{serviceAccount: …}], to: [{hosts: […], methods: […], paths: […]}]}`"
            }
            _ => CARRIERS,
        };
        Located::error(code::TYPE, self.place(), message, Some(fix.to_owned()))
    }

    /// Span of the object's `kind`; the whole object if it has none.
    fn place(self) -> Span {
        self.node.get("kind").map_or(self.node.place, |kind| kind.place)
    }

    /// ``WasmPlugin `egress` ``.
    fn shown(self) -> String {
        match self.name() {
            Some(name) => format!("{} `{name}`", self.kind),
            None => self.kind.to_owned(),
        }
    }
}

/// Tells whether a map has what every policy has.
fn looks_like_policy(node: &Node<'_>) -> bool {
    node.get("version").is_some() && node.get("name").is_some()
}

/// A policy that something carries.
struct Carried<'t> {
    name: String,
    namespace: Option<String>,
    policy: Node<'t>,
    /// Tells whether the filter is Tollgate, as far as it can be known.
    is_tollgate: bool,
}

impl Carried<'_> {
    fn is(&self, name: &str) -> bool {
        self.name == name
            || self.namespace.as_ref().is_some_and(|namespace| format!("{namespace}/{}", self.name) == name)
    }
}

/// Adds the texts that Secrets among the files hold, if they are policies or objects that carry one. Nothing else of a
/// Secret is looked at, so that no finding shows it.
pub(super) fn unfold(files: &mut Vec<File>) {
    let mut parts = Vec::new();
    for file in files.iter().filter(|file| file.text().is_ok_and(|text| text.contains("Secret"))) {
        let Ok(documents) = yaml::documents(file) else { continue };
        let objects = documents.roots.iter().filter_map(Object::of).flat_map(Object::all);
        for object in objects.filter(|object| object.kind == "Secret") {
            let name = object.name().unwrap_or("Secret");
            for (key, bytes) in texts(object) {
                let index = files.len().saturating_add(parts.len());
                let part = file.part(index, name, key, bytes);
                if is_of_interest(&part) {
                    parts.push(part);
                }
            }
        }
    }
    files.append(&mut parts);
}

/// The texts of a Secret.
fn texts<'n>(secret: Object<'n, '_>) -> impl Iterator<Item = (&'n str, Vec<u8>)> {
    let entries = |key| secret.node.get(key).map(Node::entries).unwrap_or_default().iter();
    let decoded = entries("data").filter_map(|entry| {
        let base64: String = entry.value.text()?.split_whitespace().collect();
        Some((entry.key.text()?, STANDARD.decode(base64).ok()?))
    });
    let plain = entries("stringData").filter_map(|entry| Some((entry.key.text()?, entry.value.text()?.into())));
    decoded.chain(plain)
}

fn is_of_interest(part: &File) -> bool {
    yaml::documents(part).is_ok_and(|documents| {
        let objects = || documents.roots.iter().filter_map(Object::of).flat_map(Object::all);
        documents.roots.iter().any(looks_like_policy) || objects().any(Object::is_plugin)
    })
}

/// Parts documents from the objects that carry them.
///
/// # Errors
/// Objects that carry no policy, or more than one.
pub(super) fn policies(documents: Vec<Document<'_>>) -> Result<Vec<Node<'_>>, Vec<Located>> {
    let is_carrier =
        |document: &Document<'_>| Object::of(&document.root).is_some() || document.file.part_of().is_some();
    let chosen = documents.iter().find(|document| document.file.chosen().is_some());
    if !documents.iter().any(is_carrier) && chosen.is_none() {
        return Ok(documents.into_iter().map(|document| document.root).collect());
    }
    // a policy beside objects would be joined with that of the object
    if let Some(plain) = documents.iter().find(|document| !is_carrier(document)) {
        let Some(object) = documents.iter().find_map(|document| Object::of(&document.root)) else {
            let name = plain.file.chosen().unwrap_or_default();
            let message = format!("`#{name}` names an object, and this is none");
            let fix = "leave `#` and the name away".to_owned();
            return Err(vec![Located::error(code::TYPE, plain.root.place, message, Some(fix))]);
        };
        return Err(vec![beside(object)]);
    }
    let Found { mut carried, unconfigured, others } = Found::among(&documents);
    let error = |message: String, fix: String| match documents.first() {
        Some(document) => Err(vec![Located::error(code::TYPE, document.root.place, message, Some(fix))]),
        None => Err(Vec::new()),
    };
    if let Some(name) = documents.iter().find_map(|document| document.file.chosen()) {
        let known = names(&carried);
        carried.retain(|carried| carried.is(name));
        if carried.is_empty() {
            return error(format!("no object `{name}` carries a policy"), format!("those that do are {known}"));
        }
    } else if carried.iter().any(|carried| carried.is_tollgate) {
        // filters of others may stand beside it
        carried.retain(|carried| carried.is_tollgate);
    }
    if carried.len() > 1 {
        let fix = format!("choose one, as `FILE#NAME`: the names are {}", names(&carried));
        return error(format!("{} objects carry a policy", carried.len()), fix);
    }
    if let Some(carried) = carried.pop() {
        return Ok(vec![carried.policy]);
    }
    match (unconfigured, others.as_slice()) {
        (Some(object), _) => {
            let fix = "give the object that the filter's configuration stands in".to_owned();
            error(format!("the {} has no `pluginConfig`", object.shown()), fix)
        }
        (None, [object]) => Err(vec![object.is_no("policy")]),
        (None, []) => error("the list of objects is empty".to_owned(), CARRIERS.to_owned()),
        (None, _) => {
            let kinds: BTreeSet<&str> = others.iter().map(|object| object.kind).collect();
            let kinds = Vec::from_iter(kinds).join(", ");
            error(format!("none of these objects carries a policy: {kinds}"), CARRIERS.to_owned())
        }
    }
}

/// Objects, parted by whether they carry a policy.
#[derive(Default)]
struct Found<'n, 't> {
    carried: Vec<Carried<'t>>,
    /// A filter without a configuration.
    unconfigured: Option<Object<'n, 't>>,
    others: Vec<Object<'n, 't>>,
}

impl<'n, 't> Found<'n, 't> {
    fn among(documents: &'n [Document<'t>]) -> Self {
        let mut found = Found::default();
        for document in documents {
            let Some(object) = Object::of(&document.root) else {
                let name = document.file.part_of().unwrap_or_default().to_owned();
                let policy = document.root.clone();
                found.carried.push(Carried { name, namespace: None, policy, is_tollgate: true });
                continue;
            };
            object.all().into_iter().for_each(|object| found.add(object));
        }
        found
    }

    fn add(&mut self, object: Object<'n, 't>) {
        match object.config() {
            Some(config) if object.is_plugin() => self.carried.push(Carried {
                name: object.name().unwrap_or_default().to_owned(),
                namespace: object.namespace().map(str::to_owned),
                policy: config.clone(),
                is_tollgate: object.is_tollgate(),
            }),
            None if object.is_plugin() => self.unconfigured = self.unconfigured.or(Some(object)),
            _ => self.others.push(object),
        }
    }
}

fn names(carried: &[Carried<'_>]) -> String {
    let ambiguous = |name: &str| carried.iter().filter(|carried| carried.name == name).count() > 1;
    let shown = carried.iter().take(NAMES_SHOWN).map(|carried| match &carried.namespace {
        Some(namespace) if ambiguous(&carried.name) => format!("`{namespace}/{}`", carried.name),
        _ => format!("`{}`", carried.name),
    });
    let names: Vec<String> = shown.collect();
    let more = if carried.len() > names.len() { " and others" } else { "" };
    format!("{}{more}", names.join(", "))
}

/// An object among files of a policy.
fn beside(object: Object<'_, '_>) -> Located {
    if !object.is_plugin() {
        return object.is_no("policy");
    }
    let message = format!("the {} carries a policy of its own", object.shown());
    Located::error(code::TYPE, object.place(), message, Some("give it alone, without other files".to_owned()))
}
