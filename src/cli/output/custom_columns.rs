//! `-o custom-columns=NAME:.metadata.name,HOST:.spec.host`.

use std::io::Write;

use serde_json::Value as Json;

use super::jsonpath::{Error, Query};
use super::table::{Headings, Table};
use super::{Objects, Printer, go};
use crate::cli::failure::Failure;
use crate::resource::Resource;

/// What stands for a missing value.
const NONE: &str = "<none>";

/// Headings, each with a path.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CustomColumns(Vec<(String, Query)>);

impl CustomColumns {
    /// Reads `HEADING:PATH` pairs separated by commas.
    ///
    /// # Errors
    /// The pair at fault, in kubectl's words.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("custom-columns format specified but no custom columns given".into());
        }
        text.split(',').map(Self::column).collect::<Result<_, _>>().map(Self)
    }

    fn column(text: &str) -> Result<(String, Query), String> {
        let unexpected = || format!("unexpected custom-columns spec: {text}, expected <header>:<json-path-expr>");
        let (heading, path) = text.split_once(':').filter(|(_, path)| !path.is_empty()).ok_or_else(unexpected)?;
        Ok((heading.to_owned(), Query::parse(path).map_err(|error| error.to_string())?))
    }

    /// A row for each object.
    ///
    /// # Errors
    /// A path that does not fit an object.
    fn table<'a>(&self, objects: impl IntoIterator<Item = &'a Json>) -> Result<Table, Error> {
        let mut table = Table::new(self.0.iter().map(|(heading, _)| heading));
        for object in objects {
            let cells: Vec<String> = self
                .0
                .iter()
                .map(|(_, query)| query.find(object).map(|found| text(&found)))
                .collect::<Result<_, _>>()?;
            table.push(cells);
        }
        Ok(table)
    }
}

impl Printer for CustomColumns {
    fn print(&self, objects: Objects<'_>, out: &mut dyn Write) -> Result<(), Failure> {
        let trees: Vec<Json> = objects.resources.iter().map(Resource::to_json).collect();
        let table = self.table(&trees).map_err(|error| Failure::client(error.to_string()))?;
        Ok(table.write(out, Headings::new(objects.headings, false))?)
    }
}

fn text(found: &[&Json]) -> String {
    match found {
        [] | [Json::Null] => NONE.into(),
        found => found.iter().map(|value| go::plain(value)).collect::<Vec<_>>().join(","),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_fill_the_columns_and_missing_values_say_none() {
        let columns =
            CustomColumns::parse("name:.metadata.name,HOSTS:{.spec.hosts[*]},SPEC:spec").expect("valid columns");
        let objects =
            [json!({"metadata": {"name": "a"}, "spec": {"hosts": ["x", "y"]}}), json!({"metadata": {"name": "b"}})];
        let mut out = Vec::new();
        columns
            .table(&objects)
            .expect("paths fit")
            .write(&mut out, Headings::Plain)
            .expect("a vector takes everything");
        insta::assert_snapshot!(String::from_utf8(out).expect("text"), @r"
        NAME   HOSTS    SPEC
        a      x,y      map[hosts:[x y]]
        b      <none>   <none>
        ");
    }

    #[test]
    fn a_column_without_a_path_is_refused() {
        assert_eq!(
            CustomColumns::parse("NAME").expect_err("no path"),
            "unexpected custom-columns spec: NAME, expected <header>:<json-path-expr>"
        );
        assert!(CustomColumns::parse("").is_err());
    }
}
