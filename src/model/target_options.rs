//! Options of a target: keys that are a word, or a list of so few words that it is one.
//!
//! The filter keeps them as they are here, so that an option is read, compared and covered in this file.

use super::reading::Reading;
use super::target_context::TargetContext;
use crate::request::{Form, Upgrade};

/// Options of a target, as they are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetOptions {
    /// `upgrades: [websocket]`.
    pub websocket: bool,
    /// `encodedSlash`.
    pub encoded_slash: EncodedSlash,
    /// `clientHello: optional`: a connection need not begin with a TLS hello that names the host.
    pub hello_optional: bool,
    /// `ech: allow`: the server's name in the hello may be encrypted.
    pub ech: bool,
    /// `overTls: host-only`: methods, paths and upgrades are set aside for connections.
    pub host_only: bool,
    /// `serverFirst` of the destination: the server may speak first, so that no first bytes are waited for or asked for.
    pub server_first: bool,
}

/// The meaning of `%2F` to a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EncodedSlash {
    /// None was given: paths with one are not compared.
    Refused,
    /// An ordinary escape.
    Data,
    /// Part of a key that is opaque, as empty segments and escaped escapes are.
    Key,
}

impl TargetOptions {
    /// Options of a target that gives none.
    pub const NONE: TargetOptions = TargetOptions {
        websocket: false,
        encoded_slash: EncodedSlash::Refused,
        hello_optional: false,
        ech: false,
        host_only: false,
        server_first: false,
    };

    /// Tells whether a request with this `upgrade` header is taken.
    #[inline]
    pub fn takes_upgrade(self, context: TargetContext, upgrade: Upgrade<'_>) -> bool {
        match upgrade {
            Upgrade::Absent => context != TargetContext::Closing || !self.websocket,
            _ if context == TargetContext::Closing => true,
            _ if !self.websocket => context == TargetContext::Exception,
            Upgrade::To(protocol) => protocol.eq_ignore_ascii_case(b"websocket"),
            Upgrade::Several => false,
        }
    }

    /// Tells whether a connection that begins so is taken. `is_named`: its hello names the host; `has_ech`: it may hide another.
    #[inline]
    pub fn takes_hello(self, context: TargetContext, is_named: bool, has_ech: bool) -> bool {
        let is_readable = (is_named || self.hello_optional) && (!has_ech || self.ech);
        is_readable || self.takes_silence(context)
    }

    /// Tells whether a connection is taken whose caller has sent nothing yet. A caller that stays silent on purpose hides what it
    /// would say, so that nothing but a server that speaks first has it taken.
    #[inline]
    pub fn takes_silence(self, context: TargetContext) -> bool {
        context != TargetContext::Rule || self.server_first
    }

    /// Tells whether whatever another target's options take is taken, apart from `encodedSlash`, which is about paths, and `overTls`, which
    /// is about all that a target lists.
    pub fn covers(self, context: TargetContext, other: TargetOptions, of_other: TargetContext) -> bool {
        let upgrades = [Upgrade::Absent, Upgrade::To(b"websocket"), Upgrade::Several];
        let hellos = [false, true].into_iter().flat_map(|is_named| [(is_named, false), (is_named, true)]);
        upgrades
            .into_iter()
            .all(|upgrade| self.takes_upgrade(context, upgrade) || !other.takes_upgrade(of_other, upgrade))
            && hellos.into_iter().all(|(is_named, has_ech)| {
                self.takes_hello(context, is_named, has_ech) || !other.takes_hello(of_other, is_named, has_ech)
            })
            && (self.takes_silence(context) || !other.takes_silence(of_other))
    }
}

impl EncodedSlash {
    /// Tells whether a path of this form is compared with the target's patterns. `is_key`: it can be the key of an object store.
    #[inline]
    pub fn compares(self, form: Form, is_key: bool) -> bool {
        match self {
            EncodedSlash::Refused => form == Form::Canonical,
            EncodedSlash::Data => form != Form::Ambiguous,
            EncodedSlash::Key => is_key,
        }
    }

    /// Tells whether every path that another target compares is compared, or taken in another way; false where that is not sure.
    /// Targets that take keys leave out a few canonical paths.
    pub(super) fn covers(self, other: EncodedSlash, of_other: Reading) -> bool {
        // what closes takes the paths that it does not compare
        let has_more = of_other == Reading::Narrow && self == EncodedSlash::Data && other == EncodedSlash::Refused;
        self == other || has_more
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTEXTS: [TargetContext; 3] = [TargetContext::Rule, TargetContext::Exception, TargetContext::Closing];

    #[test]
    fn upgrades_are_taken_as_the_list_says() {
        for (context, websocket, expected) in [
            (TargetContext::Rule, false, [true, false, false, false]),
            (TargetContext::Rule, true, [true, true, false, false]),
            (TargetContext::Exception, false, [true, true, true, true]),
            (TargetContext::Exception, true, [true, true, false, false]),
            (TargetContext::Closing, false, [true, true, true, true]),
            (TargetContext::Closing, true, [false, true, true, true]),
        ] {
            let options = TargetOptions { websocket, ..TargetOptions::NONE };
            let upgrades = [Upgrade::Absent, Upgrade::To(b"WebSocket"), Upgrade::To(b"h2c"), Upgrade::Several];
            assert_eq!(upgrades.map(|upgrade| options.takes_upgrade(context, upgrade)), expected, "{context:?}");
        }
    }

    #[test]
    fn options_cover_what_they_take_all_of() {
        let plain = TargetOptions::NONE;
        let websocket = TargetOptions { websocket: true, ..plain };
        for context in CONTEXTS {
            for options in [plain, websocket] {
                assert!(options.covers(context, options, context), "{context:?} {options:?}");
                assert!(plain.covers(TargetContext::Closing, options, context), "{context:?} {options:?}");
            }
        }
        assert!(websocket.covers(TargetContext::Rule, plain, TargetContext::Rule));
        assert!(!plain.covers(TargetContext::Rule, websocket, TargetContext::Rule));
        // a rule's target that lists upgrades admits requests without one, too
        assert!(!websocket.covers(TargetContext::Closing, websocket, TargetContext::Rule));
    }

    #[test]
    fn paths_are_compared_in_the_forms_that_are_taken() {
        let forms = [Form::Canonical, Form::EncodedSlash, Form::Ambiguous];
        for (slash, others, keys) in [
            (EncodedSlash::Refused, [true, false, false], [true, false, false]),
            (EncodedSlash::Data, [true, true, false], [true, true, false]),
            (EncodedSlash::Key, [false, false, false], [true, true, true]),
        ] {
            assert_eq!(forms.map(|form| slash.compares(form, false)), others, "{slash:?}");
            assert_eq!(forms.map(|form| slash.compares(form, true)), keys, "{slash:?}");
        }
    }

    #[test]
    fn a_rule_takes_a_hello_that_names_the_host_and_more_where_it_says_so() {
        let optional = TargetOptions { hello_optional: true, ..TargetOptions::NONE };
        let hidden = TargetOptions { ech: true, ..TargetOptions::NONE };
        for (options, expected) in [
            (TargetOptions::NONE, [true, false, false, false]),
            (optional, [true, true, false, false]),
            (hidden, [true, false, true, false]),
            (TargetOptions { ech: true, ..optional }, [true, true, true, true]),
        ] {
            let hellos = [(true, false), (false, false), (true, true), (false, true)];
            assert_eq!(hellos.map(|(named, ech)| options.takes_hello(TargetContext::Rule, named, ech)), expected);
            for context in [TargetContext::Exception, TargetContext::Closing] {
                assert!(hellos.iter().all(|(named, ech)| options.takes_hello(context, *named, *ech)));
                assert!(TargetOptions::NONE.covers(context, options, TargetContext::Rule));
            }
        }
        let rule = TargetContext::Rule;
        let server_first = TargetOptions { server_first: true, ..TargetOptions::NONE };
        for wider in [optional, hidden, server_first] {
            assert!(wider.covers(rule, TargetOptions::NONE, rule) && !TargetOptions::NONE.covers(rule, wider, rule));
        }
    }

    #[test]
    fn a_rule_takes_silence_and_any_hello_where_the_server_speaks_first_alone() {
        let rule = TargetContext::Rule;
        let server_first = TargetOptions { server_first: true, ..TargetOptions::NONE };
        let wide = TargetOptions { hello_optional: true, ech: true, host_only: true, ..TargetOptions::NONE };
        assert!(server_first.takes_silence(rule) && !wide.takes_silence(rule));
        for (named, ech) in [(true, false), (false, false), (true, true), (false, true)] {
            assert!(server_first.takes_hello(rule, named, ech));
        }
        assert!(!wide.covers(rule, server_first, rule));
        assert!([TargetContext::Exception, TargetContext::Closing].iter().all(|other| wide.takes_silence(*other)));
    }

    #[test]
    fn data_takes_more_forms_of_paths_and_keys_take_others() {
        let all = [EncodedSlash::Refused, EncodedSlash::Data, EncodedSlash::Key];
        let covered = |reading| {
            let pairs = all.iter().flat_map(|outer| all.iter().map(move |inner| (*outer, *inner)));
            pairs.filter(|(outer, inner)| outer != inner && outer.covers(*inner, reading)).collect::<Vec<_>>()
        };
        assert_eq!(covered(Reading::Narrow), [(EncodedSlash::Data, EncodedSlash::Refused)]);
        assert_eq!(covered(Reading::Wide), []);
    }
}
