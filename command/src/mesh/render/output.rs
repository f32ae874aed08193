//! The rendering as text: files of a folder, or one stream. The same input gives the same bytes.

use super::object::{Object, ObjectPart};
use super::patches::Patch;
use super::yaml::yaml;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// The folder of what is not applied with the rest.
const PATCHES: &str = "patches";

/// Beginning of every file, by which it is known again.
const MARK: &str = "# Rendered by `tollgate render`";

/// Files by their names, with `/` between folders.
pub(crate) type Files = BTreeMap<String, String>;

/// Objects as one stream of documents.
pub(crate) fn stream<'o>(objects: impl IntoIterator<Item = &'o Object>, out: &mut impl Write) -> io::Result<()> {
    for object in objects {
        out.write_all(b"---\n")?;
        out.write_all(yaml(&object.value)?.as_bytes())?;
    }
    Ok(())
}

/// First line of every file: who rendered what for whom.
pub(crate) fn title(policy: &str, gateway: &str) -> String {
    format!("{MARK} from policy {policy} for gateway {gateway}; changes are lost.\n")
}

/// Tells a file of an earlier run.
pub(crate) fn is_rendered(text: &str) -> bool {
    text.starts_with(MARK)
}

/// A file for each part, one that lists them for kustomize, and the patches.
pub(crate) fn files(objects: &[Object], patches: &[Patch], title: &str) -> io::Result<Files> {
    let mut files = Files::new();
    for part in ObjectPart::ALL {
        let mut of_part = objects.iter().filter(|object| object.part == part).peekable();
        if of_part.peek().is_some() {
            let mut text = title.as_bytes().to_vec();
            stream(of_part, &mut text)?;
            files.insert(part.file().to_owned(), String::from_utf8(text).map_err(io::Error::other)?);
        }
    }
    let resources: Vec<&String> = files.keys().collect();
    let list =
        json!({"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": resources});
    let list = format!("{title}{}", yaml(&list)?);
    files.insert("kustomization.yaml".to_owned(), list);
    for patch in patches {
        let restarts =
            patch.restarts.map(|what| format!("# Takes effect when {what} start anew.\n")).unwrap_or_default();
        let text = format!("{title}# To be applied by {}.\n{restarts}{}", patch.to, yaml(&patch.value)?);
        files.insert(format!("{PATCHES}/{}", patch.file), text);
    }
    Ok(files)
}
