//! The pages that show the command are played: what they save is saved, what they run is run, and what they show is
//! what was printed. After a change on purpose, `PAGES=overwrite cargo test -p tollgate-cli --test command pages::` writes the outputs anew.
//!
//! A block ```` ```yaml policy.yaml ```` is a file of that name (any block whose last word has a dot is one), a block
//! ```` ```console ```` holds commands behind `$ ` with their output, stderr included. The blocks of a page share a
//! folder, from top to bottom. `registry.example:5000` is a real registry.

use super::push::registry::Registry;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The pages that are played.
fn pages() -> Vec<PathBuf> {
    let root = tollgate_tests::root();
    let folder = fs::read_dir(root.join("docs/commands")).unwrap().map(|entry| entry.unwrap().path());
    let mut pages: Vec<_> =
        [root.join("README.md"), root.join("docs/first-policy.md")].into_iter().chain(folder).collect();
    pages.retain(|page| page.extension().is_some_and(|extension| extension == "md"));
    pages.sort();
    pages
}

/// A folder in which the blocks of a page are played.
struct Stage {
    folder: tempfile::TempDir,
    registry: Option<Registry>,
    status: i32,
    commands: usize,
}

/// Name of the registry on the pages.
const REGISTRY: &str = "registry.example:5000";

impl Stage {
    fn new() -> Stage {
        Stage { folder: tempfile::tempdir().unwrap(), registry: None, status: 0, commands: 0 }
    }

    fn save(&self, name: &str, text: &str) {
        let file = self.folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    /// Runs a command and returns its output, as a terminal shows it.
    fn run(&mut self, command: &str) -> String {
        self.commands += 1;
        let binaries = Path::new(env!("CARGO_BIN_EXE_tollgate")).parent().unwrap();
        let path = format!("{}:{}", binaries.display(), std::env::var("PATH").unwrap());
        let registry = if command.contains(REGISTRY) {
            self.registry.get_or_insert_with(|| Registry::start(None)).address()
        } else {
            String::new()
        };
        let command = command.replace(REGISTRY, &registry);
        let script = format!("exec 2>&1\n(exit {})\n{command}", self.status);
        let output = Command::new("sh")
            .args(["-c", &script])
            .current_dir(self.folder.path())
            .env("PATH", path)
            .env("DOCKER_CONFIG", self.folder.path())
            .env_remove("CLICOLOR_FORCE")
            .output()
            .unwrap();
        self.status = output.status.code().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        if registry.is_empty() { printed } else { printed.replace(&registry, REGISTRY) }
    }

    /// The text of a console block, as it should be.
    fn console(&mut self, text: &str) -> String {
        let mut played = String::new();
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            let Some(command) = line.strip_prefix("$ ") else { continue };
            let mut command = command.to_owned();
            writeln!(played, "{line}").unwrap();
            while command.ends_with('\\') || command.contains("<<") && !command.ends_with("\nEOF") {
                let Some(more) = lines.next() else { break };
                write!(command, "\n{more}").unwrap();
                writeln!(played, "{more}").unwrap();
            }
            let output = self.run(&command);
            played.push_str(output.trim_end());
            if !output.trim_end().is_empty() {
                played.push('\n');
            }
            // a blank line parts commands where the page has one
            if text.contains("\n\n$ ") && lines.clone().any(|line| line.starts_with("$ ")) {
                played.push('\n');
            }
        }
        played
    }
}

/// A page as it should be, and how many commands it has.
fn play(page: &str) -> (String, usize) {
    let mut stage = Stage::new();
    let mut played = String::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        writeln!(played, "{line}").unwrap();
        let Some(info) = line.strip_prefix("```") else { continue };
        let text: String = lines.by_ref().take_while(|line| *line != "```").flat_map(|line| [line, "\n"]).collect();
        match info.split(' ').next_back().unwrap() {
            "console" => played.push_str(&stage.console(&text)),
            name => {
                if name.contains('.') {
                    stage.save(name, &text);
                }
                played.push_str(&text);
            }
        }
        writeln!(played, "```").unwrap();
    }
    (played, stage.commands)
}

#[test]
fn what_the_pages_show_is_what_the_command_prints() {
    let mut commands = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        let (played, of_page) = play(&text);
        commands += of_page;
        if std::env::var_os("PAGES").is_some_and(|set| set == "overwrite") {
            fs::write(&page, played).unwrap();
        } else if let Some((line, (shown, printed))) =
            text.lines().zip(played.lines()).enumerate().find(|(_, (shown, printed))| shown != printed)
        {
            panic!("{}:{}: the page shows\n{shown}\nand the command printed\n{printed}", page.display(), line + 1);
        } else {
            assert_eq!(text.lines().count(), played.lines().count(), "{}", page.display());
        }
    }
    assert!(commands >= 5, "{commands}");
}
