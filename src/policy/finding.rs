//! Findings: a policy's mistakes, their places, and what to write instead.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

/// One thing that is wrong with a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Errors reject the policy, warnings and notes do not.
    pub severity: Severity,
    /// Stable, for suppressions and reports: `TG0xx` for errors of the language, `TG1xx` for what is probably not meant.
    pub code: &'static str,
    /// Pointer: `rules[3].to[0].hosts[1]`; empty for the document itself.
    pub pointer: String,
    /// The mistake: lower case, no full stop, the policy's own words in backticks.
    pub message: String,
    /// The remedy: what to write instead, where there is an answer.
    pub fix: Option<String>,
    /// Byte offset into the text, where the text could not be parsed beyond it.
    pub offset: Option<usize>,
}

/// Severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The policy works, and as meant; this is what it comes to.
    Note,
    /// The policy works, and probably not as meant.
    Warning,
    /// The policy is rejected.
    Error,
}

/// Codes of the language's errors and of the advice that its checker gives.
pub mod code {
    /// Not JSON, not UTF-8, or nested too deep.
    pub const SYNTAX: &str = "TG001";
    /// A key that the language does not have here.
    pub const UNKNOWN_KEY: &str = "TG002";
    /// A key twice.
    pub const DUPLICATE_KEY: &str = "TG003";
    /// A key that must be there is not.
    pub const MISSING: &str = "TG004";
    /// A value of another type, `null` and empty lists included.
    pub const TYPE: &str = "TG005";
    /// A value of the right type that the language does not have.
    pub const VALUE: &str = "TG006";
    /// Keys that do not go together.
    pub const COMBINATION: &str = "TG007";
    /// A name that is not defined.
    pub const DANGLING: &str = "TG008";
    /// An id or a name given twice.
    pub const DUPLICATE: &str = "TG009";
    /// A bad host pattern.
    pub const HOST: &str = "TG010";
    /// A bad CIDR.
    pub const CIDR: &str = "TG011";
    /// A bad path pattern.
    pub const PATH: &str = "TG012";
    /// A bad identity or trust domain.
    pub const IDENTITY: &str = "TG013";
    /// Over a limit of the language.
    pub const LIMIT: &str = "TG014";
    /// Part of the language that this version does not enforce yet.
    pub const UNSUPPORTED: &str = "TG015";
    /// `packed` cannot be unpacked.
    pub const PACKED: &str = "TG016";

    /// A rate where a calendar window was probably meant.
    pub const RATE_OR_WINDOW: &str = "TG101";
    /// A limit that `replicas` does not divide.
    pub const ROUNDED: &str = "TG102";
}

/// Reasons of a rejection: at least one finding, in the order of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The policy's name, if that could be read.
    pub name: Option<String>,
    /// Everything that is wrong.
    pub findings: Vec<Finding>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.pointer.is_empty() {
            write!(f, "{}: ", self.pointer)?;
        }
        f.write_str(&self.message)?;
        match &self.fix {
            Some(fix) => write!(f, "; {fix}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.findings.as_slice() {
            [] => f.write_str("rejected"),
            [one] => one.fmt(f),
            [first, rest @ ..] => write!(f, "{first} (and {} more)", rest.len()),
        }
    }
}

impl std::error::Error for Rejection {}

/// A step from a value to one inside it.
#[derive(Clone, Debug)]
pub enum Step<'a> {
    /// Into an object: its member of this name.
    Key(Cow<'a, str>),
    /// Into a list: the item at this index, from 0.
    Item(usize),
}

/// Findings that are kept at most: a text of zeros has millions.
const MOST: usize = 1000;

/// Bytes of a text that are kept in a finding: a policy's own words can be as long as the policy.
const LONGEST: usize = 1024;

/// The findings so far, and where in the document the reading stands.
#[derive(Debug, Default)]
pub(super) struct Findings<'de> {
    found: Vec<Finding>,
    advice: Vec<Finding>,
    /// Number of findings that were not kept.
    more: usize,
    at: Vec<Step<'de>>,
}

impl<'de> Findings<'de> {
    pub(super) fn enter_key(&mut self, key: &'static str) {
        self.at.push(Step::Key(Cow::Borrowed(key)));
    }

    pub(super) fn enter_name(&mut self, name: Cow<'de, str>) {
        self.at.push(Step::Key(name));
    }

    pub(super) fn enter_item(&mut self, index: usize) {
        self.at.push(Step::Item(index));
    }

    pub(super) fn leave(&mut self) {
        self.at.pop();
    }

    /// Index of the list element that is being read.
    pub(super) fn item(&self) -> usize {
        match self.at.last() {
            Some(Step::Item(index)) => *index,
            _ => 0,
        }
    }

    /// Pointer to the value that is being read: `rules[3].to[0]`.
    pub(super) fn pointer(&self) -> String {
        let mut pointer = String::new();
        for step in &self.at {
            step.write(&mut pointer);
        }
        pointer
    }

    /// An error where the reading stands. Yields nothing, whatever was wanted.
    pub(super) fn error<T>(
        &mut self,
        code: &'static str,
        message: impl Into<String>,
        fix: impl Into<Option<String>>,
    ) -> Option<T> {
        self.add(code, message.into(), fix.into());
        None
    }

    /// An error at `key` of the map that is being read.
    pub(super) fn error_in(
        &mut self,
        key: &'static str,
        code: &'static str,
        message: impl Into<String>,
        fix: impl Into<Option<String>>,
    ) {
        self.enter_key(key);
        self.error::<()>(code, message, fix);
        self.leave();
    }

    #[cold]
    #[inline(never)]
    fn add(&mut self, code: &'static str, message: String, fix: Option<String>) {
        let pointer = self.pointer();
        self.error_at(pointer, code, message, fix);
    }

    /// An error at a pointer taken earlier.
    pub(super) fn error_at(
        &mut self,
        pointer: String,
        code: &'static str,
        message: impl Into<String>,
        fix: impl Into<Option<String>>,
    ) {
        self.push(Finding {
            severity: Severity::Error,
            code,
            pointer,
            message: shortened(message.into()),
            fix: fix.into().map(shortened),
            offset: None,
        });
    }

    /// Advice where the reading stands: what is there works.
    #[cold]
    #[inline(never)]
    pub(super) fn advise(&mut self, severity: Severity, code: &'static str, message: String, fix: String) {
        if self.advice.len() < MOST {
            let pointer = self.pointer();
            self.advice.push(Finding { severity, code, pointer, message, fix: Some(fix), offset: None });
        }
    }

    /// A warning at `key` of the map that is being read.
    pub(super) fn advise_in(&mut self, key: &'static str, code: &'static str, message: String, fix: String) {
        self.enter_key(key);
        self.advise(Severity::Warning, code, message, fix);
        self.leave();
    }

    /// An error: there is no room for what the policy multiplies.
    pub(super) fn too_large(&mut self) {
        self.error::<()>(code::LIMIT, "the policy is too large", None);
    }

    /// An error: a target or a destination says nowhere where to.
    pub(super) fn no_hosts(&mut self) {
        let fix = "say where to: `hosts`, `cidrs`, or both".to_owned();
        self.error::<()>(code::MISSING, "neither `hosts` nor `cidrs` is given", fix);
    }

    fn push(&mut self, finding: Finding) {
        if self.found.len() < MOST {
            self.found.push(finding);
        } else {
            self.more = self.more.saturating_add(1);
        }
    }

    /// The text ends to be JSON at this byte.
    pub(super) fn syntax(&mut self, message: impl Into<String>, offset: usize) {
        let pointer = self.pointer();
        // whatever else was found: without it, nobody would know that the rest was not read
        self.found.push(Finding {
            severity: Severity::Error,
            code: code::SYNTAX,
            pointer,
            message: message.into(),
            fix: None,
            offset: Some(offset),
        });
    }

    #[cold]
    #[inline(never)]
    pub(super) fn wrong_type(&mut self, expected: &str, found: &str) {
        self.error::<()>(code::TYPE, format!("expected {expected}, found {found}"), None);
    }

    #[cold]
    pub(super) fn null(&mut self, expected: &str) {
        self.error::<()>(
            code::TYPE,
            format!("expected {expected}, found null"),
            "leave the key out, or give it a value".to_owned(),
        );
    }

    #[cold]
    pub(super) fn empty_list(&mut self) {
        self.error::<()>(code::TYPE, "the list is empty", "leave the key out, or list something".to_owned());
    }

    #[cold]
    #[inline(never)]
    pub(super) fn missing(&mut self, key: &str) {
        self.error::<()>(code::MISSING, format!("`{key}` is missing"), None);
    }

    #[cold]
    #[inline(never)]
    pub(super) fn duplicate_key(&mut self, key: &str) {
        self.error::<()>(code::DUPLICATE_KEY, format!("the key `{key}` is given twice"), "remove one".to_owned());
    }

    #[cold]
    #[inline(never)]
    pub(super) fn unknown_key(&mut self, key: &str, known: &[&str]) {
        let of_a_place = known.contains(&"tls");
        let fix = match nearest(key, known) {
            _ if of_a_place && key == "ca" => {
                "not yet: `caCertificates` of the site file holds for every destination".to_owned()
            }
            _ if of_a_place && key == "clientCertificate" => {
                "not yet: the gateway shows destinations no certificate of its own".to_owned()
            }
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the keys here are {}", Listed(known)),
        };
        self.enter_name(Cow::Owned(key.to_owned()));
        self.error::<()>(code::UNKNOWN_KEY, format!("unknown key `{key}`"), fix);
        self.leave();
    }

    /// Takes over what was found in another text.
    pub(super) fn append(&mut self, other: Findings<'_>) {
        self.found.extend(other.found);
        self.advice.extend(other.advice);
        self.more = self.more.saturating_add(other.more);
    }

    /// Tells a text that ended before the document did.
    pub(super) fn has_syntax_error(&self) -> bool {
        self.found.iter().any(|finding| finding.code == code::SYNTAX)
    }

    /// Tells whether nothing is wrong.
    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub(super) fn into_advice(self) -> Vec<Finding> {
        self.advice
    }

    pub(super) fn into_rejection(mut self, name: String) -> Rejection {
        if self.more > 0 {
            let message = format!("{} more findings are not shown", self.more);
            let fix = "mend those that are, and check again".to_owned();
            self.found.push(Finding {
                severity: Severity::Error,
                code: code::LIMIT,
                pointer: String::new(),
                message,
                fix: Some(fix),
                offset: None,
            });
        }
        Rejection { name: Some(name).filter(|name| !name.is_empty()), findings: self.found }
    }
}

impl Step<'_> {
    /// Adds the step to a pointer.
    pub fn write(&self, pointer: &mut String) {
        // writing to a string cannot fail
        let _ = match self {
            Step::Item(index) => write!(pointer, "[{index}]"),
            Step::Key(key) if !key.is_empty() && key.bytes().all(is_plain) => {
                if !pointer.is_empty() {
                    pointer.push('.');
                }
                pointer.write_str(key)
            }
            Step::Key(key) => write!(pointer, "[\"{}\"]", key.replace('\\', "\\\\").replace('"', "\\\"")),
        };
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// The known word that somebody may have meant.
pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let allowed = |known: &str| known.len().div_euclid(3).max(1);
    let length = word.chars().count();
    known
        .iter()
        // a word may be as long as the policy, and comparing takes its length for every known one
        .filter(|known| length.abs_diff(known.len()) <= allowed(known))
        .map(|known| (strsim::osa_distance(&word.to_ascii_lowercase(), &known.to_ascii_lowercase()), *known))
        .filter(|(distance, known)| *distance <= allowed(known))
        .min()
        .map(|(_, known)| known)
}

/// The beginning of a text that is too long to be shown.
fn shortened(mut text: String) -> String {
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
        text.push('…');
    }
    text
}

/// `a`, `b` and `c`.
pub(super) struct Listed<'a>(pub(super) &'a [&'a str]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.0.len().saturating_sub(1);
        for (index, word) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(if index == last { " and " } else { ", " })?;
            }
            write!(f, "`{word}`")?;
        }
        Ok(())
    }
}
