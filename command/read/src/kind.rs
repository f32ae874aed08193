//! Documents of another kind than the one that was expected, known by their keys.

use super::file::File;
use super::finding::Located;
use super::object::Object;
use super::tree::Node;
use tollgate::policy::code;

/// A document that tools of the field know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Policy,
    TestFile,
    SiteFile,
    SmokescreenAcl,
    Request,
    Schema,
}

/// Keys that only a policy has at its top.
const OF_POLICIES: [&str; 9] =
    ["rules", "deny", "quotas", "destinations", "workloads", "residency", "packed", "requestHeaders", "dryRunFor"];

impl Kind {
    fn of(root: &Node<'_>) -> Option<Kind> {
        let has = |key: &str| root.get(key).is_some();
        let is_role = |role: &Node<'_>| role.get("allowed_domains").is_some() || role.get("action").is_some();
        if has("tests") {
            Some(Kind::TestFile)
        } else if has("site") || has("gateways") && has("module") {
            Some(Kind::SiteFile)
        } else if has("global_deny_list") || root.get("services").is_some_and(|roles| roles.items().iter().any(is_role))
        {
            Some(Kind::SmokescreenAcl)
        } else if OF_POLICIES.iter().any(|key| has(key)) || has("version") && has("name") {
            Some(Kind::Policy)
        } else if has("authority") && (has("path") || has("method") || has("identity")) {
            Some(Kind::Request)
        } else {
            (has("properties") && has("$schema")).then_some(Kind::Schema)
        }
    }

    /// Name of the kind, and advice that names the command for it.
    fn words(self, path: &str) -> (&'static str, String) {
        match self {
            Kind::Policy => ("a policy", format!("`tollgate check {path}` reads it")),
            Kind::TestFile => ("a test file", format!("`tollgate test {path}` plays it")),
            Kind::SiteFile => ("a site file", format!("`tollgate render POLICY --site {path}` takes it")),
            Kind::SmokescreenAcl => (
                "a smokescreen ACL",
                "write a rule for each role: its name into `from`, its `allowed_domains` into `to: [{hosts: […]}]`"
                    .to_owned(),
            ),
            Kind::Request => ("a request", format!("`tollgate eval POLICY --requests {path}` decides it")),
            Kind::Schema => {
                ("the schema of a language", "give it to an editor; a policy begins `version: 1`".to_owned())
            }
        }
    }
}

/// Says of a document of another kind what it is. `noun` is what it should be, without its article.
pub(super) fn foreign(root: &Node<'_>, file: &File, noun: &str) -> Option<Located> {
    if let Some(object) = Object::of(root) {
        return Some(object.is_no(noun));
    }
    let kind = Kind::of(root)?;
    let (what, fix) = kind.words(file.path());
    if what.ends_with(noun) {
        return None;
    }
    let message = format!("this is {what}, not a {noun}");
    Some(Located::error(code::TYPE, root.place, message, Some(fix)))
}
