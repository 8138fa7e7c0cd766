//! How results look: tables for people, documents for programs.
//!
//! [`FORMATS`] is the table of what `-o` takes; a [`Printer`] writes resources in one of them.

pub mod age;
pub mod cell;
pub mod describe;
pub mod listing;
pub mod table;

mod custom_columns;
mod go;
mod json;
mod jsonpath;
mod name;
mod sort;
mod yaml;

use std::io::Write;

use serde_json::{Value as Json, json};

use super::failure::Failure;
use crate::resource::Resource;

pub use sort::sort_by;

/// Resources that are printed together.
#[derive(Debug, Clone, Copy)]
pub struct Objects<'a> {
    /// The resources, in order.
    pub resources: &'a [Resource],
    /// Whether it is one resource by itself rather than a list, which may have one item, too.
    pub single: bool,
    /// Whether columns have headings.
    pub headings: bool,
}

impl<'a> Objects<'a> {
    /// One resource by itself.
    pub fn one(resource: &'a Resource) -> Self {
        Self { resources: std::slice::from_ref(resource), single: true, headings: true }
    }

    /// A list.
    pub fn list(resources: &'a [Resource]) -> Self {
        Self { resources, single: false, headings: true }
    }

    /// The object by itself, or a `List`.
    fn tree(&self) -> Json {
        match self.resources {
            [resource] if self.single => resource.to_json(),
            resources => json!({
                "apiVersion": "v1",
                "items": resources.iter().map(Resource::to_json).collect::<Vec<_>>(),
                "kind": "List",
                "metadata": {"resourceVersion": ""},
            }),
        }
    }
}

/// Writes resources as documents.
pub trait Printer {
    /// Writes them, whole documents at a time.
    ///
    /// # Errors
    /// Those of the writer; a template that does not fit the resources.
    fn print(&self, objects: Objects<'_>, out: &mut dyn Write) -> Result<(), Failure>;
}

/// A value of `-o`.
pub struct Format {
    /// What is typed: `yaml`.
    pub name: &'static str,
    /// What must follow after `=`; empty where nothing does.
    pub argument: &'static str,
    /// One line for the help.
    pub help: &'static str,
    open: fn(&str) -> Result<Output, Failure>,
}

/// How the user wants results.
pub enum Output {
    /// As a table, or as the verb's own line; with more columns if `wide`.
    Table {
        /// Whether columns that are seldom wanted are shown, too.
        wide: bool,
    },
    /// As documents.
    Documents(Box<dyn Printer>),
}

/// Every output format, by name.
pub const FORMATS: &[Format] = &[
    Format {
        name: "custom-columns",
        argument: "HEADING:PATH,…",
        help: "a table of your own columns",
        open: |text| Ok(Output::documents(custom_columns::CustomColumns::parse(text).map_err(Failure::Client)?)),
    },
    Format { name: "json", argument: "", help: "the objects in JSON", open: |_| Ok(Output::documents(json::Printed)) },
    Format {
        name: "jsonpath",
        argument: "TEMPLATE",
        help: "what a template such as '{.items[*].metadata.name}' finds",
        open: |text| Ok(Output::documents(jsonpath::Template::parse(text).map_err(|e| Failure::client(e.to_string()))?)),
    },
    Format { name: "name", argument: "", help: "kind.group/name", open: |_| Ok(Output::documents(name::Printed)) },
    Format { name: "wide", argument: "", help: "the table with more columns", open: |_| Ok(Output::Table { wide: true }) },
    Format { name: "yaml", argument: "", help: "the objects in YAML", open: |_| Ok(Output::documents(yaml::Printed)) },
];

impl Output {
    /// Reads the value of `-o`; none is the plain table.
    ///
    /// # Errors
    /// No such format, or a faulty template.
    pub fn parse(text: Option<&str>) -> Result<Self, Failure> {
        let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(Self::Table { wide: false }) };
        let (name, argument) = text.split_once('=').map_or((text, None), |(name, argument)| (name, Some(argument)));
        let format = FORMATS.iter().find(|format| format.name == name);
        let format = format.filter(|format| argument.is_none() || !format.argument.is_empty()).ok_or_else(|| {
            let names: Vec<&str> = FORMATS.iter().map(|format| format.name).collect();
            Failure::client(format!(
                "unable to match a printer suitable for the output format \"{text}\", allowed formats are: {}",
                names.join(",")
            ))
        })?;
        if !format.argument.is_empty() && argument.is_none_or(str::is_empty) && name != "custom-columns" {
            return Err(Failure::client("template format specified but no template given"));
        }
        (format.open)(argument.unwrap_or_default())
    }

    fn documents(printer: impl Printer + 'static) -> Self {
        Self::Documents(Box::new(printer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        match Output::parse(Some(text)) {
            Err(Failure::Client(text)) => text,
            _ => panic!("{text} should have been refused by the client"),
        }
    }

    #[test]
    fn an_unknown_format_is_refused_with_the_known_ones() {
        let allowed = "allowed formats are: custom-columns,json,jsonpath,name,wide,yaml";
        for text in ["foo", "yaml=x"] {
            let expected = format!("unable to match a printer suitable for the output format \"{text}\", {allowed}");
            assert_eq!(refusal(text), expected);
        }
        assert_eq!(refusal("jsonpath="), "template format specified but no template given");
        assert_eq!(refusal("custom-columns"), "custom-columns format specified but no custom columns given");
    }

    #[test]
    fn formats_are_sorted_and_each_has_help() {
        assert!(FORMATS.is_sorted_by_key(|format| format.name));
        assert!(FORMATS.iter().all(|format| !format.help.is_empty()));
    }
}
