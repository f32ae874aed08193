//! A canonical request, as targets are asked about it: one by one, narrowly or widely.

use crate::index::{Candidate, NONE, Ranked};
use crate::model::{EncodedSlash, TargetContext};
use crate::request::{Form, Upgrade, is_method, widen};
use crate::timestamp::Timestamp;

/// The properties of a request that a target is compared with, besides who and where to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'q> {
    pub(super) port: u16,
    pub(super) layer: Layer<'q>,
    pub(super) now: Timestamp,
}

/// The protocol by which targets are asked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Layer<'q> {
    Http(HttpQuestion<'q>),
    /// A connection of which only the beginning is read.
    Tcp(TcpQuestion),
}

/// The beginning of a connection, as a target is compared with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct TcpQuestion {
    /// The caller has sent nothing, and is not waited for.
    pub(super) is_silent: bool,
    /// The caller's own TLS names the host, or nobody has seen yet whether it does.
    pub(super) is_named: bool,
    /// The caller's own TLS may hide another name.
    pub(super) ech: bool,
}

/// The properties of an HTTP request that a target is compared with.
#[derive(Clone, Copy, Debug)]
pub(super) struct HttpQuestion<'q> {
    pub(super) method: Method<'q>,
    pub(super) upgrade: Upgrade<'q>,
    /// Carries a header by which servers see another method or path.
    pub(super) overridden: bool,
    pub(super) path: Option<QuestionPath<'q>>,
}

/// A request as sections are searched for it: whose it is, where it goes, and the questions for targets.
pub(super) struct Asked<'q> {
    pub(super) groups: &'q [u32],
    pub(super) narrow: &'q [Ranked],
    pub(super) wide: &'q [Ranked],
    pub(super) question: &'q Question<'q>,
    pub(super) slashed: Option<&'q Question<'q>>,
}

impl<'q> Asked<'q> {
    /// The questions for closing sections, one after the other.
    pub(super) fn widely(&self) -> impl Iterator<Item = &'q Question<'q>> + use<'q> {
        std::iter::once(self.question).chain(self.slashed)
    }
}

/// A path and its form.
#[derive(Clone, Copy, Debug)]
pub(super) struct QuestionPath<'q> {
    pub(super) form: Form,
    /// Canonical; empty if it is ambiguous.
    pub(super) narrow: &'q [u8],
    /// The wide reading; empty if it is ambiguous or nothing asks for it.
    pub(super) wide: &'q [u8],
    /// Too long for costly patterns.
    pub(super) is_long: bool,
    /// The path as targets read it to which it holds a key; none where they cannot compare it, or there are none.
    pub(super) key: Option<&'q [u8]>,
}

/// The longest path that is compared with costly patterns, in bytes. Half a thousand of them read a path of 56 kB in half
/// a second.
pub(super) const LONGEST_FOR_COSTLY: usize = 8 << 10;

/// A method, and the properties of it that targets ask for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Method<'q> {
    name: &'q [u8],
    is_canonical: bool,
    is_connect: bool,
}

impl<'q> Method<'q> {
    pub(super) fn new(name: &'q [u8]) -> Method<'q> {
        Method { name, is_canonical: is_method(name), is_connect: name == b"CONNECT" }
    }

    pub(super) fn is_connect(&self) -> bool {
        self.is_connect
    }

    /// Tells whether it is CONNECT as closing targets read it: in any case.
    fn is_connect_widely(&self) -> bool {
        self.name.eq_ignore_ascii_case(b"CONNECT")
    }
}

/// The goal of a comparison with an opening target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MatchGoal {
    /// To find a target that admits.
    Admit,
    /// To find why this one does not: it is known that no target admits the request.
    Explain,
}

/// The conditions of a target that failed: bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Failures(u8);

impl Failures {
    pub(super) const NONE: Failures = Failures(0);
    pub(super) const PORT: Failures = Failures(1);
    pub(super) const METHOD: Failures = Failures(2);
    pub(super) const PATH: Failures = Failures(4);
    pub(super) const UPGRADE: Failures = Failures(8);
    pub(super) const EXPIRED: Failures = Failures(16);
    /// Servers may see another method.
    pub(super) const METHOD_FORM: Failures = Failures(32);
    /// Servers may see another path.
    pub(super) const PATH_FORM: Failures = Failures(64);
    /// The connection begins otherwise.
    pub(super) const HELLO: Failures = Failures(128);

    fn fail(&mut self, failure: Failures, failed: bool) {
        if failed {
            self.0 |= failure.0;
        }
    }

    pub(super) fn has_any(self, of: [Failures; 2]) -> bool {
        of.iter().any(|failure| self.0 & failure.0 != 0)
    }

    /// Tells whether nothing but the form of the request failed.
    pub(super) fn is_form_only(self) -> bool {
        self.0 != 0 && self.0 & !(Failures::METHOD_FORM.0 | Failures::PATH_FORM.0) == 0
    }
}

/// The outcome of comparing a candidate narrowly.
#[derive(Clone, Copy, Debug)]
pub(super) struct TargetMatch {
    pub(super) failures: Failures,
    /// Address of the pattern that matched.
    pub(super) pattern: Option<u32>,
}

impl Question<'_> {
    /// Reads an opening target narrowly: one of a rule or of an exception.
    #[inline]
    pub(super) fn narrowly(&self, candidate: &Candidate<'_>, context: TargetContext, goal: MatchGoal) -> TargetMatch {
        let constraints = candidate.constraints;
        let mut failures = Failures::NONE;
        failures.fail(Failures::PORT, !candidate.constraint_table().has_port(constraints, self.port));
        failures.fail(Failures::EXPIRED, constraints.expires.has_come(self.now));
        match &self.layer {
            Layer::Http(http) => http.narrowly(candidate, context, goal, failures),
            Layer::Tcp(tcp) => TargetMatch { failures: tcp.narrowly(candidate, context, failures), pattern: None },
        }
    }

    /// Reads a closing target widely: returns with what certainty it matches, if it does.
    #[inline]
    pub(super) fn widely(&self, candidate: &Candidate<'_>) -> Option<DenyMatch> {
        if !candidate.constraint_table().has_port(candidate.constraints, self.port) {
            return None;
        }
        match &self.layer {
            Layer::Http(http) => http.widely(candidate),
            // Whatever the target says of methods, paths and upgrades: the connection may carry that.
            Layer::Tcp(_) => Some(DenyMatch::Certain),
        }
    }

    /// Tells whether a closing target may match though its paths do not.
    pub(super) fn is_ambiguous(&self) -> bool {
        match &self.layer {
            Layer::Http(HttpQuestion { overridden, method, path, .. }) => {
                *overridden || method.is_connect_widely() || path.is_none_or(|path| path.form != Form::Canonical)
            }
            Layer::Tcp(_) => true,
        }
    }

    /// The path that opening sections compare.
    pub(super) fn narrow_path(&self) -> Option<&[u8]> {
        self.comparable_path().map(|path| path.narrow)
    }

    /// The paths that rules compare: what is ambiguous to most may be a key to some.
    pub(super) fn rule_paths(&self) -> impl Iterator<Item = Option<&[u8]>> {
        let key = match self.layer {
            Layer::Http(HttpQuestion { path: Some(path), .. }) if path.form == Form::Ambiguous => path.key,
            _ => None,
        };
        std::iter::once(self.narrow_path()).chain(key.map(Some))
    }

    /// The path that closing sections compare.
    pub(super) fn wide_path(&self) -> Option<&[u8]> {
        self.comparable_path().map(|path| path.wide)
    }

    fn comparable_path(&self) -> Option<QuestionPath<'_>> {
        match self.layer {
            Layer::Http(HttpQuestion { path, .. }) => path.filter(|path| path.form != Form::Ambiguous),
            Layer::Tcp(_) => None,
        }
    }
}

impl TcpQuestion {
    /// Reads an opening target narrowly, of which so much has failed already. What asks for methods, paths or upgrades admits
    /// no connection, unless it says that the host suffices.
    fn narrowly(&self, candidate: &Candidate<'_>, context: TargetContext, mut failures: Failures) -> Failures {
        let constraints = candidate.constraints;
        let options = constraints.options;
        if !options.host_only {
            failures.fail(Failures::METHOD, constraints.methods != NONE);
            failures.fail(Failures::PATH, candidate.target.has_paths());
            failures.fail(Failures::UPGRADE, options.websocket);
        }
        let takes = if self.is_silent {
            options.takes_silence(context)
        } else {
            options.takes_hello(context, self.is_named, self.ech)
        };
        failures.fail(Failures::HELLO, !takes);
        failures
    }
}

impl HttpQuestion<'_> {
    /// Reads an opening target narrowly, of which so much has failed already.
    ///
    /// Paths are the dear part: a pattern may be an automaton and a path long. They are compared only where that can
    /// change the outcome.
    #[inline]
    fn narrowly(
        &self,
        candidate: &Candidate<'_>,
        context: TargetContext,
        goal: MatchGoal,
        mut failures: Failures,
    ) -> TargetMatch {
        let constraints = candidate.constraints;
        let lists_methods = constraints.methods != NONE;
        failures.fail(
            Failures::METHOD,
            if lists_methods {
                !(self.method.is_canonical && candidate.constraint_table().lists_method(constraints, self.method.name))
            } else {
                context == TargetContext::Rule && (!self.method.is_canonical || self.method.is_connect)
            },
        );
        failures.fail(Failures::METHOD_FORM, self.overridden && lists_methods);
        failures.fail(Failures::UPGRADE, !constraints.options.takes_upgrade(context, self.upgrade));
        let mut pattern = None;
        let wants_path = match goal {
            MatchGoal::Admit => failures == Failures::NONE,
            // what failed first is known then
            MatchGoal::Explain => !failures.has_any([Failures::PORT, Failures::METHOD]),
        };
        if candidate.target.has_paths() && wants_path {
            failures.fail(Failures::PATH_FORM, self.overridden);
            match self.path.filter(|_| !self.method.is_connect) {
                None if self.method.is_connect => failures.fail(Failures::PATH, true),
                None => failures.fail(Failures::PATH_FORM, true),
                Some(path) if path.narrow(constraints.options.encoded_slash).is_none() => {
                    failures.fail(Failures::PATH_FORM, true)
                }
                // it does not admit, and nothing else is in its way
                Some(_) if goal == MatchGoal::Explain && failures == Failures::NONE => {
                    failures.fail(Failures::PATH, true);
                }
                Some(path) => {
                    let text = path.narrow(constraints.options.encoded_slash);
                    pattern = text.and_then(|text| candidate.matching_pattern(text, path.is_long));
                    failures.fail(Failures::PATH, pattern.is_none());
                }
            }
        }
        TargetMatch { failures, pattern }
    }

    /// Reads a closing target widely.
    #[inline]
    fn widely(&self, candidate: &Candidate<'_>) -> Option<DenyMatch> {
        let constraints = candidate.constraints;
        if !constraints.options.takes_upgrade(TargetContext::Closing, self.upgrade) {
            return None;
        }
        let lists_methods = constraints.methods != NONE;
        let method =
            !lists_methods || candidate.constraint_table().lists_method_in_any_case(constraints, self.method.name);
        if self.method.is_connect_widely() {
            // a tunnel may ask for anything
            let plainly = method && !candidate.target.has_paths();
            return Some(if plainly { DenyMatch::Certain } else { DenyMatch::Ambiguous });
        }
        if !method && !self.overridden {
            return None;
        }
        let path = if !candidate.target.has_paths() {
            true
        } else {
            match self.path {
                Some(path) if path.is_comparable(constraints.options.encoded_slash) => {
                    let matches = candidate.matching_pattern(path.wide, path.is_long).is_some()
                        || path.is_widened() && !path.is_long && candidate.matches_as_written(path.narrow);
                    if !matches && path.is_long && candidate.has_costly() {
                        return Some(DenyMatch::Ambiguous);
                    }
                    matches
                }
                _ => return Some(DenyMatch::Ambiguous),
            }
        };
        match (method && path, self.overridden) {
            (true, _) => Some(DenyMatch::Certain),
            (false, true) => Some(DenyMatch::Ambiguous),
            (false, false) => None,
        }
    }
}

impl QuestionPath<'_> {
    /// Returns the path in which `%2F` separates segments: closing targets see it both ways.
    pub(super) fn slashed<'s>(&self, text: &'s mut Vec<u8>, wide: &'s mut Vec<u8>) -> QuestionPath<'s> {
        text.clear();
        let mut rest = self.narrow;
        while let Some((first, behind)) = rest.split_first() {
            // hex digits are upper case here
            let slash = behind.strip_prefix(b"2F").filter(|_| *first == b'%');
            text.push(if slash.is_some() { b'/' } else { *first });
            rest = slash.unwrap_or(behind);
        }
        widen(text, wide);
        QuestionPath { form: self.form, narrow: text, wide, is_long: self.is_long, key: None }
    }

    /// Tells whether the wide reading decoded or cut anything; else it only ignores case.
    #[inline]
    fn is_widened(&self) -> bool {
        self.wide.len() != self.narrow.len()
    }

    #[inline]
    fn is_comparable(&self, encoded_slash: EncodedSlash) -> bool {
        encoded_slash.compares(self.form, self.key.is_some())
    }

    /// The text that an opening target compares, if it can compare any.
    #[inline]
    fn narrow(&self, encoded_slash: EncodedSlash) -> Option<&[u8]> {
        match encoded_slash {
            EncodedSlash::Key => self.key,
            _ => self.is_comparable(encoded_slash).then_some(self.narrow),
        }
    }
}

/// The certainty with which a closing target matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum DenyMatch {
    /// Whatever servers make of the request.
    Certain,
    /// Only because nobody knows what servers make of the request.
    Ambiguous,
}
