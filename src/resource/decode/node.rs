//! The deserializer: a value of the tree, its path and the pass it is read in.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, DeserializeSeed, EnumAccess, IntoDeserializer, VariantAccess, Visitor};
use serde_json::Value as Json;

use super::access::{Items, Keys};
use super::{Pass, Spelling, mismatch};
use crate::diagnostic::FieldPath;
use crate::resource::duration;

/// A path that costs nothing until it is wanted.
#[derive(Clone, Copy)]
pub(super) enum Path<'p> {
    Root(&'p FieldPath),
    Field(&'p Path<'p>, &'p str),
    Index(&'p Path<'p>, usize),
}

impl Path<'_> {
    pub(super) fn to_field_path(self) -> FieldPath {
        match self {
            Path::Root(path) => path.clone(),
            Path::Field(parent, name) => parent.to_field_path().field(name),
            Path::Index(parent, index) => parent.to_field_path().index(index),
        }
    }
}

/// A visitor's refusal, in its own words.
#[derive(Debug)]
pub(super) struct Stop(pub(super) String);

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Stop {}

impl de::Error for Stop {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// A value to decode.
#[derive(Clone, Copy)]
pub(super) struct Node<'a, 'p> {
    pub(super) value: &'a Json,
    pub(super) path: Path<'p>,
    pub(super) pass: &'p Pass,
}

impl<'a> Node<'a, '_> {
    fn mismatch(&self, expected: impl Into<Cow<'static, str>>) {
        self.pass.note(mismatch::wrong_type(self.value, self.path.to_field_path(), expected.into()));
    }

    fn is_root(&self) -> bool {
        matches!(self.path, Path::Root(_))
    }

    /// The value as an integer from `min` to `max`; 0 where it is none.
    fn integer(&self, min: i128, max: i128) -> i128 {
        let number = match self.value {
            Json::Number(number) => whole(number),
            Json::String(text) if self.pass.spelling == Spelling::Protobuf => text.parse().ok(),
            _ => None,
        };
        match number {
            Some(number) if (min..=max).contains(&number) => number,
            Some(_) => {
                self.mismatch(format!("a whole number from {min} to {max}"));
                0
            }
            None => {
                self.mismatch("a whole number");
                0
            }
        }
    }

    fn float(&self) -> f64 {
        let number = match self.value {
            Json::Number(number) => number.as_f64(),
            Json::String(text) if self.pass.spelling == Spelling::Protobuf => text.parse().ok(),
            _ => None,
        };
        number.filter(|number: &f64| number.is_finite()).unwrap_or_else(|| {
            self.mismatch("a number");
            0.0
        })
    }

    fn text(&self) -> &'a str {
        match self.value {
            Json::String(text) => text,
            _ => {
                self.mismatch("a string");
                ""
            }
        }
    }

    /// Items of a list; none where the value is something else.
    fn items(&self) -> &'a [Json] {
        match self.value {
            Json::Array(items) => items,
            _ => {
                self.mismatch("a list");
                &[]
            }
        }
    }

    /// The enum value meant, by name or (protobuf) number; the first where there is none of that name.
    fn variant(&self, variants: &'static [&'static str]) -> &'static str {
        let found = match self.value {
            Json::String(text) => variants.iter().find(|variant| *variant == text),
            Json::Number(number) if self.pass.spelling == Spelling::Protobuf => {
                number.as_u64().and_then(|n| variants.get(usize::try_from(n).ok()?))
            }
            _ => None,
        };
        found.copied().unwrap_or_else(|| {
            self.pass.note(mismatch::not_supported(self.value, self.path.to_field_path(), variants));
            variants.first().copied().unwrap_or_default()
        })
    }
}

fn whole(number: &serde_json::Number) -> Option<i128> {
    let integer = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
    integer.or_else(|| number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 1e15).map(|f| f as i128))
}

macro_rules! integers {
    ($($method:ident $visit:ident $type:ty;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
            let number = self.integer(<$type>::MIN.into(), <$type>::MAX.into());
            visitor.$visit(<$type>::try_from(number).expect("the number was compared with the type's limits"))
        }
    )*};
}

impl<'de> de::Deserializer<'de> for Node<'_, '_> {
    type Error = Stop;

    integers! {
        deserialize_i8 visit_i8 i8;
        deserialize_i16 visit_i16 i16;
        deserialize_i32 visit_i32 i32;
        deserialize_i64 visit_i64 i64;
        deserialize_u8 visit_u8 u8;
        deserialize_u16 visit_u16 u16;
        deserialize_u32 visit_u32 u32;
        deserialize_u64 visit_u64 u64;
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        match self.value {
            Json::Null => visitor.visit_unit(),
            Json::Bool(value) => visitor.visit_bool(*value),
            Json::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => visitor.visit_u64(number),
                (None, Some(number)) => visitor.visit_i64(number),
                (None, None) => visitor.visit_f64(number.as_f64().unwrap_or_default()),
            },
            Json::String(text) => visitor.visit_str(text),
            Json::Array(_) => self.deserialize_seq(visitor),
            Json::Object(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_bool(self.value.as_bool().unwrap_or_else(|| {
            self.mismatch("true or false");
            false
        }))
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_f64(self.float())
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_f64(self.float())
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_str(self.text())
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_str(self.text())
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_str(self.text())
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_str(self.text())
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_str(self.text())
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        if self.value.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Stop> {
        if name == duration::NAME && !self.value.is_string() {
            self.mismatch("a duration such as 1.5s");
            return visitor.visit_str("0s");
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_seq(Items::new(self.items(), &self.path, self.pass))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(self, _: &'static str, _: usize, v: V) -> Result<V::Value, Stop> {
        self.deserialize_seq(v)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        let keys = match self.value {
            Json::Object(map) => Keys::of_map(map, &self.path, self.pass),
            _ => {
                self.mismatch("a map");
                Keys::none(&self.path, self.pass)
            }
        };
        visitor.visit_map(keys)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        let keys = match self.value {
            Json::Object(map) => Keys::of_struct(map, fields, &self.path, self.pass),
            Json::Null if self.is_root() => Keys::none(&self.path, self.pass),
            _ => {
                self.mismatch("a map");
                Keys::none(&self.path, self.pass)
            }
        };
        visitor.visit_map(keys)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        visitor.visit_enum(Variant(self.variant(variants)))
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_str(self.text())
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_unit()
    }
}

/// The name of an enum value; our enums carry nothing else.
struct Variant(&'static str);

impl<'de> EnumAccess<'de> for Variant {
    type Error = Stop;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Stop> {
        Ok((seed.deserialize(self.0.into_deserializer())?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant {
    type Error = Stop;

    fn unit_variant(self) -> Result<(), Stop> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, Stop> {
        Err(carries_data(self.0))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Stop> {
        Err(carries_data(self.0))
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, Stop> {
        Err(carries_data(self.0))
    }
}

fn carries_data(variant: &str) -> Stop {
    Stop(format!("{variant} cannot be written as a plain name"))
}
