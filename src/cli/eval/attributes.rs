//! Attributes that were given by name, and the bag that an evaluation reads them from.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::value;
use crate::diagnostic::suggest::nearest;
use crate::expr::{Bag, OwnedValue, Slot, ValueRef, ValueType, Vocabulary, is_attribute_name};

/// Types and values by name, before they have slots.
#[derive(Debug, Default)]
pub(crate) struct Attributes {
    /// Types that were given with a name; they stand before Istio's own.
    types: BTreeMap<String, ValueType>,
    values: BTreeMap<String, OwnedValue>,
}

/// Values by slot.
#[derive(Debug)]
pub(crate) struct Values(Vec<Option<OwnedValue>>);

impl Bag for Values {
    fn get(&self, slot: Slot) -> Option<ValueRef<'_>> {
        self.0.get(usize::from(slot.0))?.as_ref().map(OwnedValue::value)
    }
}

impl Attributes {
    /// Takes `NAME=VALUE`, `NAME[KEY]=VALUE` or `NAME:TYPE=VALUE`.
    ///
    /// # Errors
    /// What is none of these, names an unknown attribute or type, or is no value of the type.
    pub(crate) fn assign(&mut self, text: &str) -> Result<(), String> {
        let (name, key, value) =
            split(text).ok_or_else(|| format!("\"{text}\" is not of the form NAME=VALUE or NAME[KEY]=VALUE"))?;
        let (name, of) = self.named(name)?;
        match (key, of) {
            (Some(key), ValueType::StringMap) => {
                self.insert(name, key, value);
                Ok(())
            }
            (Some(_), of) => Err(format!("attribute {name} is of type {of} and has no keys")),
            (None, ValueType::StringMap) => {
                let map = serde_json::from_str(value);
                let map = map.map_err(|_| format!("attribute {name}: write {name}[KEY]=VALUE, or a JSON object"))?;
                self.set(name, of, &map)
            }
            (None, of) => self.set(name, of, &Json::String(value.to_owned())),
        }
    }

    /// Gives a key of a map its value.
    fn insert(&mut self, name: &str, key: &str, value: &str) {
        let map = match self.values.remove(name) {
            Some(OwnedValue::StringMap(mut map)) => {
                map.insert(key.to_owned(), value.to_owned());
                map
            }
            // Of an attribute that was given with two types the last one counts.
            _ => BTreeMap::from([(key.to_owned(), value.to_owned())]),
        };
        self.values.insert(name.to_owned(), OwnedValue::StringMap(map));
    }

    /// Takes a tree of values by name; a name may have its type behind it, `NAME:TYPE`. Null is no value.
    ///
    /// # Errors
    /// As [`Attributes::assign`].
    pub(crate) fn assign_all(&mut self, tree: &serde_json::Map<String, Json>) -> Result<(), String> {
        tree.iter().filter(|(_, value)| !value.is_null()).try_for_each(|(name, value)| {
            let (name, of) = self.named(name)?;
            self.set(name, of, value)
        })
    }

    /// Takes a value of a program, which may know more attributes than we do: a type that nobody declares is guessed.
    ///
    /// # Errors
    /// What is no name of an attribute, or no value of its type.
    pub(super) fn give(&mut self, name: &str, value: &Json) -> Result<(), String> {
        let declared = self.declared(name);
        if value.is_null() {
            return Ok(());
        }
        let of = declared.or_else(|| value::guess(value));
        let of = of.ok_or_else(|| format!("attribute {name}: a list is no value of any type"))?;
        if declared.is_none() {
            self.declare(name, of)?;
        }
        self.set(name, of, value)
    }

    /// Declares a type, whatever Istio's own is.
    ///
    /// # Errors
    /// What is no name of an attribute.
    pub(super) fn declare(&mut self, name: &str, of: ValueType) -> Result<(), String> {
        if !is_attribute_name(name) {
            return Err(format!("\"{name}\" is no name of an attribute"));
        }
        self.types.insert(name.to_owned(), of);
        Ok(())
    }

    /// Istio's attributes and the declared ones, and the values in their slots.
    pub(crate) fn finish(self) -> (Cow<'static, Vocabulary>, Values) {
        let standard = Vocabulary::standard();
        let vocabulary = if self.types.is_empty() {
            Cow::Borrowed(standard)
        } else {
            let own = self.types.iter().map(|(name, of)| (Cow::Owned(name.clone()), *of));
            let istios = standard.names().filter_map(|name| Some((Cow::Borrowed(name), standard.get(name)?.1)));
            Cow::Owned(own.chain(istios).collect::<Vocabulary>())
        };
        let mut values = Vec::new();
        values.resize_with(vocabulary.names().count(), || None);
        for (name, value) in self.values {
            if let Some((slot, _)) = vocabulary.get(&name) {
                values[usize::from(slot.0)] = Some(value);
            }
        }
        (vocabulary, Values(values))
    }

    fn set(&mut self, name: &str, of: ValueType, json: &Json) -> Result<(), String> {
        let value = value::read(of, json).map_err(|fault| format!("attribute {name}: {fault}"))?;
        self.values.insert(name.to_owned(), value);
        Ok(())
    }

    fn declared(&self, name: &str) -> Option<ValueType> {
        self.types.get(name).copied().or_else(|| Vocabulary::standard().get(name).map(|(_, of)| of))
    }

    /// The name and the type of `NAME` or `NAME:TYPE`.
    fn named<'t>(&mut self, text: &'t str) -> Result<(&'t str, ValueType), String> {
        if let Some((name, of)) = text.split_once(':') {
            let of = ValueType::from_name(of).ok_or_else(|| unknown_type(of))?;
            self.declare(name, of)?;
            return Ok((name, of));
        }
        let of = self.declared(text).ok_or_else(|| unknown_attribute(text))?;
        Ok((text, of))
    }
}

/// Name, key and value; a key may contain `=`.
fn split(text: &str) -> Option<(&str, Option<&str>, &str)> {
    let (name, _) = text.split_once('=')?;
    let Some((name, rest)) = name.find('[').map(|open| (&name[..open], &text[open + 1..])) else {
        return text.split_once('=').map(|(name, value)| (name, None, value));
    };
    let (key, value) = rest.split_once("]=")?;
    Some((name, Some(key), value))
}

fn unknown_attribute(name: &str) -> String {
    let meant = nearest(name, Vocabulary::standard().names()).map(|meant| format!("; did you mean {meant}?"));
    let meant = meant.unwrap_or_default();
    format!(
        "unknown attribute {name}{meant}\nhint: an attribute of your own is given with its type, {name}:STRING=VALUE"
    )
}

/// Says which types there are.
pub(super) fn unknown_type(name: &str) -> String {
    format!("unknown type {name}, expected one of {}", ValueType::ALL.map(ValueType::name).join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assigned(texts: &[&str]) -> Result<BTreeMap<String, OwnedValue>, String> {
        let mut attributes = Attributes::default();
        texts.iter().try_for_each(|text| attributes.assign(text)).map(|()| attributes.values)
    }

    #[test]
    fn attributes_are_given_as_name_and_value() {
        let values = assigned(&[
            "request.path=/a=b",
            "request.size=5",
            "request.headers[x-a]=1",
            "request.headers[a=b]=c=d",
            "shop.tier:DOUBLE=1.5",
            "source.labels={\"app\":\"web\"}",
        ]);
        let values = values.unwrap();
        assert_eq!(values["request.path"], OwnedValue::String("/a=b".into()));
        assert_eq!(values["request.size"], OwnedValue::Int64(5));
        let headers = [("x-a".to_owned(), "1".to_owned()), ("a=b".to_owned(), "c=d".to_owned())];
        assert_eq!(values["request.headers"], OwnedValue::StringMap(headers.into()));
        assert_eq!(values["shop.tier"], OwnedValue::Double(1.5));
        assert_eq!(values["source.labels"], OwnedValue::StringMap([("app".to_owned(), "web".to_owned())].into()));
    }

    #[test]
    fn a_mistake_is_told_with_what_was_meant() {
        for (text, message) in [
            ("request.path", "\"request.path\" is not of the form"),
            ("request.hots=a", "unknown attribute request.hots; did you mean request.host?"),
            ("shop.tier:TEXT=a", "unknown type TEXT, expected one of STRING, INT64"),
            ("request.size=a", "attribute request.size: could not convert \"a\" to INT64"),
            ("request.path[a]=b", "attribute request.path is of type STRING and has no keys"),
            ("request.headers=a", "attribute request.headers: write request.headers[KEY]=VALUE"),
            ("a-b:URI=/", "\"a-b\" is no name of an attribute"),
        ] {
            let found = assigned(&[text]).unwrap_err();
            assert!(found.starts_with(message), "{found}");
        }
    }

    #[test]
    fn a_declared_type_stands_before_istios_own() {
        let mut attributes = Attributes::default();
        attributes.assign("request.size:STRING=big").unwrap();
        let (vocabulary, values) = attributes.finish();
        let (slot, of) = vocabulary.get("request.size").unwrap();
        assert_eq!(of, ValueType::String);
        assert!(matches!(values.get(slot), Some(ValueRef::String("big"))));
        assert_eq!(vocabulary.get("request.path").map(|(_, of)| of), Some(ValueType::String));
    }
}
