//! Completions and manual pages come from the command's own definition.

use std::fs;
use std::process::{Command, Output};

const TOLLGATE: &str = env!("CARGO_BIN_EXE_tollgate");

fn tollgate(arguments: &[&str]) -> Output {
    Command::new(TOLLGATE).args(arguments).output().unwrap()
}

fn stdout(arguments: &[&str]) -> String {
    let output = tollgate(arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The commands that the help lists.
fn commands() -> Vec<String> {
    let help = stdout(&["--help"]);
    let listed = help.lines().skip_while(|line| *line != "Write:").take_while(|line| *line != "Options:");
    let listed = listed.filter_map(|line| line.strip_prefix("  "));
    let names: Vec<_> = listed.filter_map(|line| line.split_whitespace().next().map(str::to_owned)).collect();
    assert!(names.len() >= 5, "{help}");
    names.into_iter().filter(|name| name != "help").collect()
}

#[test]
fn every_shell_completes_every_command() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = stdout(&["completion", shell]);
        for command in commands() {
            assert!(script.contains(&command), "{shell}: {command}");
        }
    }
    assert_eq!(tollgate(&["completion", "tcsh"]).status.code(), Some(64));
}

/// Words that bash offers for the last of these.
fn offered(words: &str) -> Vec<String> {
    let script = format!(
        "source <({TOLLGATE} completion bash); COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
         _tollgate tollgate \"${{COMP_WORDS[-1]}}\" \"${{COMP_WORDS[-2]}}\"; echo \"${{COMPREPLY[@]}}\""
    );
    let output = Command::new("bash").args(["-c", &script]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().split_whitespace().map(str::to_owned).collect()
}

#[test]
fn bash_offers_what_the_command_takes() {
    assert_eq!(offered("tollgate ch"), ["check"]);
    assert_eq!(offered("tollgate check --fo"), ["--format"]);
    assert_eq!(offered("tollgate check --format ''"), ["human", "json", "sarif", "github"]);
}

#[test]
fn the_page_of_a_code_is_a_word_away() {
    assert!(stdout(&["help", "TG212"]).starts_with("TG212: "));
    assert!(stdout(&["help", "TG005"]).starts_with("TG005: "));
    assert_eq!(tollgate(&["help", "TG999"]).status.code(), Some(64));
}

#[test]
fn every_command_has_a_page_with_every_flag() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man/man1");
    stdout(&["man", "--output", pages.to_str().unwrap()]);
    assert!(stdout(&["man"]).contains(".TH tollgate 1"));
    assert!(fs::read_to_string(pages.join("tollgate.1")).unwrap().contains("Exit codes"));
    for command in commands() {
        let page = fs::read_to_string(pages.join(format!("tollgate-{command}.1"))).unwrap().replace('\\', "");
        let help = stdout(&[&command, "--help"]);
        let flags = help.lines().filter_map(|line| {
            let line = line.trim_start();
            let flag = line.split([' ', ',']).find(|word| word.starts_with("--"));
            flag.filter(|_| line.starts_with('-')).map(|flag| flag.split('=').next().unwrap_or(flag))
        });
        let flags: Vec<_> = flags.collect();
        assert!(flags.contains(&"--help"), "{help}");
        for flag in flags {
            assert!(page.contains(flag), "{command}: {flag}");
        }
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let output = tollgate(&["man", "--output", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(64));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.starts_with("error: cannot write `"), "{stderr}");
}
