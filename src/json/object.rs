//! Reading objects and words: what `derive(Deserialize)` does, with less code, and more strictly.
//!
//! serde's derive compiles a reader of names, of lists and of bytes for each type. That was a tenth of the module, which
//! is downloaded and compiled before it answers. Here a type is a table: the names of its members, and the place of each.
//! One function reads all objects by their tables. An object has to be an object: derived code also takes a list, and
//! reads its elements as the fields. A word has to be a string, and not `{"deny": null}`.

use serde_json::Value;

use super::{fault::DocumentFault, readable::Readable};

/// An object whose members are known: a table of names and places.
pub(crate) trait Object: Readable {
    /// The names.
    fn shape(&self) -> Shape;

    /// The place of a member, by its number in the list of names.
    fn member(&mut self, at: usize) -> Option<&mut dyn Readable>;
}

/// What members an object has.
pub(crate) struct Shape {
    pub(crate) names: &'static [&'static str],
    /// A bit for each member that has to be there.
    pub(crate) required: u64,
    /// Whether members that are not in the list are ignored.
    pub(crate) others: bool,
}

/// Reads an object into its places.
///
/// No name comes twice: the text was read strictly before.
pub(crate) fn read(object: &mut dyn Object, value: Value) -> Result<(), Box<DocumentFault>> {
    let Value::Object(members) = value else {
        return Err(DocumentFault::expected("an object", &value));
    };
    let Shape { names, required, others } = object.shape();
    let mut given = 0;
    for (name, value) in members {
        match names.iter().position(|known| *known == name) {
            Some(at) => {
                given |= bit(at);
                if let Some(place) = object.member(at) {
                    place.read(value).map_err(|fault| fault.within(&name))?;
                }
            }
            None if others => {}
            None => {
                let expected = meant(&name, names).map_or_else(|| in_words(names), str::to_owned);
                let problem = format!("is not a known field, expected {expected}");
                return Err(DocumentFault::of(problem).within(&name));
            }
        }
    }
    let is_missing = |at| required & !given & bit(at) != 0;
    match (0..).zip(names).find(|(at, _)| is_missing(*at)) {
        Some((_, name)) => Err(missing(name)),
        None => Ok(()),
    }
}

/// The name that was meant, if this one is spelt as JavaScript would.
#[inline(never)]
pub(crate) fn meant(name: &str, names: &[&'static str]) -> Option<&'static str> {
    let spelt_alike = |known: &str| {
        let mut rest = name.bytes();
        let mut is_next_upper = false;
        let fits = known.bytes().all(|byte| {
            if byte == b'_' {
                is_next_upper = true;
                return true;
            }
            let wanted = if is_next_upper { byte.to_ascii_uppercase() } else { byte };
            is_next_upper = false;
            rest.next() == Some(wanted)
        });
        fits && rest.next().is_none()
    };
    names.iter().copied().find(|known| *known != name && spelt_alike(known))
}

/// The bit of a member. There are at most 64.
fn bit(at: usize) -> u64 {
    u32::try_from(at).ok().and_then(|at| 1_u64.checked_shl(at)).unwrap_or_default()
}

/// A bit for each member of which the list says so.
pub(crate) const fn bits(members: &[bool]) -> u64 {
    let mut bits = 0;
    let mut rest = members;
    let mut next = 1_u64;
    while let [member, others @ ..] = rest {
        if *member {
            bits |= next;
        }
        next = next.wrapping_shl(1);
        rest = others;
    }
    bits
}

/// The name of a member whose field is called by a word of Rust: `type`, not `r#type`.
pub(crate) const fn bare(field: &'static str) -> &'static str {
    match field.as_bytes() {
        [b'r', b'#', rest @ ..] => match core::str::from_utf8(rest) {
            Ok(name) => name,
            Err(_) => field,
        },
        _ => field,
    }
}

/// The fault of an object without this member.
pub(crate) fn missing(name: &str) -> Box<DocumentFault> {
    DocumentFault::of("is required".to_owned()).within(name)
}

/// The value of a member that has to be there.
pub(crate) fn required<T>(value: Option<T>, name: &str) -> Result<T, Box<DocumentFault>> {
    value.ok_or_else(|| missing(name))
}

/// The place of a word in a list.
pub(crate) fn word(text: &str, words: &[&str]) -> Result<usize, Box<DocumentFault>> {
    let at = words.iter().position(|word| *word == text);
    at.ok_or_else(|| DocumentFault::of(format!("expected {}", in_words(words))))
}

/// `a`, `a or b`, `one of a, b, c`.
fn in_words(names: &[&str]) -> String {
    match names {
        [one, other] => format!("{one} or {other}"),
        [one] => (*one).to_owned(),
        _ => format!("one of {}", names.join(", ")),
    }
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

        impl $crate::json::object::Object for $type {
            fn shape(&self) -> $crate::json::object::Shape {
                let names: &'static [&'static str] =
                    const { &[$($crate::json::object::bare(stringify!($field))),+] };
                const { assert!([$(stringify!($field)),+].len() <= 64, "a bit for each member") };
                let required = const {
                    $crate::json::object::bits(&[
                        $($crate::json::object::object!(@required $(= $default)? $(; $mark)?)),+
                    ])
                };
                let others = $crate::json::object::object!(@others $others);
                $crate::json::object::Shape { names, required, others }
            }

            fn member(&mut self, at: usize) -> Option<&mut dyn $crate::json::readable::Readable> {
                let mut numbers = 0_usize..;
                $(if numbers.next() == Some(at) {
                    return Some($crate::json::object::object!(@place self.$field $(; $mark)?));
                })+
                None
            }
        }

        impl $crate::json::readable::Readable for $type {
            fn blank() -> Self {
                Self { $($field: $crate::json::object::object!(@blank $(= $default)? $(; $mark)?)),+ }
            }

            fn read(
                &mut self,
                value: ::serde_json::Value,
            ) -> ::core::result::Result<(), Box<$crate::json::fault::DocumentFault>> {
                $crate::json::object::read(self, value)
            }
        }

        $crate::json::readable::deserialize!($type);
    };
    (@required) => { true };
    (@required = $default:expr) => { false };
    (@required ; given) => { false };
    (@place $self:ident.$field:ident) => { &mut $self.$field };
    (@place $self:ident.$field:ident; given) => {
        $self.$field.insert($crate::json::readable::Readable::blank())
    };
    (@blank) => { $crate::json::readable::Readable::blank() };
    (@blank = $default:expr) => { $default };
    (@blank ; given) => { None };
    (@others refused) => { false };
    (@others ignored) => { true };
}

/// `words!(Type { "word" => value })`: how an enum of words is read.
macro_rules! words {
    ($type:ident { $first:literal => $first_value:expr $(, $word:literal => $value:expr)* $(,)? }) => {
        impl $crate::json::readable::Readable for $type {
            fn blank() -> Self {
                $first_value
            }

            fn read(
                &mut self,
                value: ::serde_json::Value,
            ) -> ::core::result::Result<(), Box<$crate::json::fault::DocumentFault>> {
                let text = $crate::json::readable::string(value)?;
                let at = $crate::json::object::word(&text, &[$first $(, $word)*])?;
                // The position is that of a word.
                *self = [$first_value $(, $value)*].get(at).copied().unwrap_or($first_value);
                Ok(())
            }
        }

        $crate::json::readable::deserialize!($type);

        #[cfg(feature = "describe")]
        impl $crate::json::describe::Describe for $type {
            fn schema(_: &mut $crate::json::describe::Definitions) -> ::serde_json::Value {
                ::serde_json::json!({"enum": [$first $(, $word)*]})
            }

            fn written(&self) -> Option<::serde_json::Value> {
                let words = [($first, $first_value) $(, ($word, $value))*];
                let word = words.into_iter().find(|(_, value)| value == self);
                word.map(|(word, _)| word.into())
            }
        }
    };
}

/// An object as `object!` reads it, that describes itself. The name is that of its type in TypeScript, doc comments
/// are what the reference says.
///
/// ```ignore
/// described! {
///     /// What it is for.
///     struct Type as Name, refused {
///         /// What it says.
///         #[facts(minimum = 1, default = 10)]
///         secs: Option<u32> = None,
///         /// Of another type than the reader's, which reads on elsewhere.
///         #[written(Vec<Other>)]
///         others: Vec<StrictObject> = Vec::new(),
///     }
/// }
/// ```
macro_rules! described {
    (
        $(#[doc = $about:literal])*
        $(#[derive($($derived:tt)*)])?
        $vis:vis struct $type:ident as $name:ident, $others:ident {
            $(
                $(#[doc = $doc:literal])*
                $(#[facts($($keyword:ident = $fact:expr),+ $(,)?)])?
                $(#[written($written:ty)])?
                $(#[serde($($serde:tt)*)])?
                $field_vis:vis $field:ident: $field_type:ty $(= $default:expr)? $(; $mark:tt)?
            ),+ $(,)?
        }
    ) => {
        $crate::json::object::object! {
            $(#[doc = $about])*
            $(#[derive($($derived)*)])?
            $vis struct $type, $others {
                $($(#[doc = $doc])* $(#[serde($($serde)*)])? $field_vis $field: $field_type $(= $default)? $(; $mark)?),+
            }
        }

        #[cfg(feature = "describe")]
        impl $crate::json::describe::Describe for $type {
            fn schema(known: &mut $crate::json::describe::Definitions) -> ::serde_json::Value {
                use $crate::json::describe::{Facts, Field};

                known.object(stringify!($name), &[$($about),*], |known| {
                    vec![$({
                        let names =
                            ($crate::json::object::bare(stringify!($field)), [$($doc),*].as_slice());
                        let facts = Facts::default()$($(.with(stringify!($keyword), $fact))+)?;
                        let default: Option<Option<::serde_json::Value>> =
                            $crate::json::object::described!(@default $field_type $(= $default)? $(; $mark)?);
                        $crate::json::object::described!(
                            @field known, names, facts, default, $field_type $(; $mark)? $(, $written)?
                        )
                    }),+]
                })
            }
        }
    };
    (@default $type:ty) => { None };
    // The type within decides about `null`.
    (@default $type:ty; given) => { Some(None) };
    (@default $type:ty = $default:expr) => {{
        let value: $type = $default;
        Some($crate::json::describe::Describe::written(&value))
    }};
    (@field $known:ident, $names:ident, $facts:ident, $default:ident, $type:ty) => {
        Field::of::<$type>($known, $names, $facts, $default)
    };
    (@field $known:ident, $names:ident, $facts:ident, $default:ident, $type:ty; given) => {
        Field::of::<<$type as $crate::json::describe::Given>::Inner>($known, $names, $facts, $default)
    };
    (@field $known:ident, $names:ident, $facts:ident, $default:ident, $type:ty, $written:ty) => {
        Field::of::<$written>($known, $names, $facts, $default)
    };
}

pub(crate) use {described, object, words};
