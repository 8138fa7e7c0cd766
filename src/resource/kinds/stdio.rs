//! stdio: a handler that writes lines to standard output, standard error or a file (Mixer).

use std::collections::BTreeMap;

use serde::Deserialize;

use super::cells;
use super::check::{self, At};
use crate::resource::{Kind, Part, Role};

/// The kind `stdio` (config.istio.io).
pub static STDIO: Kind = cells::part(
    "stdio",
    "stdios",
    Part { role: Role::Handler, check: |tree, at, problems| check::params::<Stdio>(tree, at, problems, rules) },
);

/// `spec` of a stdio handler.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Stdio {
    /// Where lines go.
    pub log_stream: LogStream,
    /// Level by severity; what is given replaces the whole map, and a severity that is not in it is INFO.
    #[serde(rename = "severity_levels")]
    pub severity_levels: BTreeMap<String, LogLevel>,
    /// Level of a metric's lines.
    pub metric_level: LogLevel,
    /// A line of JSON, or else of tab-separated text.
    pub output_as_json: bool,
    /// Least level that is written.
    pub output_level: LogLevel,
    /// File for FILE and ROTATED_FILE.
    pub output_path: String,
    /// Size at which a file is rotated, in megabytes; the default when 0.
    pub max_megabytes_before_rotation: i32,
    /// Age at which rotated files are deleted, in days; never when 0.
    pub max_days_before_rotation: i32,
    /// Rotated files that are kept; all when 0.
    pub max_rotated_files: i32,
}

impl Default for Stdio {
    fn default() -> Self {
        let level =
            |level, names: &[&str]| names.iter().map(move |name| (String::from(*name), level)).collect::<Vec<_>>();
        let levels = [
            level(LogLevel::Info, &["INFORMATIONAL", "informational", "INFO", "info"]),
            level(LogLevel::Warning, &["WARNING", "warning", "WARN", "warn"]),
            level(LogLevel::Error, &["ERROR", "error", "ERR", "err", "FATAL", "fatal"]),
        ];
        Self {
            log_stream: LogStream::Stdout,
            severity_levels: levels.into_iter().flatten().collect(),
            metric_level: LogLevel::Info,
            output_as_json: true,
            output_level: LogLevel::Info,
            output_path: String::new(),
            max_megabytes_before_rotation: 100,
            max_days_before_rotation: 30,
            max_rotated_files: 1000,
        }
    }
}

/// Where lines go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum LogStream {
    /// Standard output.
    #[default]
    Stdout,
    /// Standard error.
    Stderr,
    /// A file.
    File,
    /// A file that is rotated.
    RotatedFile,
}

/// Level of a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum LogLevel {
    /// `info`.
    #[default]
    Info,
    /// `warn`.
    Warning,
    /// `error`.
    Error,
}

fn rules(at: &mut At<'_>, stdio: &Stdio) {
    let to_file = matches!(stdio.log_stream, LogStream::File | LogStream::RotatedFile);
    if to_file && stdio.output_path.is_empty() {
        at.field("outputPath").missing("need output path when logging to a file");
    } else if !to_file && !stdio.output_path.is_empty() {
        at.field("outputPath").advise("output path is only for logStream FILE and ROTATED_FILE", "set logStream: FILE");
    }
    let numbers = [
        ("maxMegabytesBeforeRotation", stdio.max_megabytes_before_rotation),
        ("maxDaysBeforeRotation", stdio.max_days_before_rotation),
        ("maxRotatedFiles", stdio.max_rotated_files),
    ];
    for (field, number) in numbers.into_iter().filter(|(_, number)| *number < 0) {
        at.field(field).invalid(format!("must be >= 0, it is {number}"));
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;
    use crate::diagnostic::FieldPath;
    use crate::resource::decode::decode;

    fn stdio(tree: serde_json::Value) -> Stdio {
        decode(&tree, &FieldPath::root()).expect("it decodes")
    }

    #[test]
    fn severity_levels_are_names_or_numbers_and_replace_the_default_map() {
        let levels = stdio(serde_json::json!({"severity_levels": {"info": 2, "x": "WARNING"}})).severity_levels;
        assert_eq!(levels, BTreeMap::from([("info".into(), LogLevel::Error), ("x".into(), LogLevel::Warning)]));
        assert_eq!(stdio(serde_json::json!({})).severity_levels["ERR"], LogLevel::Error);
        assert_eq!(check(&STDIO, "severityLevels: {info: 3}").len(), 1);
    }

    #[test]
    fn a_path_goes_with_a_file() {
        assert_eq!(check(&STDIO, "logStream: FILE"), ["spec.outputPath: need output path when logging to a file"]);
        assert_eq!(
            check(&STDIO, "outputPath: /x"),
            ["spec.outputPath: output path is only for logStream FILE and ROTATED_FILE"]
        );
        assert!(check(&STDIO, "log_stream: ROTATED_FILE\noutput_path: /x").is_empty());
    }
}
