//! Reading objects and words: what `derive(Deserialize)` does, with less code, and more strictly.
//!
//! serde's derive compiles a reader of names, of lists and of bytes for each type. That was a tenth of the module, which
//! is downloaded and compiled before it answers. Here the types share one reader of names, and one for each type of
//! field. An object has to be an object: derived code also takes a list, and reads its elements as the fields. A word
//! has to be a string, and not `{"deny": null}`.

use core::{fmt, marker::PhantomData};
use std::collections::BTreeMap;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, MapAccess, Visitor},
};

/// Reads the name of a member, and returns its place in the list.
pub(crate) struct Name {
    pub(crate) names: &'static [&'static str],
    /// Whether names that are not in the list are ignored.
    pub(crate) others: bool,
}

impl<'de> DeserializeSeed<'de> for Name {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Name {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<usize, E> {
        match self.names.iter().position(|name| *name == text) {
            Some(at) => Ok(at),
            None if self.others => Ok(usize::MAX),
            None => Err(E::unknown_field(text, self.names)),
        }
    }
}

/// Reads a string that is one of the words, and returns its place in the list.
pub(crate) struct Word(pub(crate) &'static [&'static str]);

impl Visitor<'_> for Word {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<usize, E> {
        let at = self.0.iter().position(|word| *word == text);
        at.ok_or_else(|| E::unknown_variant(text, self.0))
    }
}

/// Reads a member's value. A second one is an error.
#[inline(never)]
pub(crate) fn fill<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
    slot: &mut Option<T>,
    map: &mut A,
    name: &'static str,
) -> Result<(), A::Error> {
    if slot.is_some() {
        return Err(A::Error::duplicate_field(name));
    }
    *slot = Some(map.next_value()?);
    Ok(())
}

/// The same for a member that has a default. `given` has a bit for each member that was read, `at` is the number of this one.
#[inline(never)]
pub(crate) fn replace<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
    slot: &mut T,
    map: &mut A,
    (given, at): (&mut u64, usize),
    name: &'static str,
) -> Result<(), A::Error> {
    let bit = u32::try_from(at).ok().and_then(|at| 1_u64.checked_shl(at)).unwrap_or_default();
    if *given & bit != 0 {
        return Err(A::Error::duplicate_field(name));
    }
    *given |= bit;
    *slot = map.next_value()?;
    Ok(())
}

/// Values by names that the author of the document has chosen. Each name comes once: serde's own maps keep the last of two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ByName<T>(pub(crate) BTreeMap<String, T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for ByName<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Values<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Values<T> {
            type Value = ByName<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut values = BTreeMap::new();
                while let Some(name) = map.next_key::<String>()? {
                    // It is checked before the value is read, so that the path of the fault ends with the name.
                    if values.contains_key(&name) {
                        return Err(A::Error::custom(REPEATED_NAME));
                    }
                    values.insert(name, map.next_value()?);
                }
                Ok(ByName(values))
            }
        }

        deserializer.deserialize_map(Values(PhantomData))
    }
}

/// The message for a repeated name, where names are not known beforehand. The path has the name.
pub(crate) const REPEATED_NAME: &str = "duplicate field of an object";

/// The value of a field that has to be there.
pub(crate) fn required<T, E: Error>(slot: Option<T>, name: &'static str) -> Result<T, E> {
    slot.ok_or_else(|| E::missing_field(name))
}

/// A struct, and how it is read:
///
/// ```ignore
/// object! {
///     struct Type, refused { a: A, b: B = default, c: Option<C>; given }
/// }
/// ```
///
/// A plain field has to be there. A field with `=` has a default. A field with `given` is an `Option`: it says whether
/// the field was there, and the type within decides about `null`. Other members are `refused` or `ignored`.
macro_rules! object {
    (
        $(#[$meta:meta])*
        $vis:vis struct $type:ident, $others:ident {
            $(
                $(#[$field_meta:meta])*
                $field_vis:vis $field:ident: $field_type:ty $(= $default:expr)? $(; $mark:tt)?
            ),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        $vis struct $type {
            $($(#[$field_meta])* $field_vis $field: $field_type,)+
        }

        impl<'de> ::serde::Deserialize<'de> for $type {
            fn deserialize<D: ::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::core::result::Result<Self, D::Error> {
                struct Members;

                impl<'de> ::serde::de::Visitor<'de> for Members {
                    type Value = $type;

                    fn expecting(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_map<A: ::serde::de::MapAccess<'de>>(
                        self,
                        mut map: A,
                    ) -> ::core::result::Result<$type, A::Error> {
                        $(let mut $field = $crate::json::object::object!(@slot $($default)?);)+
                        #[allow(unused_mut, unused_variables, reason = "not each object has members with defaults")]
                        let mut given = 0_u64;
                        const { assert!([$(stringify!($field)),+].len() <= 64, "a bit for each member") };
                        let names: &'static [&'static str] = &[$(stringify!($field)),+];
                        let others = $crate::json::object::object!(@others $others);
                        while let Some(at) =
                            map.next_key_seed($crate::json::object::Name { names, others })?
                        {
                            let mut numbers = 0_usize..;
                            $(if numbers.next() == Some(at) {
                                $crate::json::object::object!(@read $field, map, given, at $(= $default)?)?;
                                continue;
                            })+
                            map.next_value::<::serde::de::IgnoredAny>()?;
                        }
                        Ok($type {
                            $($field: $crate::json::object::object!(@take $field $(= $default)? $(; $mark)?)),+
                        })
                    }
                }

                deserializer.deserialize_map(Members)
            }
        }
    };
    (@slot) => { None };
    (@slot $default:expr) => { $default };
    (@read $field:ident, $map:ident, $given:ident, $at:ident) => {
        $crate::json::object::fill(&mut $field, &mut $map, stringify!($field))
    };
    (@read $field:ident, $map:ident, $given:ident, $at:ident = $default:expr) => {
        $crate::json::object::replace(&mut $field, &mut $map, (&mut $given, $at), stringify!($field))
    };
    (@others refused) => { false };
    (@others ignored) => { true };
    (@take $field:ident) => { $crate::json::object::required($field, stringify!($field))? };
    (@take $field:ident = $default:expr) => { $field };
    (@take $field:ident; given) => { $field };
}

/// `words!(Type { "word" => value })`: how an enum of words is read.
macro_rules! words {
    ($type:ident { $($word:literal => $value:expr),+ $(,)? }) => {
        impl<'de> ::serde::Deserialize<'de> for $type {
            fn deserialize<D: ::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::core::result::Result<Self, D::Error> {
                let at = deserializer.deserialize_str($crate::json::object::Word(&[$($word),+]))?;
                // The position is that of a word.
                let values = [$($value),+];
                values.get(at).copied().ok_or_else(|| ::serde::de::Error::custom("no such word"))
            }
        }
    };
}

pub(crate) use {object, words};
