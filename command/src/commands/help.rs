//! Help: the commands in groups, and the pages of lint's codes.

use super::error::CommandError;
use super::exit::Exit;
use crate::output::Out;
use clap::Command;
use std::io::Write as _;

/// The pages of lint's codes.
const PAGES: &str = include_str!("../../../docs/lints.md");

/// The commands by what people do with them. Those that stand in no group follow at the end.
const GROUPS: [(&str, &[&str]); 2] = [
    ("Write", &["check", "lint", "test", "explain", "eval", "diff", "who-can", "what-can", "schema"]),
    ("Ship", &["render", "push"]),
];

/// A command line whose help shows its commands in groups.
pub(crate) fn grouped(command: Command) -> Command {
    let styles = command.get_styles();
    let (header, literal) = (styles.get_header(), styles.get_literal());
    let about = |verb: &Command| verb.get_about().map(ToString::to_string).unwrap_or_default();
    let mut verbs: Vec<(String, String)> =
        command.get_subcommands().map(|verb| (verb.get_name().to_owned(), about(verb))).collect();
    verbs.push(("help".to_owned(), "Print this message or the help of a command".to_owned()));
    let width = verbs.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let is_grouped = |name: &str| GROUPS.iter().any(|(_, listed)| listed.contains(&name));
    let lines = |holds: &dyn Fn(&str) -> bool| -> String {
        let lines = verbs.iter().filter(|(name, _)| holds(name));
        lines.map(|(name, about)| format!("  {literal}{name:<width$}{literal:#}  {about}\n")).collect()
    };
    let of_groups = GROUPS.iter().map(|(title, listed)| (*title, lines(&|name| listed.contains(&name))));
    let all = of_groups.chain([("Help", lines(&|name| !is_grouped(name)))]);
    let groups: String = all.map(|(title, lines)| format!("{header}{title}:{header:#}\n{lines}\n")).collect();
    let template = format!(
        "{{about}}\n\n{{usage-heading}} {{usage}}\n\n{groups}{header}Options:{header:#}\n{{options}}{{after-help}}"
    );
    command.help_template(template)
}

/// The code that `tollgate help TGnnn` asks about.
pub(crate) fn code(mut arguments: impl Iterator<Item = String>) -> Option<String> {
    let (verb, code, more) = (arguments.nth(1)?, arguments.next()?, arguments.next());
    let digits = code.strip_prefix("TG").or_else(|| code.strip_prefix("tg"))?;
    let is_code = digits.len() == 3 && digits.bytes().all(|byte| byte.is_ascii_digit());
    (verb == "help" && is_code && more.is_none()).then(|| format!("TG{digits}"))
}

/// Prints the page of a code.
pub(crate) fn page(code: &str) -> Result<Exit, CommandError> {
    let text = match page_of(code) {
        Some(text) => text.to_owned(),
        None if code.starts_with("TG0") => {
            format!("{code}: the policy is rejected; the finding says what is wrong, and what to write instead\n")
        }
        None => return Err(CommandError::Usage(format!("there is no code `{code}`"))),
    };
    let mut out = Out::text();
    out.write_all(text.as_bytes())?;
    out.finish()?;
    Ok(Exit::Fine)
}

fn page_of(code: &str) -> Option<&'static str> {
    let start = PAGES.find(&format!("\n## {code}:"))?.saturating_add("\n## ".len());
    let page = PAGES.get(start..)?;
    let end = page.find("\n## ").map_or(page.len(), |end| end.saturating_add(1));
    page.get(..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_help_with_one_code_asks_for_a_page() {
        let asked = |line: &str| code(line.split(' ').map(str::to_owned));
        assert_eq!(asked("tollgate help TG101").as_deref(), Some("TG101"));
        assert_eq!(asked("tollgate help tg212").as_deref(), Some("TG212"));
        for line in [
            "tollgate help",
            "tollgate help check",
            "tollgate check TG101",
            "tollgate help TG1",
            "tollgate help TG101 x",
        ] {
            assert_eq!(asked(line), None, "{line}");
        }
    }

    #[test]
    fn a_page_begins_with_its_code_and_ends_before_the_next() {
        let page = page_of("TG101").unwrap();
        assert!(page.starts_with("TG101: ") && page.ends_with('\n') && !page.contains("TG102:"), "{page}");
        assert_eq!(page_of("TG999"), None);
    }
}
