//! Reading JSON without stopping at the first mistake.
//!
//! Derived readers end at their first error; people want all of them. A [`Shape`] therefore never fails for what a value
//! says: it records a finding where the value stands and yields nothing. Only text that is no JSON ends the reading.

use super::finding::Findings;
pub(super) use super::json::Stop;
use super::json::{Json, Nest, Token};
use std::borrow::Cow;

/// A value of the policy document.
pub(super) trait Shape<'de>: Sized {
    /// The expected value, as a noun with its article: `a list of hosts`.
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
    fn list(_: Items<'_, 'de>, findings: &mut Findings<'de>) -> Result<Option<Self>, Stop> {
        findings.wrong_type(Self::EXPECTED, "a list");
        Ok(None)
    }
    /// From a map. What of it is not read is skipped.
    #[inline]
    fn map(_: Entries<'_, 'de>, findings: &mut Findings<'de>) -> Result<Option<Self>, Stop> {
        findings.wrong_type(Self::EXPECTED, "a map");
        Ok(None)
    }
}

/// A value as it is met.
pub(super) enum Value<'r, 'de> {
    Text(Text<'de>),
    Number(u64),
    Boolean(bool),
    List(Items<'r, 'de>),
    Map(Entries<'r, 'de>),
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

/// Destination of a value that is read.
pub(super) trait Slot<'de> {
    fn take(&mut self, value: Value<'_, 'de>, findings: &mut Findings<'de>) -> Result<(), Stop>;
}

/// The elements of a list.
pub(super) struct Items<'r, 'de>(&'r mut Json<'de>);

/// The entries of a map. Every key must be followed by its value, read or skipped.
pub(super) struct Entries<'r, 'de>(&'r mut Json<'de>);

impl<'de> Entries<'_, 'de> {
    pub(super) fn key(&mut self) -> Result<Option<Text<'de>>, Stop> {
        Ok(self.0.key()?.map(Text))
    }

    pub(super) fn value(&mut self, slot: &mut dyn Slot<'de>, findings: &mut Findings<'de>) -> Result<(), Stop> {
        read(self.0, slot, findings)
    }

    pub(super) fn skip(&mut self) -> Result<(), Stop> {
        self.0.skip()
    }
}

/// Reads a value into a slot: dynamically, since a copy for every type would be 25 KB of the filter.
pub(super) fn read<'de>(
    json: &mut Json<'de>,
    slot: &mut dyn Slot<'de>,
    findings: &mut Findings<'de>,
) -> Result<(), Stop> {
    let depth = json.depth();
    let value = match json.token()? {
        Token::List => {
            slot.take(Value::List(Items(json)), findings)?;
            return json.leave(Nest::List, depth);
        }
        Token::Map => {
            slot.take(Value::Map(Entries(json)), findings)?;
            return json.leave(Nest::Map, depth);
        }
        Token::Text(text) => Value::Text(Text(text)),
        Token::Number(number) => Value::Number(number),
        Token::OtherNumber(found) => Value::Foreign(found),
        Token::Boolean(boolean) => Value::Boolean(boolean),
        Token::Null => Value::Null,
    };
    slot.take(value, findings)
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
    entries: &mut Entries<'_, 'de>,
    findings: &mut Findings<'de>,
) -> Result<Option<T>, Stop> {
    let mut out = Out(None);
    entries.value(&mut out, findings)?;
    Ok(out.0)
}

/// Reads a list and hands its good elements on, one by one; says whether there were any elements at all.
pub(super) fn each<'de, T: Shape<'de>>(
    items: Items<'_, 'de>,
    findings: &mut Findings<'de>,
    mut take: impl FnMut(T, &mut Findings<'de>),
) -> Result<bool, Stop> {
    let mut index = 0_usize;
    while items.0.element()? {
        let mut out = Out(None);
        findings.enter_item(index);
        read(items.0, &mut out, findings)?;
        if let Some(element) = out.0 {
            take(element, findings);
        }
        findings.leave();
        index = index.saturating_add(1);
    }
    Ok(index > 0)
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
    fn list(items: Items<'_, 'de>, findings: &mut Findings<'de>) -> Result<Option<Self>, Stop> {
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
    fn list(items: Items<'_, 'de>, findings: &mut Findings<'de>) -> Result<Option<Self>, Stop> {
        let mut all = Vec::new();
        each(items, findings, |element, _| all.push(element))?;
        Ok(Some(Any(all)))
    }
}

/// A map or a string, and where it stands in its list.
#[derive(Debug)]
pub(super) struct At<T> {
    pub(super) item: usize,
    pub(super) value: T,
}

impl<'de, T: Shape<'de>> Shape<'de> for At<T> {
    const EXPECTED: &'static str = T::EXPECTED;
    fn text(text: Text<'de>, findings: &mut Findings<'de>) -> Option<Self> {
        T::text(text, findings).map(|value| At { item: findings.item(), value })
    }
    fn map(entries: Entries<'_, 'de>, findings: &mut Findings<'de>) -> Result<Option<Self>, Stop> {
        let value = T::map(entries, findings)?;
        Ok(value.map(|value| At { item: findings.item(), value }))
    }
}

/// A map with known keys.
pub(super) trait Keyed {
    /// The keys, in the order in which findings list them.
    const KEYS: &'static [&'static str];
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

        impl $crate::policy::decode::Keyed for $name<'_> {
            const KEYS: &'static [&'static str] = &[$($key),*];
        }

        impl<$de> Shape<$de> for $name<$de> {
            const EXPECTED: &'static str = $expected;

            fn map(mut entries: Entries<'_, $de>, findings: &mut Findings<$de>) -> Result<Option<Self>, Stop> {
                let mut object = Self::default();
                while let Some(key) = entries.key()? {
                    match &*key {
                        $($key => {
                            findings.enter_key($key);
                            if object.$field.is_absent() {
                                let value = $crate::policy::decode::value::<$type>(&mut entries, findings)?;
                                object.$field.set(value);
                            } else {
                                findings.duplicate_key($key);
                                entries.skip()?;
                            }
                            findings.leave();
                        })*
                        _ => {
                            findings.unknown_key(&key, <Self as $crate::policy::decode::Keyed>::KEYS);
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
