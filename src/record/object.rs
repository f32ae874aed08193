//! JSON objects as structs: one list of members says what is written, in which order, and what is read.

use super::layer::Layer;
use crate::decision::json;
use crate::decision::{Failed, Outcome, Reason};
use crate::request::Source;
use std::borrow::Cow;

/// Defines a struct that is written as a JSON object, its members under these keys and in this order, and with the feature
/// `serde` read from one. Members that are none are left out.
macro_rules! object {
    (
        $(#[$about:meta])*
        pub struct $name:ident<$life:lifetime> {
            $(#[$first_about:meta])*
            $first_key:literal => $first:ident: $first_type:ty,
            $($(#[$about_member:meta])* $key:literal => $member:ident: $type:ty,)*
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[cfg_attr(feature = "serde", derive(serde::Deserialize))]
        pub struct $name<$life> {
            $(#[$first_about])*
            #[cfg_attr(feature = "serde", serde(rename = $first_key))]
            pub $first: $first_type,
            $(
                $(#[$about_member])*
                #[cfg_attr(feature = "serde", serde(rename = $key))]
                pub $member: $type,
            )*
        }

        impl $crate::record::object::Value for $name<'_> {
            fn write(&self, out: &mut Vec<u8>) {
                use $crate::record::object::Member as _;
                self.$first.write_behind(concat!("{\"", $first_key, "\":"), out);
                $(self.$member.write_behind(concat!(",\"", $key, "\":"), out);)*
                out.push(b'}');
            }
        }
    };
}
pub(super) use object;

/// A JSON value.
pub(super) trait Value {
    /// Appends it.
    fn write(&self, out: &mut Vec<u8>);
}

/// A member of an object.
pub(super) trait Member {
    /// Appends what leads up to the value and the value, or nothing where there is none.
    fn write_behind(&self, lead: &str, out: &mut Vec<u8>);
}

impl<T: Value> Member for T {
    #[inline]
    fn write_behind(&self, lead: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(lead.as_bytes());
        self.write(out);
    }
}

impl<T: Value> Member for Option<T> {
    #[inline]
    fn write_behind(&self, lead: &str, out: &mut Vec<u8>) {
        if let Some(value) = self {
            value.write_behind(lead, out);
        }
    }
}

/// Bytes that a caller sent. They have no encoding: each is written as the character of its number, so that all can be had
/// back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bytes<'a>(pub Cow<'a, [u8]>);

impl<'a> Bytes<'a> {
    /// Returns the first `cap` bytes.
    pub(super) fn capped(bytes: &'a [u8], cap: usize) -> Bytes<'a> {
        Bytes(Cow::Borrowed(bytes.get(..cap).unwrap_or(bytes)))
    }

    /// Returns the bytes as text; none where they are no UTF-8.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl Value for Bytes<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        json::bytes(out, &self.0, usize::MAX);
    }
}

impl Value for Cow<'_, str> {
    fn write(&self, out: &mut Vec<u8>) {
        json::text(out, self);
    }
}

impl Value for u64 {
    fn write(&self, out: &mut Vec<u8>) {
        json::number(out, *self);
    }
}

impl Value for u16 {
    fn write(&self, out: &mut Vec<u8>) {
        json::number(out, u64::from(*self));
    }
}

impl<T: Value> Value for Vec<T> {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(b'[');
        for (number, value) in self.iter().enumerate() {
            if number > 0 {
                out.push(b',');
            }
            value.write(out);
        }
        out.push(b']');
    }
}

/// Words of closed lists.
macro_rules! words {
    ($($type:ty)*) => {$(
        impl Value for $type {
            fn write(&self, out: &mut Vec<u8>) {
                json::text(out, self.as_str());
            }
        }

        #[cfg(feature = "serde")]
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = <Cow<'_, str>>::deserialize(deserializer)?;
                let known = <$type>::ALL.into_iter().find(|known| known.as_str() == word);
                known.ok_or_else(|| serde::de::Error::custom(format_args!("`{word}` is not known here")))
            }
        }
    )*};
}
words! { Outcome Reason Failed Source Layer }

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Bytes<'_> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <Cow<'_, str>>::deserialize(deserializer)?;
        let bytes: Result<Vec<u8>, _> = text.chars().map(u8::try_from).collect();
        bytes.map(|bytes| Bytes(Cow::Owned(bytes))).map_err(|_| serde::de::Error::custom("a character is no byte"))
    }
}
