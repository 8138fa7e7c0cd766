//! logentry: what a line of the log holds (Mixer). Every value is an expression.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::cells;
use super::check::{self, At};
use crate::diagnostic::{Code, Problem};
use crate::resource::{Column, Kind, Part, Resource, Role};

/// The kind `logentry` (config.istio.io).
pub static LOGENTRY: Kind = Kind {
    columns: &[
        Column { name: "SEVERITY", wide: false, cell: |r| cells::custom(r, &["spec", "severity"]) },
        Column { name: "TIMESTAMP", wide: false, cell: |r| cells::custom(r, &["spec", "timestamp"]) },
        Column { name: "RES TYPE", wide: false, cell: resource_type },
    ],
    ..cells::part(
        "logentry",
        "logentries",
        Part { role: Role::Instance, check: |tree, at, problems| check::params::<Logentry>(tree, at, problems, rules) },
    )
};

/// Keys of every line; a variable of that name would make a duplicate.
pub const RESERVED: [&str; 3] = ["level", "time", "instance"];

/// `spec` of a logentry.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Logentry {
    /// Values of the line, of any type.
    pub variables: BTreeMap<String, String>,
    /// Time of the line, TIMESTAMP.
    pub timestamp: String,
    /// Severity, STRING; the handler maps it to a level.
    pub severity: String,
    /// STRING; not shown by stdio.
    #[serde(rename = "monitored_resource_type")]
    pub monitored_resource_type: String,
    /// Values of any type; not shown by stdio.
    #[serde(rename = "monitored_resource_dimensions")]
    pub monitored_resource_dimensions: BTreeMap<String, String>,
}

fn resource_type(logentry: &Resource) -> String {
    let snake = cells::custom(logentry, &["spec", "monitored_resource_type"]);
    if snake.is_empty() { cells::custom(logentry, &["spec", "monitoredResourceType"]) } else { snake }
}

fn rules(at: &mut At<'_>, logentry: &Logentry) {
    let mut variables = at.field("variables");
    for name in logentry.variables.keys() {
        let at = variables.field(name);
        if RESERVED.contains(&name.as_str()) {
            let message = format!("a variable may not be named \"{name}\": every line has a {name} of its own");
            at.problems.push(
                Problem::error(Code::Invalid, at.path.clone(), message).on_key().help("choose another name for it"),
            );
        } else if name.is_empty() {
            at.problems.push(Problem::error(Code::Invalid, at.path.clone(), "a variable needs a name").on_key());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    #[test]
    fn a_variable_may_not_take_a_name_of_the_line() {
        assert_eq!(
            check(&LOGENTRY, "variables: {level: request.host, path: request.path}"),
            ["spec.variables.level: a variable may not be named \"level\": every line has a level of its own"]
        );
    }

    #[test]
    fn a_value_is_a_string() {
        assert_eq!(
            check(&LOGENTRY, "variables: {code: 1}\nmonitored_resource_type: '\"X\"'"),
            ["spec.variables.code: wrong type: expected a string, found the number 1"]
        );
    }
}
