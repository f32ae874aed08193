//! Reading JSON without stopping at the first mistake.
//!
//! serde's derived readers end at their first error; people want all of them. A [`Shape`] therefore never fails for
//! what a value says: it records a finding where the value stands and yields nothing. Only text that is no JSON ends
//! the reading.
//!
//! Everything a reader meets goes through one visitor and [`Slot`], dynamically: a visitor for every type would make
//! a copy of serde_json for every type, and the filter three times as large.

use super::finding::Findings;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// The text is no JSON. What exactly is wrong, the reader of the text knows.
pub(super) struct Stop;

/// A value of the policy document.
pub(super) trait Shape<'de>: Sized {
    /// What belongs here, as a noun with its article: `a list of hosts`.
    const EXPECTED: &'static str;

    /// From a string.
    #[inline]
    fn text(_: Text<'de>, findings: &mut Findings<'de>) -> Option<Self> {
        findings.wrong_type(Self::EXPECTED, "a string");
        None
    }
    /// From a whole number that is not negative.
    #[inline]
    fn number(_: u64, findings: &mut Findings<'de>) -> Option<Self> {
        findings.wrong_type(Self::EXPECTED, "a number");
        None
    }
    /// From `true` or `false`.
    #[inline]
    fn boolean(_: bool, findings: &mut Findings<'de>) -> Option<Self> {
        findings.wrong_type(Self::EXPECTED, "a boolean");
        None
    }
    /// From a list. What of it is not read is skipped.
    #[inline]
    fn list(_: &mut dyn Items<'de>, findings: &mut Findings<'de>) -> Result<Option<Self>, Stop> {
        findings.wrong_type(Self::EXPECTED, "a list");
        Ok(None)
    }
    /// From a map. What of it is not read is skipped.
    #[inline]
    fn map(_: &mut dyn Entries<'de>, findings: &mut Findings<'de>) -> Result<Option<Self>, Stop> {
        findings.wrong_type(Self::EXPECTED, "a map");
        Ok(None)
    }
}

/// A value as it is met.
pub(super) enum Value<'r, 'de> {
    Text(Text<'de>),
    Number(u64),
    Boolean(bool),
    List(&'r mut dyn Items<'de>),
    Map(&'r mut dyn Entries<'de>),
    Null,
    /// Something that belongs nowhere in a policy.
    Foreign(&'static str),
}

impl Value<'_, '_> {
    /// Records that another type is expected.
    pub(super) fn refuse(&self, expected: &'static str, findings: &mut Findings<'_>) {
        let found = match self {
            Value::Text(_) => "a string",
            Value::Number(_) => "a number",
            Value::Boolean(_) => "a boolean",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
            Value::Null => return findings.null(expected),
            Value::Foreign(found) => found,
        };
        findings.wrong_type(expected, found);
    }
}

/// Where a value goes.
pub(super) trait Slot<'de> {
    fn take(&mut self, value: Value<'_, 'de>, findings: &mut Findings<'de>) -> Result<(), Stop>;
}

/// The elements of a list.
pub(super) trait Items<'de> {
    /// Reads the next one; false at the end.
    fn next(&mut self, slot: &mut dyn Slot<'de>, findings: &mut Findings<'de>) -> Result<bool, Stop>;
}

/// The entries of a map. Every key must be followed by its value, read or skipped.
pub(super) trait Entries<'de> {
    fn key(&mut self) -> Result<Option<Text<'de>>, Stop>;
    fn value(&mut self, slot: &mut dyn Slot<'de>, findings: &mut Findings<'de>) -> Result<(), Stop>;
    fn skip(&mut self) -> Result<(), Stop>;
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

    /// Takes what [`value`] brought.
    pub(super) fn set(&mut self, value: Option<T>) {
        *self = value.map_or(Field::Bad, Field::Good);
    }
}

/// Takes a `T`, if one comes.
struct Out<T>(Option<T>);

impl<'de, T: Shape<'de>> Slot<'de> for Out<T> {
    fn take(&mut self, value: Value<'_, 'de>, findings: &mut Findings<'de>) -> Result<(), Stop> {
        self.0 = match value {
            Value::Text(text) => T::text(text, findings),
            Value::Number(number) => T::number(number, findings),
            Value::Boolean(boolean) => T::boolean(boolean, findings),
            Value::List(items) => T::list(items, findings)?,
            Value::Map(entries) => T::map(entries, findings)?,
            Value::Null | Value::Foreign(_) => {
                value.refuse(T::EXPECTED, findings);
                None
            }
        };
        Ok(())
    }
}

/// Reads the next value of a map as a `T`.
pub(super) fn value<'de, T: Shape<'de>>(
    entries: &mut dyn Entries<'de>,
    findings: &mut Findings<'de>,
) -> Result<Option<T>, Stop> {
    let mut out = Out(None);
    entries.value(&mut out, findings)?;
    Ok(out.0)
}

/// Reads a list and hands its good elements on, one by one; says whether there were any elements at all.
pub(super) fn each<'de, T: Shape<'de>>(
    items: &mut dyn Items<'de>,
    findings: &mut Findings<'de>,
    mut take: impl FnMut(T, &mut Findings<'de>),
) -> Result<bool, Stop> {
    for index in 0.. {
        let mut out = Out(None);
        findings.enter_item(index);
        let more = items.next(&mut out, findings)?;
        if let Some(element) = out.0 {
            take(element, findings);
        }
        findings.leave();
        if !more {
            return Ok(index > 0);
        }
    }
    Ok(true)
}

/// Reads one value into a slot.
pub(super) struct Read<'r, 'de> {
    pub(super) slot: &'r mut dyn Slot<'de>,
    pub(super) findings: &'r mut Findings<'de>,
}

impl<'de> DeserializeSeed<'de> for Read<'_, 'de> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Read<'_, 'de> {
    /// A value that has no parts to read.
    fn plain<E: Error>(self, value: Value<'_, 'de>) -> Result<(), E> {
        settled(self.slot.take(value, self.findings), None)
    }
}

impl<'de> Visitor<'de> for Read<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<(), E> {
        self.plain(Value::Text(Text(Cow::Borrowed(text))))
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.plain(Value::Text(Text(Cow::Owned(text.to_owned()))))
    }
    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.plain(Value::Number(number))
    }
    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.plain(Value::Foreign("a negative number"))
    }
    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.plain(Value::Foreign("a number with a fraction or an exponent"))
    }
    fn visit_bool<E: Error>(self, boolean: bool) -> Result<(), E> {
        self.plain(Value::Boolean(boolean))
    }
    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.plain(Value::Null)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<(), A::Error> {
        let mut list = List { list, ended: false, error: None };
        let read = self.slot.take(Value::List(&mut list), self.findings);
        list.finish(read)
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let mut map = Map { map, ended: false, error: None };
        let read = self.slot.take(Value::Map(&mut map), self.findings);
        map.finish(read)
    }
}

/// serde's list, and the error that [`Stop`] stands for.
struct List<A, E> {
    list: A,
    ended: bool,
    error: Option<E>,
}

impl<'de, A: SeqAccess<'de>> List<A, A::Error> {
    fn finish(mut self, read: Result<(), Stop>) -> Result<(), A::Error> {
        settled(read, self.error)?;
        while !self.ended && self.list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

impl<'de, A: SeqAccess<'de>> Items<'de> for List<A, A::Error> {
    fn next(&mut self, slot: &mut dyn Slot<'de>, findings: &mut Findings<'de>) -> Result<bool, Stop> {
        let read = self.list.next_element_seed(Read { slot, findings });
        let more = caught(read, &mut self.error)?.is_some();
        self.ended = !more;
        Ok(more)
    }
}

/// serde's map, and the error that [`Stop`] stands for.
struct Map<A, E> {
    map: A,
    ended: bool,
    error: Option<E>,
}

impl<'de, A: MapAccess<'de>> Map<A, A::Error> {
    fn finish(mut self, read: Result<(), Stop>) -> Result<(), A::Error> {
        settled(read, self.error)?;
        while !self.ended && self.map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

impl<'de, A: MapAccess<'de>> Entries<'de> for Map<A, A::Error> {
    fn key(&mut self) -> Result<Option<Text<'de>>, Stop> {
        let key = caught(self.map.next_key_seed(Key), &mut self.error)?;
        self.ended = key.is_none();
        Ok(key)
    }
    fn value(&mut self, slot: &mut dyn Slot<'de>, findings: &mut Findings<'de>) -> Result<(), Stop> {
        caught(self.map.next_value_seed(Read { slot, findings }), &mut self.error)
    }
    fn skip(&mut self) -> Result<(), Stop> {
        caught(self.map.next_value::<IgnoredAny>(), &mut self.error).map(|_| ())
    }
}

/// Turns [`Stop`] back into the error that it stands for.
fn settled<E: Error>(read: Result<(), Stop>, error: Option<E>) -> Result<(), E> {
    match (read, error) {
        (_, Some(error)) => Err(error),
        (Err(Stop), None) => Err(E::custom("stopped")),
        (Ok(()), None) => Ok(()),
    }
}

fn caught<T, E>(result: Result<T, E>, error: &mut Option<E>) -> Result<T, Stop> {
    result.map_err(|caught| {
        *error = Some(caught);
        Stop
    })
}

/// Reads a key of a map.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Text<'de>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Text<'de>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

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

/// A string, borrowed from the text unless it holds an escape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

impl std::ops::Deref for Text<'_> {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
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
    fn list(items: &mut dyn Items<'de>, findings: &mut Findings<'de>) -> Result<Option<Self>, Stop> {
        // most lists have one element, and elements are large
        let mut all = Vec::with_capacity(1);
        if each(items, findings, |element, _| all.push(element))? {
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
    fn list(items: &mut dyn Items<'de>, findings: &mut Findings<'de>) -> Result<Option<Self>, Stop> {
        let mut all = Vec::new();
        each(items, findings, |element, _| all.push(element))?;
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
    fn map(entries: &mut dyn Entries<'de>, findings: &mut Findings<'de>) -> Result<Option<Self>, Stop> {
        let value = T::map(entries, findings)?;
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

            fn map(entries: &mut dyn Entries<$de>, findings: &mut Findings<$de>) -> Result<Option<Self>, Stop> {
                let mut object = Self::default();
                while let Some(key) = entries.key()? {
                    match &*key {
                        $($key => {
                            findings.enter_key($key);
                            if object.$field.is_absent() {
                                let value = $crate::policy::decode::value::<$type>(entries, findings)?;
                                object.$field.set(value);
                            } else {
                                findings.duplicate_key($key);
                                entries.skip()?;
                            }
                            findings.leave();
                        })*
                        _ => {
                            findings.unknown_key(&key, &[$($key),*]);
                            entries.skip()?;
                        }
                    }
                }
                Ok(Some(object))
            }
        }
    };
}
pub(super) use object;
