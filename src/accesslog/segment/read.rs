//! A sealed segment's columns, and the lines that they make.

use std::cell::OnceCell;
use std::fs::File;
use std::path::Path;

use parquet::basic::Encoding;
use parquet::column::page::Page;
use parquet::column::reader::{ColumnReader, get_typed_column_reader};
use parquet::data_type::{BoolType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};

use super::columns::Type;
use super::seal::Limits;
use super::write::level_of;
use super::{FIELDS, FORMAT, LINE, OWN, VARIABLES, hybrid};
use crate::accesslog::{Format, Level, line};
use crate::expr::write_json_string;

/// Stands for a row that has no value.
pub(crate) const NONE: u32 = u32::MAX;

/// A column of texts: each of them once, and for each row its number.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    all: String,
    ends: Vec<usize>,
    pub(crate) numbers: Vec<u32>,
}

impl Texts {
    /// How many different texts there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// A text by its number.
    pub(crate) fn text(&self, number: u32) -> &str {
        let number = number as usize;
        let start = if number == 0 { 0 } else { self.ends[number - 1] };
        &self.all[start..self.ends[number]]
    }

    /// The text of a row; empty where there is none.
    pub(crate) fn of_row(&self, row: usize) -> &str {
        match self.numbers[row] {
            NONE => "",
            number => self.text(number),
        }
    }

    fn push(&mut self, plain: &[u8]) -> Option<()> {
        let mut rest = plain;
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let (text, after) = after.split_at_checked(u32::from_le_bytes(*length) as usize)?;
            self.all.push_str(std::str::from_utf8(text).ok()?);
            self.ends.push(self.all.len());
            rest = after;
        }
        rest.is_empty().then_some(())
    }
}

/// The values of a column, one for each row; what stands for a missing one says nothing.
#[derive(Debug)]
enum Values {
    Texts(Texts),
    Ints(Vec<i64>),
    Doubles(Vec<f64>),
    Bools(Vec<bool>),
}

/// A variable of lines.
struct Variable {
    /// What stands before its value in a line: `,"name":`.
    before: String,
    kind: Type,
    values: OnceCell<Values>,
}

/// An open segment. Columns are read when they are first asked for.
pub(crate) struct Reader {
    file: SerializedFileReader<File>,
    rows: usize,
    variables: Vec<Variable>,
    level: OnceCell<Texts>,
    names: [OnceCell<Texts>; 4],
    time: OnceCell<Vec<i64>>,
    seq: OnceCell<Vec<i64>>,
    layout: OnceCell<Layouts>,
    line: OnceCell<Texts>,
}

struct Layouts {
    /// Numbers of variables.
    layouts: Vec<Vec<usize>>,
    numbers: Vec<u32>,
}

/// Which of its names a shape's column has.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Name {
    Instance,
    Handler,
    Rule,
    Format,
}

fn damaged(what: &str) -> ParquetError {
    ParquetError::General(what.to_owned())
}

impl Reader {
    /// Opens a segment's file.
    pub(crate) fn open(path: &Path) -> Result<Self, ParquetError> {
        let file = SerializedFileReader::new(File::open(path)?)?;
        let rows = file.metadata().file_metadata().num_rows();
        if file.num_row_groups() != 1 || !(1..=Limits::MOST_ROWS as i64).contains(&rows) {
            return Err(damaged("it has not the form of a segment"));
        }
        let described = metadata(&file, VARIABLES)?;
        let described: Vec<[String; 3]> =
            serde_json::from_str(&described).map_err(|_| damaged("its metadata describe no variables"))?;
        let variables = described.iter().map(|[_, name, kind]| {
            let mut before = String::new();
            line::name(&mut before, name);
            let kind = Type::by_name(kind).ok_or_else(|| damaged("a variable has an unknown type"))?;
            Ok(Variable { before, kind, values: OnceCell::new() })
        });
        let variables = variables.collect::<Result<Vec<_>, ParquetError>>()?;
        let names = file.metadata().file_metadata().schema_descr().columns();
        let own = OWN.iter().chain(&[FORMAT, FIELDS, LINE]).copied();
        let expected = own.chain(described.iter().map(|[column, ..]| column.as_str()));
        if !names.iter().map(|column| column.name()).eq(expected) {
            return Err(damaged("its columns are not those of a segment"));
        }
        Ok(Self {
            file,
            rows: usize::try_from(rows).unwrap_or_default(),
            variables,
            level: OnceCell::new(),
            names: Default::default(),
            time: OnceCell::new(),
            seq: OnceCell::new(),
            layout: OnceCell::new(),
            line: OnceCell::new(),
        })
    }

    /// How many entries it has.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Sequence numbers.
    pub(crate) fn seq(&self) -> Result<&[i64], ParquetError> {
        load(&self.seq, || self.numbers::<Int64Type>(0)).map(Vec::as_slice)
    }

    /// Times, in microseconds since 1970.
    pub(crate) fn time(&self) -> Result<&[i64], ParquetError> {
        load(&self.time, || self.numbers::<Int64Type>(1)).map(Vec::as_slice)
    }

    /// Levels by their names.
    pub(crate) fn levels(&self) -> Result<&Texts, ParquetError> {
        load(&self.level, || self.texts(2))
    }

    /// One of the names that entries of a shape share.
    pub(crate) fn names(&self, name: Name) -> Result<&Texts, ParquetError> {
        load(&self.names[name as usize], || self.texts(3 + name as usize))
    }

    fn lines(&self) -> Result<&Texts, ParquetError> {
        load(&self.line, || self.texts(8))
    }

    fn layouts(&self) -> Result<&Layouts, ParquetError> {
        load(&self.layout, || {
            let texts = self.texts(7)?;
            let layout = |number| {
                let numbers = texts.text(number).split_ascii_whitespace().map(|number| number.parse::<usize>().ok());
                numbers
                    .map(|number| number.filter(|number| *number < self.variables.len()))
                    .collect::<Option<Vec<usize>>>()
                    .ok_or_else(|| damaged("a layout names no variables"))
            };
            let layouts = (0..texts.len()).map(|number| layout(number as u32)).collect::<Result<_, _>>()?;
            Ok(Layouts { layouts, numbers: texts.numbers })
        })
    }

    /// Reads all that [`line`](Self::line) and [`entry`](Self::entry) need.
    pub(crate) fn load_lines(&self) -> Result<Lines<'_>, ParquetError> {
        let mut variables = Vec::with_capacity(self.variables.len());
        for (position, one) in self.variables.iter().enumerate() {
            let column = OWN.len() + 3 + position;
            let values = load(&one.values, || {
                Ok(match one.kind {
                    Type::Text | Type::Json => Values::Texts(self.texts(column)?),
                    Type::Int => Values::Ints(self.numbers::<Int64Type>(column)?),
                    Type::Double => Values::Doubles(self.numbers::<DoubleType>(column)?),
                    Type::Bool => Values::Bools(self.numbers::<BoolType>(column)?),
                })
            })?;
            variables.push((one, values));
        }
        Ok(Lines {
            variables,
            seq: self.seq()?,
            time: self.time()?,
            levels: self.levels()?,
            instances: self.names(Name::Instance)?,
            handlers: self.names(Name::Handler)?,
            rules: self.names(Name::Rule)?,
            formats: self.names(Name::Format)?,
            layouts: self.layouts()?,
            verbatim: self.lines()?,
        })
    }

    /// Reads a column of numbers or truth values.
    fn numbers<T: DataType>(&self, column: usize) -> Result<Vec<T::T>, ParquetError>
    where
        T::T: Default + Copy,
    {
        let group = self.file.get_row_group(0)?;
        let physical = group.metadata().column(column).column_type();
        if physical != T::get_physical_type() {
            return Err(damaged("a column has another type than it should have"));
        }
        let reader: ColumnReader = group.get_column_reader(column)?;
        let mut reader = get_typed_column_reader::<T>(reader);
        let (mut values, mut levels) = (Vec::with_capacity(self.rows), Vec::new());
        let (records, read, _) = reader.read_records(self.rows, Some(&mut levels), None, &mut values)?;
        if records != self.rows {
            return Err(damaged("a column is too short"));
        }
        if read == self.rows {
            return Ok(values);
        }
        let mut values = values.into_iter();
        let value = |level: &i16| if *level > 0 { values.next().unwrap_or_default() } else { T::T::default() };
        Ok(levels.iter().map(value).collect())
    }

    /// Reads a column of texts, without making one for each row.
    fn texts(&self, column: usize) -> Result<Texts, ParquetError> {
        let group = self.file.get_row_group(0)?;
        let optional = self.file.metadata().file_metadata().schema_descr().column(column).max_def_level() > 0;
        let mut pages = group.get_column_page_reader(column)?;
        let mut texts = Texts::default();
        while let Some(page) = pages.get_next_page()? {
            let read = match page {
                Page::DictionaryPage { buf, .. } => texts.push(&buf),
                Page::DataPageV2 { buf, num_values, num_nulls, encoding, def_levels_byte_len, .. } => {
                    let levels = if optional { def_levels_byte_len as usize } else { 0 };
                    let page = DataPage { buf: &buf, levels, rows: num_values as usize, nulls: num_nulls as usize };
                    page.read(encoding, &mut texts)
                }
                Page::DataPage { .. } => None,
            };
            read.ok_or_else(|| damaged("a page of texts cannot be read"))?;
            if texts.numbers.len() > self.rows {
                return Err(damaged("a column is too long"));
            }
        }
        let last = u32::try_from(texts.len()).map_err(|_| damaged("there are too many texts"))?;
        if texts.numbers.len() < self.rows || texts.numbers.iter().any(|number| *number >= last && *number != NONE) {
            return Err(damaged("a column of texts is not whole"));
        }
        if !optional && texts.numbers.contains(&NONE) {
            return Err(damaged("a text is missing"));
        }
        Ok(texts)
    }
}

fn metadata(file: &SerializedFileReader<File>, key: &str) -> Result<String, ParquetError> {
    let pairs = file.metadata().file_metadata().key_value_metadata();
    let found = pairs.into_iter().flatten().find(|pair| pair.key == key).and_then(|pair| pair.value.clone());
    found.ok_or_else(|| damaged("it was not written by egressctl"))
}

fn load<T>(cell: &OnceCell<T>, read: impl FnOnce() -> Result<T, ParquetError>) -> Result<&T, ParquetError> {
    if let Some(value) = cell.get() {
        return Ok(value);
    }
    let value = read()?;
    Ok(cell.get_or_init(|| value))
}

/// A data page: levels, then values.
struct DataPage<'a> {
    buf: &'a [u8],
    levels: usize,
    rows: usize,
    nulls: usize,
}

impl DataPage<'_> {
    fn read(&self, encoding: Encoding, texts: &mut Texts) -> Option<()> {
        let (levels, values) = self.buf.split_at_checked(self.levels)?;
        let count = self.rows.checked_sub(self.nulls)?;
        let mut numbers = Vec::with_capacity(count.min(1 << 20));
        match encoding {
            Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY if count == 0 => {}
            Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY => {
                let (width, packed) = values.split_first()?;
                hybrid::decode(packed, u32::from(*width), count, &mut numbers)?;
            }
            Encoding::PLAIN => {
                let first = texts.len();
                texts.push(values)?;
                numbers.extend((first..texts.len()).map(|number| number as u32));
            }
            _ => return None,
        }
        if numbers.len() != count {
            return None;
        }
        if self.nulls == 0 {
            texts.numbers.extend(numbers);
            return Some(());
        }
        let mut present = Vec::with_capacity(self.rows.min(1 << 20));
        hybrid::decode(levels, 1, self.rows, &mut present)?;
        let mut numbers = numbers.into_iter();
        texts
            .numbers
            .extend(present.iter().map(|&level| if level > 0 { numbers.next().unwrap_or(NONE) } else { NONE }));
        Some(())
    }
}

/// All columns of a segment.
pub(crate) struct Lines<'r> {
    variables: Vec<(&'r Variable, &'r Values)>,
    pub(crate) seq: &'r [i64],
    pub(crate) time: &'r [i64],
    pub(crate) levels: &'r Texts,
    pub(crate) instances: &'r Texts,
    pub(crate) handlers: &'r Texts,
    pub(crate) rules: &'r Texts,
    formats: &'r Texts,
    layouts: &'r Layouts,
    verbatim: &'r Texts,
}

impl Lines<'_> {
    /// The level of a row.
    pub(crate) fn level(&self, row: usize) -> Level {
        level_of(self.levels.of_row(row))
    }

    /// The form of a row's printed line.
    pub(crate) fn format(&self, row: usize) -> Format {
        if self.formats.of_row(row) == "text" { Format::Text } else { Format::Json }
    }

    /// Appends the line of a row as it was recorded.
    pub(crate) fn write(&self, row: usize, out: &mut String) {
        if self.verbatim.numbers[row] != NONE {
            out.push_str(self.verbatim.of_row(row));
            return;
        }
        line::begin(out, self.level(row), self.time[row], self.instances.of_row(row));
        for &number in &self.layouts.layouts[self.layouts.numbers[row] as usize] {
            let (variable, values) = self.variables[number];
            out.push_str(&variable.before);
            match values {
                Values::Texts(texts) if variable.kind == Type::Json => out.push_str(texts.of_row(row)),
                Values::Texts(texts) => write_json_string(texts.of_row(row), out),
                Values::Ints(ints) => out.push_str(&ints[row].to_string()),
                Values::Doubles(doubles) => out.push_str(&doubles[row].to_string()),
                Values::Bools(bools) => out.push_str(if bools[row] { "true" } else { "false" }),
            }
        }
        line::end(out);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Names and types of a file's columns.
    pub(in crate::accesslog::segment) fn columns(path: &Path) -> Vec<String> {
        let file = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
        let columns = file.metadata().file_metadata().schema_descr().columns();
        let kind = |column: &parquet::schema::types::ColumnDescriptor| match column.converted_type() {
            parquet::basic::ConvertedType::NONE => column.physical_type().to_string(),
            converted => converted.to_string(),
        };
        columns.iter().map(|column| format!("{} {}", column.name(), kind(column))).collect()
    }
}
