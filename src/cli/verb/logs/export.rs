//! `logs export`: entries for other tools.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Args;

use super::csv;
use super::files;
use super::filter::{self, Filter};
use super::print::field;
use crate::accesslog::{self, Logs, Row, line};
use crate::cli::bar::{Bar, Unit};
use crate::cli::context::Context;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::leftover::Leftover;

const EXAMPLES: &str = "Examples:
  # As JSON lines, to be searched with other tools
  egressctl logs export --to yesterday.jsonl --since 2d --until 1d

  # For a spreadsheet
  egressctl logs export --to refused.csv --level error

  # For DuckDB, pandas or Spark: one file, or one for each half million entries
  egressctl logs export --to calls.parquet --since 1h
  egressctl logs export --to calls/

The ending of the name says which form; a folder gets Parquet files. - is standard output, as JSON lines.";

/// Write entries into files for other tools
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Export {
    /// NAME.jsonl, NAME.csv, NAME.parquet, or a folder; - for standard output
    #[arg(long, value_name = "FILE|DIR")]
    to: PathBuf,
    /// Columns of csv
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    columns: Vec<String>,
    /// Take these files of lines instead of the log; - for standard input
    #[arg(value_name = "FILE")]
    files: Vec<String>,
    #[command(flatten)]
    filter: Filter,
}

/// How entries are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Lines,
    Csv,
    Parquet,
    /// Parquet files in a folder.
    Folder,
}

impl Form {
    fn of(path: &Path) -> Result<Self, Failure> {
        let text = path.to_string_lossy();
        match path.extension().and_then(|end| end.to_str()) {
            _ if text == "-" => Ok(Self::Lines),
            _ if path.is_dir() || text.ends_with('/') => Ok(Self::Folder),
            Some("jsonl" | "ndjson" | "json" | "log") => Ok(Self::Lines),
            Some("csv") => Ok(Self::Csv),
            Some("parquet") => Ok(Self::Parquet),
            _ => Err(Failure::client(format!(
                "cannot tell the form of {}\nhint: let it end in .jsonl, .csv or .parquet, or in / for a folder",
                path.display()
            ))),
        }
    }
}

impl Export {
    /// Writes what is asked for.
    pub(super) fn run(self, context: &mut Context) -> Outcome {
        let form = Form::of(&self.to)?;
        let _files = files::take(&self.files, context)?;
        let mut store = self.filter.log(context)?;
        filter::check_names(&store, &self.columns)?;
        self.filter.check(&store)?;
        let query = self.filter.query(context);
        let bar = Bar::start("exporting", Unit::Segments, store.progress(), self.to.as_os_str() == "-");
        let entries = match form {
            Form::Lines | Form::Csv if self.to.as_os_str() == "-" => {
                self.text(&mut store, &query, form, &mut context.out)?
            }
            Form::Lines | Form::Csv => {
                // Under another name until it is whole, so that nothing half is left in its place.
                let beside = beside(&self.to);
                let _leftover = Leftover::new(&beside).map_err(|error| unwritable(&beside, &error))?;
                let written = create(&beside).and_then(|file| {
                    let mut out = BufWriter::with_capacity(1 << 16, file);
                    let entries = self.text(&mut store, &query, form, &mut out)?;
                    out.flush()?;
                    Ok(entries)
                });
                keep(written, &beside, &self.to)?
            }
            Form::Parquet | Form::Folder => self.parquet(&mut store, &query, form)?,
        };
        drop(bar);
        if self.to.as_os_str() != "-" {
            let entries = if entries == 1 { "1 entry".to_owned() } else { format!("{entries} entries") };
            writeln!(context.out, "exported {entries} to {}", self.to.display())?;
        }
        context.out.flush()?;
        if entries == 0 {
            self.filter.tell_unknown(&store, context)?;
        }
        super::keep::damage(store.take_damage())
    }

    fn text(
        &self,
        store: &mut Logs,
        query: &accesslog::Query,
        form: Form,
        out: &mut dyn Write,
    ) -> Result<u64, Failure> {
        let mut columns = self.columns.clone();
        if columns.is_empty() && form == Form::Csv {
            columns = store.names()?.into_iter().map(|(name, _)| name).collect();
        }
        if form == Form::Csv {
            csv::write(out, columns.iter().map(String::as_str))?;
        }
        let (mut entries, mut fault) = (0, None);
        store.query(query, false, &mut |row: &Row<'_>| {
            entries += 1;
            let written = if form == Form::Csv {
                let fields = line::fields(row.line).unwrap_or_default();
                let values: Vec<String> =
                    columns.iter().map(|name| field(row, &fields, name).unwrap_or_default()).collect();
                csv::write(out, values.iter().map(String::as_str))
            } else {
                writeln!(out, "{}", row.line)
            };
            fault = written.err();
            fault.is_none()
        })?;
        match fault {
            Some(fault) => Err(fault.into()),
            None => Ok(entries),
        }
    }

    fn parquet(&self, store: &mut Logs, query: &accesslog::Query, form: Form) -> Result<u64, Failure> {
        if form == Form::Folder {
            fs::create_dir_all(&self.to).map_err(|error| unwritable(&self.to, &error))?;
        }
        let (mut entries, mut files, mut fault) = (0_u64, 0_u32, None);
        let mut export = accesslog::Export::default();
        let mut put = |export: accesslog::Export| {
            files += 1;
            let path = match form {
                Form::Folder => self.to.join(format!("part-{files:05}.parquet")),
                _ if files > 1 => return Err(too_many(&self.to)),
                _ => self.to.clone(),
            };
            let beside = beside(&path);
            let _leftover = Leftover::new(&beside).map_err(|error| unwritable(&beside, &error))?;
            let written = create(&beside).and_then(|file| Ok(export.write(BufWriter::new(file), &beside)?));
            keep(written, &beside, &path)
        };
        store.query(query, false, &mut |row: &Row<'_>| {
            entries += 1;
            export.add(row);
            if export.is_full() {
                fault = put(std::mem::take(&mut export)).err();
            }
            fault.is_none()
        })?;
        if let Some(fault) = fault {
            return Err(fault);
        }
        if !export.is_empty() {
            put(export)?;
        }
        Ok(entries)
    }
}

fn too_many(path: &Path) -> Failure {
    Failure::client(format!(
        "there are more entries than {} has room for; what came first is in it\nhint: name a folder, or narrow the question",
        path.display()
    ))
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::client(format!("cannot write {}: {error}", path.display()))
}

/// A file that only its owner reads: entries say who called what.
fn create(path: &Path) -> Result<File, Failure> {
    let options = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).to_owned();
    options.open(path).map_err(|error| unwritable(path, &error))
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}

/// Gives a whole file its name.
fn keep<T>(written: Result<T, Failure>, beside: &Path, path: &Path) -> Result<T, Failure> {
    let value = written?;
    fs::rename(beside, path).map_err(|error| unwritable(path, &error))?;
    Ok(value)
}
