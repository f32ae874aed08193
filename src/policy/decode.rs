//! Reading JSON without stopping at the first mistake.
//!
//! serde's derived readers end at their first error; people want all of them. A [`Shape`] therefore never fails for
//! what a value says: it records a finding where the value stands and yields nothing. Only text that is no JSON ends
//! the reading.

use super::finding::Findings;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// A value of the policy document.
pub(super) trait Shape<'de>: Sized {
    /// What belongs here, as a noun with its article: `a list of hosts`.
    const EXPECTED: &'static str;

    /// From a string.
    fn text(_: Text<'de>, findings: &mut Findings<'de>) -> Option<Self> {
        findings.wrong_type(Self::EXPECTED, "a string")
    }
    /// From a whole number that is not negative.
    fn number(_: u64, findings: &mut Findings<'de>) -> Option<Self> {
        findings.wrong_type(Self::EXPECTED, "a number")
    }
    /// From `true` or `false`.
    fn boolean(_: bool, findings: &mut Findings<'de>) -> Option<Self> {
        findings.wrong_type(Self::EXPECTED, "a boolean")
    }
    /// From a list. Must consume it.
    fn list<A: SeqAccess<'de>>(mut list: A, findings: &mut Findings<'de>) -> Result<Option<Self>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(findings.wrong_type(Self::EXPECTED, "a list"))
    }
    /// From a map. Must consume it.
    fn map<A: MapAccess<'de>>(mut map: A, findings: &mut Findings<'de>) -> Result<Option<Self>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(findings.wrong_type(Self::EXPECTED, "a map"))
    }
}

/// The value of a key: not there, there and wrong (a finding says why), or good.
#[derive(Debug, Default)]
pub(super) enum Field<T> {
    #[default]
    Absent,
    Bad,
    Good(T),
}

impl<T> Field<T> {
    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Field::Absent)
    }

    pub(super) fn as_ref(&self) -> Option<&T> {
        match self {
            Field::Good(value) => Some(value),
            _ => None,
        }
    }

    pub(super) fn good(self) -> Option<T> {
        match self {
            Field::Good(value) => Some(value),
            _ => None,
        }
    }

    /// Takes a value that [`read`] brought.
    pub(super) fn set(&mut self, value: Option<T>) {
        *self = value.map_or(Field::Bad, Field::Good);
    }
}

/// Reads the next value of a map as a `T`.
pub(super) fn value<'de, T: Shape<'de>, A: MapAccess<'de>>(
    map: &mut A,
    findings: &mut Findings<'de>,
) -> Result<Option<T>, A::Error> {
    map.next_value_seed(Read(findings, PhantomData))
}

/// Reads a list and hands its good elements on, one by one; says whether there were any elements at all.
pub(super) fn each<'de, T: Shape<'de>, A: SeqAccess<'de>>(
    mut list: A,
    findings: &mut Findings<'de>,
    mut take: impl FnMut(T, &mut Findings<'de>),
) -> Result<bool, A::Error> {
    let mut any = false;
    for index in 0.. {
        findings.enter_item(index);
        let element = list.next_element_seed(Read(findings, PhantomData))?;
        match element {
            Some(element) => {
                any = true;
                if let Some(element) = element {
                    take(element, findings);
                }
                findings.leave();
            }
            None => {
                findings.leave();
                break;
            }
        }
    }
    Ok(any)
}

/// Reads a `T` and records what is wrong with it.
pub(super) struct Read<'f, 'de, T>(pub(super) &'f mut Findings<'de>, pub(super) PhantomData<T>);

impl<'de, T: Shape<'de>> DeserializeSeed<'de> for Read<'_, 'de, T> {
    type Value = Option<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Shape<'de>> Visitor<'de> for Read<'_, 'de, T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }
    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Option<T>, E> {
        Ok(T::text(Text(Cow::Borrowed(text)), self.0))
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Option<T>, E> {
        Ok(T::text(Text(Cow::Owned(text.to_owned())), self.0))
    }
    fn visit_u64<E: Error>(self, number: u64) -> Result<Option<T>, E> {
        Ok(T::number(number, self.0))
    }
    fn visit_i64<E: Error>(self, _: i64) -> Result<Option<T>, E> {
        Ok(self.0.wrong_type(T::EXPECTED, "a negative number"))
    }
    fn visit_f64<E: Error>(self, _: f64) -> Result<Option<T>, E> {
        Ok(self.0.wrong_type(T::EXPECTED, "a number with a fraction or an exponent"))
    }
    fn visit_bool<E: Error>(self, boolean: bool) -> Result<Option<T>, E> {
        Ok(T::boolean(boolean, self.0))
    }
    fn visit_unit<E: Error>(self) -> Result<Option<T>, E> {
        self.0.null(T::EXPECTED);
        Ok(None)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Option<T>, A::Error> {
        T::list(list, self.0)
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Option<T>, A::Error> {
        T::map(map, self.0)
    }
}

/// A list or map that is not kept but worked on as it is read.
pub(super) trait Stream<'de>: Sized {
    /// What belongs here, as a noun with its article.
    const EXPECTED: &'static str;

    fn findings(&mut self) -> &mut Findings<'de>;

    /// From a list. Must consume it.
    fn list<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        self.wrong("a list")
    }
    /// From a map. Must consume it.
    fn map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        self.wrong("a map")
    }
    /// From anything else.
    fn wrong<E>(&mut self, found: &str) -> Result<(), E> {
        self.findings().wrong_type::<()>(Self::EXPECTED, found);
        Ok(())
    }
}

/// Reads a [`Stream`].
pub(super) struct Flow<S>(pub(super) S);

impl<'de, S: Stream<'de>> DeserializeSeed<'de> for Flow<S> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, S: Stream<'de>> Visitor<'de> for Flow<S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(S::EXPECTED)
    }
    fn visit_str<E: Error>(mut self, _: &str) -> Result<(), E> {
        self.0.wrong("a string")
    }
    fn visit_u64<E: Error>(mut self, _: u64) -> Result<(), E> {
        self.0.wrong("a number")
    }
    fn visit_i64<E: Error>(mut self, _: i64) -> Result<(), E> {
        self.0.wrong("a number")
    }
    fn visit_f64<E: Error>(mut self, _: f64) -> Result<(), E> {
        self.0.wrong("a number")
    }
    fn visit_bool<E: Error>(mut self, _: bool) -> Result<(), E> {
        self.0.wrong("a boolean")
    }
    fn visit_unit<E: Error>(mut self) -> Result<(), E> {
        self.0.findings().null(S::EXPECTED);
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<(), A::Error> {
        self.0.list(list)
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        self.0.map(map)
    }
}

/// A string, borrowed from the text unless it holds an escape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

impl std::ops::Deref for Text<'_> {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Key;
        impl<'de> Visitor<'de> for Key {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Key)
    }
}

impl<'de> Shape<'de> for Text<'de> {
    const EXPECTED: &'static str = "a string";
    fn text(text: Text<'de>, _: &mut Findings<'de>) -> Option<Self> {
        Some(text)
    }
}

/// A string that is for people only: it is checked and forgotten.
#[derive(Debug)]
pub(super) struct Note;

impl<'de> Shape<'de> for Note {
    const EXPECTED: &'static str = "a string";
    fn text(_: Text<'de>, _: &mut Findings<'de>) -> Option<Self> {
        Some(Note)
    }
}

/// A list with at least one element.
impl<'de, T: Shape<'de>> Shape<'de> for Vec<T> {
    const EXPECTED: &'static str = "a list";
    fn list<A: SeqAccess<'de>>(list: A, findings: &mut Findings<'de>) -> Result<Option<Self>, A::Error> {
        // most lists have one element, and elements are large
        let mut all = Vec::with_capacity(1);
        if each(list, findings, |element, _| all.push(element))? {
            Ok(Some(all))
        } else {
            findings.empty_list();
            Ok(None)
        }
    }
}

/// A list that may be empty.
#[derive(Debug)]
pub(super) struct Any<T>(pub(super) Vec<T>);

impl<'de, T: Shape<'de>> Shape<'de> for Any<T> {
    const EXPECTED: &'static str = "a list";
    fn list<A: SeqAccess<'de>>(list: A, findings: &mut Findings<'de>) -> Result<Option<Self>, A::Error> {
        let mut all = Vec::new();
        each(list, findings, |element, _| all.push(element))?;
        Ok(Some(Any(all)))
    }
}

/// A map, and where it stands in its list.
#[derive(Debug)]
pub(super) struct At<T> {
    pub(super) item: usize,
    pub(super) value: T,
}

impl<'de, T: Shape<'de>> Shape<'de> for At<T> {
    const EXPECTED: &'static str = T::EXPECTED;
    fn map<A: MapAccess<'de>>(map: A, findings: &mut Findings<'de>) -> Result<Option<Self>, A::Error> {
        let value = T::map(map, findings)?;
        Ok(value.map(|value| At { item: findings.item(), value }))
    }
}

/// Declares a map with known keys: a struct with a [`Field`] for each, and how to read it. A key that is not listed,
/// or listed twice in the text, is a finding.
macro_rules! object {
    ($(#[$doc:meta])* $name:ident<$de:lifetime>, $expected:literal { $($key:literal => $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub(super) struct $name<$de> {
            $(pub(super) $field: Field<$type>,)*
            pub(super) _text: std::marker::PhantomData<&$de str>,
        }

        impl<$de> Shape<$de> for $name<$de> {
            const EXPECTED: &'static str = $expected;

            fn map<A: serde::de::MapAccess<$de>>(
                mut map: A,
                findings: &mut Findings<$de>,
            ) -> Result<Option<Self>, A::Error> {
                let mut object = Self::default();
                while let Some(key) = map.next_key::<Text<$de>>()? {
                    match &*key {
                        $($key => {
                            findings.enter_key($key);
                            if object.$field.is_absent() {
                                let value = $crate::policy::decode::value::<$type, A>(&mut map, findings)?;
                                object.$field.set(value);
                            } else {
                                findings.duplicate_key($key);
                                map.next_value::<serde::de::IgnoredAny>()?;
                            }
                            findings.leave();
                        })*
                        _ => {
                            findings.unknown_key(&key, &[$($key),*]);
                            map.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(Some(object))
            }
        }
    };
}
pub(super) use object;
