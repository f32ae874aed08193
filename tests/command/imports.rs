//! Imports go one way: no circle between files, none between the rooms of a package, and none against the order of the
//! command's rooms.
//!
//! Files are read by syn. What a `mod.rs` only re-exports is an import of whoever uses it, and not of the `mod.rs`.
//! Code of tests does not count.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemUse, UseTree, Visibility};
use tollgate_tests::root;
use walkdir::WalkDir;

/// The rooms of the command, each of which imports the ones before it only.
const ROOMS_OF_THE_COMMAND: [&str; 5] = ["read", "analysis", "mesh", "output", "commands"];

/// Names of a module and of those around it, from the root of its package.
type Names = Vec<String>;

/// A module that has a file.
#[derive(Default)]
struct Module {
    file: PathBuf,
    /// Paths that it uses.
    uses: Vec<Names>,
    /// Names that it takes in: for whoever asks for them here.
    aliases: BTreeMap<String, Names>,
    /// Modules in it that are for tests.
    tests: Vec<String>,
}

/// The modules of a package.
struct Package {
    modules: BTreeMap<Names, Module>,
}

impl Package {
    fn read(sources: &Path) -> Package {
        let files = WalkDir::new(sources).sort_by_file_name().into_iter().map(|entry| entry.unwrap().into_path());
        let mut modules: BTreeMap<Names, Module> = BTreeMap::new();
        for file in files.filter(|file| file.extension().is_some_and(|extension| extension == "rs")) {
            let within = file.strip_prefix(sources).unwrap().with_extension("");
            let mut names: Names = within.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
            if names.last().is_some_and(|last| last == "mod") || names == ["lib"] || names == ["main"] {
                names.pop();
            }
            let syntax = syn::parse_file(&fs::read_to_string(&file).unwrap()).unwrap();
            let mut reader = Reader { at: names.clone(), module: Module { file, ..Module::default() } };
            reader.visit_file(&syntax);
            modules.entry(names).or_insert(reader.module);
        }
        let tests: Vec<Names> = modules
            .iter()
            .flat_map(|(at, module)| module.tests.iter().map(|name| at.iter().cloned().chain([name.clone()]).collect()))
            .collect();
        modules.retain(|names, _| !tests.iter().any(|test| names.starts_with(test)));
        Package { modules }
    }

    /// The module that a path leads to, through re-exports; none outside the package.
    fn target(&self, path: &[String]) -> Option<&Names> {
        let mut path = path.to_vec();
        // a re-export of a re-export, and so on
        for _ in 0..8 {
            let length = (0..=path.len()).rev().find(|length| self.modules.contains_key(&path[..*length]))?;
            let (names, module) = self.modules.get_key_value(&path[..length])?;
            match path.get(length).and_then(|name| module.aliases.get(name)) {
                Some(alias) => path = alias.iter().chain(&path[length + 1..]).cloned().collect(),
                None => return Some(names),
            }
        }
        None
    }

    /// From each module to those that it uses.
    fn imports(&self) -> BTreeMap<&Names, BTreeSet<&Names>> {
        let of = |names, module: &Module| {
            let targets = module.uses.iter().filter_map(|path| self.target(path));
            targets.filter(|target| *target != names).collect()
        };
        self.modules.iter().map(|(names, module)| (names, of(names, module))).collect()
    }

    /// From each room to those that it uses, with a file as a witness.
    fn imports_of_rooms(&self) -> BTreeMap<&str, BTreeMap<&str, &Path>> {
        let mut rooms: BTreeMap<&str, BTreeMap<&str, &Path>> = BTreeMap::new();
        for (names, targets) in self.imports() {
            let Some(room) = names.first() else { continue };
            let to = rooms.entry(room).or_default();
            for target in targets.iter().filter_map(|target| target.first()).filter(|target| *target != room) {
                to.entry(target).or_insert(&self.modules[names].file);
            }
        }
        rooms
    }
}

/// Collects the paths of one file.
struct Reader {
    at: Names,
    module: Module,
}

impl Reader {
    /// The path from the root of the package; none where it leads out.
    fn whole(&self, path: &[String]) -> Option<Names> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => Some(rest.to_vec()),
            "self" => Some(self.at.iter().chain(rest).cloned().collect()),
            "super" => {
                let mut at = self.at.clone();
                let ups = path.iter().take_while(|name| *name == "super").count();
                at.truncate(at.len().checked_sub(ups)?);
                Some(at.into_iter().chain(path[ups..].iter().cloned()).collect())
            }
            _ => None,
        }
    }

    fn leaves(&self, tree: &UseTree, before: &Names, found: &mut Vec<(String, Names)>) {
        let with = |name: &syn::Ident| before.iter().cloned().chain([name.to_string()]).collect::<Names>();
        match tree {
            UseTree::Path(path) => self.leaves(&path.tree, &with(&path.ident), found),
            UseTree::Name(name) if name.ident == "self" => found.push((before.last().unwrap().clone(), before.clone())),
            UseTree::Name(name) => found.push((name.ident.to_string(), with(&name.ident))),
            UseTree::Rename(rename) => found.push((rename.rename.to_string(), with(&rename.ident))),
            UseTree::Glob(_) => found.push((String::new(), before.clone())),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.leaves(tree, before, found)),
        }
    }
}

fn is_of_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Path>().is_ok_and(|condition| condition.is_ident("test"))
    })
}

impl Visit<'_> for Reader {
    fn visit_item(&mut self, item: &Item) {
        let attributes: &[Attribute] = match item {
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            Item::Mod(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            _ => &[],
        };
        match item {
            _ if !is_of_tests(attributes) => visit::visit_item(self, item),
            Item::Mod(item) => self.module.tests.push(item.ident.to_string()),
            _ => {}
        }
    }

    fn visit_item_use(&mut self, item: &ItemUse) {
        let mut found = Vec::new();
        self.leaves(&item.tree, &Names::new(), &mut found);
        for (name, path) in found {
            // a path may begin with a module of this one
            let whole = self.whole(&path).unwrap_or_else(|| self.at.iter().chain(&path).cloned().collect());
            self.module.aliases.insert(name, whole.clone());
            if matches!(item.vis, Visibility::Inherited) {
                self.module.uses.push(whole);
            }
        }
    }

    // `pub(super)` names a module and takes nothing from it
    fn visit_visibility(&mut self, _: &Visibility) {}

    fn visit_path(&mut self, path: &syn::Path) {
        let names: Names = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.module.uses.extend(self.whole(&names));
        visit::visit_path(self, path);
    }
}

/// A way from a node back to itself, if there is any.
fn circle<N: Ord + Copy>(from: &BTreeMap<N, BTreeSet<N>>) -> Option<Vec<N>> {
    fn walk<N: Ord + Copy>(from: &BTreeMap<N, BTreeSet<N>>, way: &mut Vec<N>, done: &mut BTreeSet<N>, node: N) -> bool {
        if let Some(at) = way.iter().position(|before| *before == node) {
            way.drain(..at);
            return true;
        }
        if !done.insert(node) {
            return false;
        }
        way.push(node);
        if from.get(&node).into_iter().flatten().any(|next| walk(from, way, done, *next)) {
            return true;
        }
        way.pop();
        false
    }
    let (mut way, mut done) = (Vec::new(), BTreeSet::new());
    from.keys().any(|node| walk(from, &mut way, &mut done, *node)).then_some(way)
}

/// Each folder of sources.
fn packages() -> Vec<PathBuf> {
    let manifests = WalkDir::new(root()).max_depth(3).into_iter().filter_entry(|entry| {
        !matches!(entry.file_name().to_str(), Some("target" | ".tools" | ".git" | "fuzz" | "node_modules"))
    });
    let manifests = manifests.map(|entry| entry.unwrap().into_path()).filter(|path| path.ends_with("Cargo.toml"));
    manifests.map(|manifest| manifest.with_file_name("src")).filter(|sources| sources.is_dir()).collect()
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let packages = packages();
    assert!(packages.len() >= 5, "{packages:?}");
    for sources in packages {
        let package = Package::read(&sources);
        let circle = circle(&package.imports());
        let files = circle.map(|way| way.into_iter().map(|names| &package.modules[names].file).collect::<Vec<_>>());
        assert_eq!(files, None, "these files import each other");
    }
}

#[test]
fn no_rooms_import_each_other_in_a_circle() {
    for sources in packages() {
        let package = Package::read(&sources);
        let imports = package.imports_of_rooms();
        let rooms = imports.iter().map(|(room, to)| (*room, to.keys().copied().collect())).collect();
        assert_eq!(circle(&rooms), None, "{}: {imports:#?}", sources.display());
    }
}

#[test]
fn the_rooms_of_the_command_import_those_before_them_only() {
    let package = Package::read(&root().join("command/src"));
    let rank = |room: &str| ROOMS_OF_THE_COMMAND.iter().position(|known| *known == room);
    for (room, to) in package.imports_of_rooms() {
        assert!(rank(room).is_some(), "`{room}` has no place in the order of rooms");
        for (other, file) in to {
            assert!(rank(other) < rank(room), "{}: `{room}` must not import `{other}`", file.display());
        }
    }
}

#[test]
fn circles_are_found() {
    let imports = BTreeMap::from([("a", BTreeSet::from(["b"])), ("b", BTreeSet::from(["c"])), ("c", BTreeSet::new())]);
    assert_eq!(circle(&imports), None);
    let back = BTreeMap::from([("c", BTreeSet::from(["b"]))]);
    assert_eq!(circle(&imports.into_iter().chain(back).collect()), Some(vec!["b", "c"]));
}
