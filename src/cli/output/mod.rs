//! How results look: tables for people, documents for programs.
//!
//! [`FORMATS`] is the table of what `-o` takes; a [`Printer`] writes resources in one of them.

pub(crate) mod age;
pub(crate) mod cell;
pub(crate) mod describe;
pub(crate) mod listing;
pub(crate) mod table;

mod custom_columns;
mod go;
mod json;
mod jsonpath;
mod name;
mod sort;
mod yaml;

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::Write;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::{Arg, Command};
use serde_json::{Value as Json, json};

use super::failure::Failure;
use crate::resource::Resource;

pub(crate) use sort::sort_by;

/// Resources that are printed together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Objects<'a> {
    /// The resources, in order.
    pub(crate) resources: &'a [Resource],
    /// Whether it is one resource by itself rather than a list, which may have one item, too.
    pub(crate) single: bool,
    /// Whether columns have headings.
    pub(crate) headings: bool,
}

impl<'a> Objects<'a> {
    /// One resource by itself.
    pub(crate) fn one(resource: &'a Resource) -> Self {
        Self { resources: std::slice::from_ref(resource), single: true, headings: true }
    }

    /// A list.
    pub(crate) fn list(resources: &'a [Resource]) -> Self {
        Self { resources, single: false, headings: true }
    }

    /// The object by itself, or a `List`.
    fn tree(&self) -> Json {
        match self.resources {
            [resource] if self.single => resource.to_json(),
            resources => json!({
                "apiVersion": "v1",
                "items": items(resources),
                "kind": "List",
                "metadata": {"resourceVersion": ""},
            }),
        }
    }
}

/// The items of a list. It has one version of each kind, as an API server's has: the one in which all resources of the
/// kind are kept, or else the kind's preferred one.
fn items(resources: &[Resource]) -> Vec<Json> {
    let mut versions: HashMap<String, &str> = HashMap::new();
    for Resource { kind, version, .. } in resources {
        let common = versions.entry(kind.qualified_singular()).or_insert(version);
        if *common != version {
            *common = kind.versions.first().copied().unwrap_or_default();
        }
    }
    let item = |resource: &Resource| {
        let mut tree = resource.to_json();
        let common = versions.get(&resource.kind.qualified_singular()).copied().unwrap_or_default();
        tree["apiVersion"] = resource.kind.api_version(common).into();
        tree
    };
    resources.iter().map(item).collect()
}

/// Writes resources as documents.
pub(crate) trait Printer {
    /// Writes them, whole documents at a time.
    ///
    /// # Errors
    /// Those of the writer; a template that does not fit the resources.
    fn print(&self, objects: Objects<'_>, out: &mut dyn Write) -> Result<(), Failure>;
}

/// A value of `-o`.
pub(crate) struct Format {
    /// What is typed: `yaml`.
    pub(crate) name: &'static str,
    /// What must follow after `=`; empty where nothing does.
    pub(crate) argument: &'static str,
    open: fn(&str) -> Result<Output, Failure>,
}

/// How the user wants results.
pub(crate) enum Output {
    /// As a table, or as the verb's own line; with more columns if `wide`.
    Table {
        /// Whether columns that are seldom wanted are shown, too.
        wide: bool,
    },
    /// As documents.
    Documents(Box<dyn Printer>),
}

/// Every output format, by name.
pub(crate) const FORMATS: &[Format] = &[
    Format {
        name: "custom-columns",
        argument: "HEADING:PATH,…",
        open: |text| Ok(Output::documents(custom_columns::CustomColumns::parse(text).map_err(Failure::Client)?)),
    },
    Format { name: "json", argument: "", open: |_| Ok(Output::documents(json::Printed)) },
    Format {
        name: "jsonpath",
        argument: "TEMPLATE",
        open: |text| {
            Ok(Output::documents(jsonpath::Template::parse(text).map_err(|e| Failure::client(e.to_string()))?))
        },
    },
    Format { name: "name", argument: "", open: |_| Ok(Output::documents(name::Printed)) },
    Format { name: "wide", argument: "", open: |_| Ok(Output::Table { wide: true }) },
    Format { name: "yaml", argument: "", open: |_| Ok(Output::documents(yaml::Printed)) },
];

/// What `-o` takes, for the help.
pub(crate) fn help() -> String {
    let forms = FORMATS.iter().map(|Format { name, argument, .. }| match *argument {
        "" => (*name).to_owned(),
        argument => format!("{name}={argument}"),
    });
    let forms: Vec<String> = forms.collect();
    match forms.split_last() {
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

/// What clap reads a value of `-o` with: any text, as kubectl's own message names the formats, but completion offers
/// those that it knows.
#[derive(Debug, Clone)]
pub(crate) struct FormatParser;

impl TypedValueParser for FormatParser {
    type Value = String;

    fn parse_ref(&self, command: &Command, argument: Option<&Arg>, value: &OsStr) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        // Those with an argument end in =, behind which the shell goes on.
        let typed = FORMATS.iter().map(|Format { name, argument, .. }| match *argument {
            "" => PossibleValue::new(*name),
            _ => PossibleValue::new(format!("{name}=")),
        });
        Some(Box::new(typed))
    }
}

impl Output {
    /// Reads the value of `-o`; none is the plain table.
    ///
    /// # Errors
    /// No such format, or a faulty template.
    pub(crate) fn parse(text: Option<&str>) -> Result<Self, Failure> {
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
    fn formats_are_sorted_and_the_help_has_them_all() {
        assert!(FORMATS.is_sorted_by_key(|format| format.name));
        assert_eq!(help(), "custom-columns=HEADING:PATH,…, json, jsonpath=TEMPLATE, name, wide or yaml");
    }
}
