//! Handing a visitor the items of a list, or the keys and values of a map or struct.

use std::borrow::Cow;

use serde::de::{DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess};
use serde_json::{Map, Value as Json};

use super::node::{Node, Path, Stop};
use super::{Pass, Spelling, camel_case, mismatch};

/// The items of a list.
pub(super) struct Items<'a, 'p> {
    items: std::iter::Enumerate<std::slice::Iter<'a, Json>>,
    path: &'p Path<'p>,
    pass: &'p Pass,
}

impl<'a, 'p> Items<'a, 'p> {
    pub(super) fn new(items: &'a [Json], path: &'p Path<'p>, pass: &'p Pass) -> Self {
        Self { items: items.iter().enumerate(), path, pass }
    }
}

impl<'de> SeqAccess<'de> for Items<'_, '_> {
    type Error = Stop;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Stop> {
        for (index, value) in self.items.by_ref() {
            let path = Path::Index(self.path, index);
            if !self.pass.skips(&path) {
                let item = seed.deserialize(Node { value, path, pass: self.pass });
                return item.map(Some).inspect_err(|_| self.pass.refused_at(&path));
            }
        }
        Ok(None)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

/// A key as the visitor shall see it, as the user wrote it, and its value.
struct Entry<'a> {
    field: &'a str,
    written: &'a str,
    value: &'a Json,
}

/// The keys of a map or struct with their values.
pub(super) struct Keys<'a, 'p> {
    entries: std::vec::IntoIter<Entry<'a>>,
    value: Option<Entry<'a>>,
    path: &'p Path<'p>,
    pass: &'p Pass,
}

impl<'a, 'p> Keys<'a, 'p> {
    pub(super) fn none(path: &'p Path<'p>, pass: &'p Pass) -> Self {
        Self::new(Vec::new(), path, pass)
    }

    /// Every key of a map, also those whose value is null.
    pub(super) fn of_map(map: &'a Map<String, Json>, path: &'p Path<'p>, pass: &'p Pass) -> Self {
        let entries = map.iter().map(|(key, value)| Entry { field: key, written: key, value }).collect();
        Self::new(entries, path, pass)
    }

    /// The keys that name a field and whose value is not null; notes the keys that name none.
    pub(super) fn of_struct(
        map: &'a Map<String, Json>,
        fields: &'static [&'static str],
        path: &'p Path<'p>,
        pass: &'p Pass,
    ) -> Self {
        let mut entries: Vec<Entry<'a>> = Vec::with_capacity(map.len());
        for (key, value) in map {
            let Some(field) = field_of(key, fields, pass.spelling) else {
                pass.note(mismatch::unknown_field(key, path.to_field_path(), fields));
                continue;
            };
            match entries.iter_mut().find(|entry| entry.field == field) {
                Some(entry) if !key.contains('_') => *entry = Entry { field, written: key, value },
                Some(_) => {}
                None => entries.push(Entry { field, written: key, value }),
            }
        }
        entries.retain(|entry| !entry.value.is_null());
        Self::new(entries, path, pass)
    }

    fn new(mut entries: Vec<Entry<'a>>, path: &'p Path<'p>, pass: &'p Pass) -> Self {
        entries.retain(|entry| !pass.skips(&Path::Field(path, entry.written)));
        Self { entries: entries.into_iter(), value: None, path, pass }
    }
}

/// The struct's field that a key names.
fn field_of(key: &str, fields: &'static [&'static str], spelling: Spelling) -> Option<&'static str> {
    let exact = fields.iter().find(|field| **field == key);
    if spelling == Spelling::Exact || exact.is_some() {
        return exact.copied();
    }
    let camel = camel_case(key);
    fields.iter().find(|field| camelled(field) == camel).copied()
}

fn camelled(field: &'static str) -> Cow<'static, str> {
    if field.contains('_') { camel_case(field).into() } else { field.into() }
}

impl<'de> MapAccess<'de> for Keys<'_, '_> {
    type Error = Stop;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Stop> {
        self.value = self.entries.next();
        let Some(entry) = &self.value else { return Ok(None) };
        seed.deserialize(entry.field.into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Stop> {
        let entry = self.value.take().expect("serde asks for a value after its key");
        let path = Path::Field(self.path, entry.written);
        let value = seed.deserialize(Node { value: entry.value, path, pass: self.pass });
        value.inspect_err(|_| self.pass.refused_at(&path))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.entries.len())
    }
}
