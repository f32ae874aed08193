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
    pub const NONE: TargetOptions = TargetOptions { websocket: false, encoded_slash: EncodedSlash::Refused };

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

    /// Tells whether whatever another target's options take is taken, `encodedSlash` apart: that is about paths.
    pub fn covers(self, context: TargetContext, other: TargetOptions, of_other: TargetContext) -> bool {
        let upgrades = [Upgrade::Absent, Upgrade::To(b"websocket"), Upgrade::Several];
        upgrades
            .into_iter()
            .all(|upgrade| self.takes_upgrade(context, upgrade) || !other.takes_upgrade(of_other, upgrade))
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
