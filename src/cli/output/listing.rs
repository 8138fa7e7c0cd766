//! Resources as tables: the columns of their kind, and those that flags add.

use std::io::Write;

use jiff::Timestamp;

use super::age::{age, left};
use super::name::full_name;
use super::table::{Headings, Table};
use crate::cli::failure::Failure;
use crate::resource::{Column, Kind, Labels, Resource};

/// What stands for a label that is not there.
const NONE: &str = "<none>";

/// What a table shows besides the columns of its kind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look<'a> {
    /// Columns that are seldom wanted.
    pub(crate) wide: bool,
    /// NAMESPACE in front, for kinds that have one.
    pub(crate) namespaces: bool,
    /// The kind before the name.
    pub(crate) kinds: bool,
    /// A column for each of these labels.
    pub(crate) label_columns: &'a [String],
    /// All labels in one column.
    pub(crate) labels: bool,
    /// The headings.
    pub(crate) headings: bool,
    /// Whether they are coloured.
    pub(crate) color: bool,
    /// What ages are counted from.
    pub(crate) now: Timestamp,
}

/// Writes a table for each run of resources of one kind, a blank line between two.
///
/// # Errors
/// Those of the writer.
pub(crate) fn write(resources: &[Resource], look: &Look<'_>, out: &mut dyn Write) -> Result<(), Failure> {
    for (position, run) in resources.chunk_by(|a, b| a.kind == b.kind).enumerate() {
        if position > 0 && look.headings {
            writeln!(out)?;
        }
        look.table(run).write(out, Headings::new(look.headings, look.color))?;
    }
    Ok(())
}

impl Look<'_> {
    fn table(&self, resources: &[Resource]) -> Table {
        let kind = resources[0].kind;
        let mut table = Table::new(self.headings_of(kind));
        resources.iter().for_each(|resource| table.push(self.row(resource)));
        table
    }

    fn headings_of(&self, kind: &Kind) -> Vec<String> {
        let mut headings: Vec<String> = Vec::new();
        headings.extend((self.namespaces && kind.namespaced).then(|| "namespace".into()));
        headings.push("name".into());
        headings.extend(columns(kind).iter().map(|column| column.name.to_owned()));
        headings.extend(self.wide_columns(kind).map(|column| column.name.to_owned()));
        // Of a key such as app.kubernetes.io/name, the last part says enough.
        headings.extend(self.label_columns.iter().map(|key| key.rsplit('/').next().unwrap_or(key).to_owned()));
        headings.extend(self.labels.then(|| "labels".into()));
        headings
    }

    fn row(&self, resource: &Resource) -> Vec<String> {
        let kind = resource.kind;
        let mut row = Vec::new();
        row.extend((self.namespaces && kind.namespaced).then(|| resource.namespace().to_owned()));
        row.push(if self.kinds { full_name(resource) } else { resource.meta.name.clone() });
        let age = || age(resource.meta.creation_timestamp.as_deref(), self.now);
        row.extend(columns(kind).iter().map(|column| match column.name {
            name if name == Column::AGE.name => age(),
            Column::EXPIRES => left(&(column.cell)(resource), self.now),
            _ => (column.cell)(resource),
        }));
        row.extend(self.wide_columns(kind).map(|column| (column.cell)(resource)));
        let labels = &resource.meta.labels;
        row.extend(self.label_columns.iter().map(|key| labels.get(key).map_or(NONE, String::as_str).to_owned()));
        row.extend(self.labels.then(|| all_labels(labels)));
        row
    }

    /// The kind's columns that only a wide table has.
    fn wide_columns<'k>(&self, kind: &'k Kind) -> impl Iterator<Item = &'k Column> {
        let wide = self.wide;
        kind.columns.iter().filter(move |column| wide && column.wide)
    }
}

/// The columns that every table of a kind has after NAME, AGE among them.
fn columns(kind: &Kind) -> Vec<&Column> {
    let mut columns: Vec<&Column> = kind.columns.iter().filter(|column| !column.wide).collect();
    if !columns.iter().any(|column| is_age(column)) {
        columns.push(&Column::AGE);
    }
    columns
}

fn is_age(column: &Column) -> bool {
    column.name == Column::AGE.name
}

fn all_labels(labels: &Labels) -> String {
    if labels.is_empty() {
        return NONE.into();
    }
    labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::Meta;
    use crate::resource::kinds::{GATEWAY, SERVICE_ENTRY};

    fn resource(kind: &'static Kind, name: &str) -> Resource {
        let meta = Meta {
            name: name.into(),
            namespace: Some("default".into()),
            creation_timestamp: Some("2026-11-23T07:08:15Z".into()),
            labels: [("app.kubernetes.io/name".into(), "x".into())].into(),
            ..Meta::default()
        };
        let body = serde_json::from_str(r#"{"spec": {"hosts": ["cnn.com"]}}"#).expect("valid JSON");
        Resource { kind, version: "v1".into(), meta, body, origin: None }
    }

    fn look<'a>() -> Look<'a> {
        Look {
            wide: false,
            namespaces: false,
            kinds: false,
            label_columns: &[],
            labels: false,
            headings: true,
            color: false,
            now: "2026-11-23T07:13:25Z".parse().expect("a valid time"),
        }
    }

    fn text(look: &Look<'_>) -> String {
        let resources = [resource(&GATEWAY, "egress"), resource(&SERVICE_ENTRY, "cnn")];
        let mut out = Vec::new();
        write(&resources, look, &mut out).expect("a vector takes everything");
        String::from_utf8(out).expect("tables are text")
    }

    #[test]
    fn each_kind_has_its_own_table() {
        insta::assert_snapshot!(text(&Look { kinds: true, ..look() }), @r#"
        NAME                                 AGE
        gateway.networking.istio.io/egress   5m10s

        NAME                                   HOSTS         LOCATION   RESOLUTION   AGE
        serviceentry.networking.istio.io/cnn   ["cnn.com"]                           5m10s
        "#);
    }

    #[test]
    fn flags_add_columns() {
        let keys = ["app.kubernetes.io/name".to_owned(), "nope".to_owned()];
        let look = Look { wide: true, namespaces: true, labels: true, label_columns: &keys, ..look() };
        insta::assert_snapshot!(text(&look), @r#"
        NAMESPACE   NAME     AGE     NAME   NOPE     LABELS
        default     egress   5m10s   x      <none>   app.kubernetes.io/name=x

        NAMESPACE   NAME   HOSTS         LOCATION   RESOLUTION   AGE     NAME   NOPE     LABELS
        default     cnn    ["cnn.com"]                           5m10s   x      <none>   app.kubernetes.io/name=x
        "#);
    }

    #[test]
    fn without_headings_no_line_stands_between_kinds() {
        let text = text(&Look { headings: false, ..look() });
        assert_eq!(text, "egress   5m10s\ncnn   [\"cnn.com\"]               5m10s\n");
    }
}
