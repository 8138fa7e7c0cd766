//! A sealed segment's columns, and the lines that they make.

use std::cell::{OnceCell, RefCell};
use std::fs::File;
use std::ops::Range;
use std::path::Path;

use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::file::statistics::Statistics;

use super::beside::Beside;
use super::column::{Block, Column, NONE, Scratch};
use super::dictionary::Dictionary;
use super::frame::{Field, Frame, Head};
use super::seal::Limits;
use super::texts::Texts;
use super::variable::{Type, Value, push_int};
use super::write::level_of;
use super::{FIELDS, FORMAT, LINE, OWN, VARIABLES, damaged};
use crate::accesslog::{Format, Level, line};
use crate::expr::write_json_text;

/// A variable of lines.
#[derive(Debug)]
pub(crate) struct Variable {
    pub(crate) name: String,
    /// What stands before its value in a line: `,"name":`.
    pub(crate) before: String,
    pub(crate) kind: Type,
}

/// The columns that every segment has, by their place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Own {
    Seq,
    Time,
    Level,
    Instance,
    Handler,
    Rule,
    Format,
    Layout,
    Line,
}

/// How many [`Own`] there are: variables begin behind them.
pub(crate) const OWN_COLUMNS: usize = OWN.len() + 3;

/// An open segment. Columns are read when they are first asked for.
pub(crate) struct Reader {
    pub(super) file: File,
    metadata: ParquetMetaData,
    rows: usize,
    variables: Vec<Variable>,
    pub(super) columns: Vec<OnceCell<Column>>,
    layouts: OnceCell<Vec<Vec<usize>>>,
    pub(super) beside: Beside,
    scratch: RefCell<Scratch>,
}

impl Reader {
    /// Opens a segment's file.
    pub(crate) fn open(path: &Path) -> Result<Self, ParquetError> {
        let file = File::open(path)?;
        let metadata = ParquetMetaDataReader::new().parse_and_finish(&file)?;
        let rows = metadata.file_metadata().num_rows();
        if metadata.num_row_groups() != 1 || !(1..=Limits::MOST_ROWS as i64).contains(&rows) {
            return Err(damaged("it has not the form of a segment"));
        }
        // The library takes for granted that these are none below zero.
        let mut places = metadata.row_group(0).columns().iter().flat_map(|column| {
            [Some(column.data_page_offset()), column.dictionary_page_offset(), Some(column.compressed_size())]
        });
        if places.any(|place| place.is_some_and(|place| place < 0)) {
            return Err(damaged("its columns are nowhere"));
        }
        let described = entry(&metadata, VARIABLES)?;
        let described: Vec<[String; 3]> =
            serde_json::from_str(&described).map_err(|_| damaged("its metadata describe no variables"))?;
        let variables = described.iter().map(|[_, name, kind]| {
            let mut before = String::new();
            line::name(&mut before, name);
            let kind = Type::by_name(kind).ok_or_else(|| damaged("a variable has an unknown type"))?;
            Ok(Variable { name: name.clone(), before, kind })
        });
        let variables = variables.collect::<Result<Vec<_>, ParquetError>>()?;
        let names = metadata.file_metadata().schema_descr().columns();
        let own = OWN.iter().chain(&[FORMAT, FIELDS, LINE]).copied();
        let expected = own.chain(described.iter().map(|[column, ..]| column.as_str()));
        if !names.iter().map(|column| column.name()).eq(expected) {
            return Err(damaged("its columns are not those of a segment"));
        }
        Ok(Self {
            file,
            rows: usize::try_from(rows).unwrap_or_default(),
            columns: names.iter().map(|_| OnceCell::new()).collect(),
            variables,
            metadata,
            layouts: OnceCell::new(),
            beside: Beside::default(),
            scratch: RefCell::default(),
        })
    }

    /// An entry of the file's metadata.
    pub(super) fn metadata(&self, key: &str) -> Result<String, ParquetError> {
        entry(&self.metadata, key)
    }

    /// How many entries it has.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// What its columns take when all of them are read at once, in bytes: more than a question takes.
    pub(crate) fn bytes(&self) -> usize {
        usize::try_from(self.metadata.row_group(0).total_byte_size()).unwrap_or_default()
    }

    /// The variables of its lines; their columns begin at [`OWN_COLUMNS`].
    pub(crate) fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// A column by its place.
    pub(crate) fn column(&self, place: usize) -> Result<&Column, ParquetError> {
        load(&self.columns[place], || {
            let chunk = self.metadata.row_group(0).column(place);
            Column::open(&self.file, chunk, self.rows)
        })
    }

    /// The different values of a column, if it has a dictionary.
    pub(crate) fn dictionary(&self, column: usize) -> Result<Option<&Dictionary>, ParquetError> {
        self.column(column)?.dictionary(&mut self.scratch.borrow_mut())
    }

    /// Those of a part of a dictionary, if it has several.
    pub(crate) fn part(&self, column: usize, part: usize) -> Result<Option<&Dictionary>, ParquetError> {
        self.column(column)?.part(part, &mut self.scratch.borrow_mut())
    }

    /// The different texts of a column that has such.
    pub(crate) fn texts(&self, column: Own) -> Result<&Texts, ParquetError> {
        match self.dictionary(column as usize)? {
            Some(Dictionary::Texts(texts)) => Ok(texts),
            _ => Err(damaged("a column has no dictionary")),
        }
    }

    /// How many rows are best read at a time.
    pub(crate) fn block(&self) -> Result<usize, ParquetError> {
        // A small column, whose pages have as many rows as those of others.
        self.column(Own::Format as usize)?.rows_of_page(&self.file)
    }

    /// Reads some rows of a column; if only `few` of them are wanted, by their places among the rows, ascending, then the
    /// others get any value.
    pub(crate) fn read(
        &self,
        column: usize,
        rows: Range<usize>,
        few: Option<&[u32]>,
        block: &mut Block,
    ) -> Result<(), ParquetError> {
        self.column(column)?.read(&self.file, rows, few, &mut self.scratch.borrow_mut(), block)
    }

    /// The first sequence number, where the column's ends leave no room for gaps.
    fn first_seq(&self) -> Option<i64> {
        let Some(Statistics::Int64(ends)) = self.metadata.row_group(0).column(Own::Seq as usize).statistics() else {
            return None;
        };
        let (first, last) = (*ends.min_opt()?, *ends.max_opt()?);
        (last.checked_sub(first)?.checked_add(1)? == self.rows as i64).then_some(first)
    }

    /// The variables of lines, by the numbers of layouts.
    pub(crate) fn layouts(&self) -> Result<&Vec<Vec<usize>>, ParquetError> {
        load(&self.layouts, || {
            let texts = self.texts(Own::Layout)?;
            let layout = |number| {
                let numbers = texts.text(number).split_ascii_whitespace().map(|number| number.parse::<usize>().ok());
                numbers
                    .map(|number| number.filter(|number| *number < self.variables.len()))
                    .collect::<Option<Vec<usize>>>()
                    .ok_or_else(|| damaged("a layout names no variables"))
            };
            (0..texts.len()).map(|number| layout(number as u32)).collect()
        })
    }

    /// Its entries as lines.
    pub(crate) fn lines(&self) -> Result<Lines<'_>, ParquetError> {
        let levels = self.texts(Own::Level)?;
        let formats = self.texts(Own::Format)?;
        Ok(Lines {
            reader: self,
            block: self.block()?,
            first: usize::MAX,
            few: None,
            ready: None,
            first_seq: self.first_seq(),
            blocks: (0..self.columns.len()).map(|_| (usize::MAX, Block::default())).collect(),
            columns: vec![None; self.columns.len()],
            levels: (0..levels.len()).map(|number| level_of(levels.text(number as u32))).collect(),
            formats: (0..formats.len()).map(|number| format_of(formats.text(number as u32))).collect(),
            head: Head::default(),
            frames: (0..self.texts(Own::Layout)?.len()).map(|_| OnceCell::new()).collect(),
        })
    }
}

/// The form of a printed line by its name.
pub(crate) fn format_of(name: &str) -> Format {
    if name == "text" { Format::Text } else { Format::Json }
}

fn entry(metadata: &ParquetMetaData, key: &str) -> Result<String, ParquetError> {
    let pairs = metadata.file_metadata().key_value_metadata();
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

/// The entries of a segment as they were recorded. One is made ready by [`load`](Self::load), with those beside it.
pub(crate) struct Lines<'r> {
    reader: &'r Reader,
    block: usize,
    /// The first row of what is ready.
    first: usize,
    /// Of which rows values are read, where not of all: the block's first row, and places from there.
    few: Option<(usize, Vec<u32>)>,
    /// The block and the layout of the row that was made ready last, as long as all columns that it took are of the block.
    ready: Option<(usize, u32)>,
    /// The sequence number of the first row, where those of the others follow.
    first_seq: Option<i64>,
    /// Of each column some values, and the row that they begin with.
    blocks: Vec<(usize, Block)>,
    columns: Vec<Option<&'r Column>>,
    levels: Vec<Level>,
    formats: Vec<Format>,
    head: Head,
    /// By the numbers of layouts.
    frames: Vec<OnceCell<Frame>>,
}

impl<'r> Lines<'r> {
    /// Says that of the block that begins with a row only few are going to be made ready.
    pub(crate) fn narrow(&mut self, first: usize, few: Option<&[u32]>) {
        match (&mut self.few, few) {
            (_, None) => self.few = None,
            (Some((of, places)), Some(few)) => {
                *of = first;
                places.clear();
                places.extend_from_slice(few);
            }
            (None, Some(few)) => self.few = Some((first, few.to_vec())),
        }
    }

    /// Makes a row ready.
    pub(crate) fn load(&mut self, row: usize) -> Result<(), ParquetError> {
        self.go_to(row);
        if self.ready.is_some_and(|ready| ready == (self.first, self.number(Own::Layout, row))) {
            return Ok(());
        }
        let with_seq = usize::from(self.first_seq.is_some());
        (with_seq..OWN_COLUMNS).try_for_each(|column| self.read(column))?;
        let number = self.number(Own::Layout, row);
        let layout = self.reader.layouts()?.get(number as usize);
        let layout = layout.ok_or_else(|| damaged("a row has no layout"))?;
        layout.iter().try_for_each(|variable| self.read(OWN_COLUMNS + variable))?;
        self.ready = Some((self.first, number));
        Ok(())
    }

    /// Goes to a row, of which columns are made ready one by one.
    pub(crate) fn go_to(&mut self, row: usize) {
        self.first = row - row % self.block;
    }

    /// Makes a column of the row ready.
    pub(crate) fn load_column(&mut self, column: usize) -> Result<(), ParquetError> {
        self.read(column)
    }

    fn read(&mut self, column: usize) -> Result<(), ParquetError> {
        let (first, block) = &mut self.blocks[column];
        if *first != self.first {
            self.ready = None;
            let of = self.reader.column(column)?;
            self.columns[column] = Some(of);
            let is_same = of.same().is_some();
            if is_same && *first != usize::MAX {
                // What all rows have is the same in this block.
                *first = self.first;
                return Ok(());
            }
            let start = if is_same { 0 } else { self.first };
            let rows = start..(start + self.block).min(self.reader.rows());
            let few = self.few.as_ref().filter(|(of, _)| *of == self.first).map(|(_, places)| places.as_slice());
            self.reader.read(column, rows, few, block)?;
            of.load_values(few, block, &mut self.reader.scratch.borrow_mut())?;
            *first = self.first;
        }
        Ok(())
    }

    fn number(&self, column: Own, row: usize) -> u32 {
        self.blocks[column as usize].1.numbers.get(row - self.first).copied().unwrap_or(NONE)
    }

    /// The sequence number of a row.
    pub(crate) fn seq(&self, row: usize) -> i64 {
        self.first_seq.map_or_else(|| self.int(Own::Seq as usize, row), |first| first + row as i64)
    }

    /// The time of a row, in microseconds since 1970.
    pub(crate) fn time(&self, row: usize) -> i64 {
        self.int(Own::Time as usize, row)
    }

    /// The level of a row.
    pub(crate) fn level(&self, row: usize) -> Level {
        self.levels.get(self.number(Own::Level, row) as usize).copied().unwrap_or(Level::Error)
    }

    /// The form of a row's printed line.
    pub(crate) fn format(&self, row: usize) -> Format {
        self.formats.get(self.number(Own::Format, row) as usize).copied().unwrap_or(Format::Json)
    }

    /// What tells the row's shape from others of the segment.
    pub(crate) fn shape(&self, row: usize) -> [u32; 4] {
        [Own::Instance, Own::Handler, Own::Rule, Own::Format].map(|column| self.number(column, row))
    }

    /// The full name of a row's instance.
    pub(crate) fn instance(&self, row: usize) -> &str {
        self.text(Own::Instance as usize, row)
    }

    /// The full name of a row's handler.
    pub(crate) fn handler(&self, row: usize) -> &str {
        self.text(Own::Handler as usize, row)
    }

    /// The full name of a row's rule.
    pub(crate) fn rule(&self, row: usize) -> &str {
        self.text(Own::Rule as usize, row)
    }

    /// The text of a row; empty where there is none.
    pub(crate) fn text(&self, column: usize, row: usize) -> &str {
        let of = self.columns[column];
        of.and_then(|of| of.text(&self.blocks[column].1, row - self.first)).unwrap_or_default()
    }

    /// The whole number of a row.
    pub(crate) fn int(&self, column: usize, row: usize) -> i64 {
        let of = self.columns[column];
        of.and_then(|of| of.int(&self.blocks[column].1, row - self.first)).unwrap_or_default()
    }

    /// The other number of a row.
    pub(crate) fn double(&self, column: usize, row: usize) -> f64 {
        self.blocks[column].1.doubles.get(row - self.first).copied().unwrap_or_default()
    }

    /// Whether a row that is ready has a value.
    pub(crate) fn has(&self, column: usize, row: usize) -> bool {
        let (first, block) = &self.blocks[column];
        *first == self.first && block.numbers.get(row - self.first) != Some(&NONE)
    }

    /// The truth value of a row.
    pub(crate) fn bool(&self, column: usize, row: usize) -> bool {
        self.blocks[column].1.numbers.get(row - self.first) == Some(&1)
    }

    /// Appends the line of a row as it was recorded.
    pub(crate) fn write(&mut self, row: usize, out: &mut String) {
        if self.number(Own::Line, row) != NONE {
            out.push_str(self.text(Own::Line as usize, row));
            return;
        }
        let mut head = std::mem::take(&mut self.head);
        let instance = (self.number(Own::Instance, row), self.text(Own::Instance as usize, row));
        head.write(self.level(row), self.time(row), instance, out);
        self.head = head;
        let layout = self.number(Own::Layout, row) as usize;
        let Some(frame) = self.frames.get(layout) else { return line::end(out) };
        let frame = frame.get_or_init(|| self.frame(layout));
        for Field { before, kind, column } in &frame.fields {
            out.push_str(before);
            match kind {
                Type::Json => out.push_str(self.text(*column, row)),
                Type::Text => write_json_text(self.text(*column, row), out),
                Type::Int => push_int(self.int(*column, row), out),
                Type::Double => Value::Double(self.double(*column, row)).write(out),
                Type::Bool => Value::Bool(self.bool(*column, row)).write(out),
            }
        }
        out.push_str(&frame.end);
    }

    /// What stands around the values of lines of a layout. One of its rows is ready.
    fn frame(&self, layout: usize) -> Frame {
        let mut frame = Frame::default();
        for &number in self.reader.layouts.get().and_then(|layouts| layouts.get(layout)).into_iter().flatten() {
            let column = OWN_COLUMNS + number;
            let same = self.columns[column].and_then(Column::same_value);
            frame.add(&self.reader.variables[number], column, same);
        }
        frame.finish();
        frame
    }
}

#[cfg(test)]
pub(super) mod tests {
    use parquet::file::reader::{FileReader, SerializedFileReader};

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
