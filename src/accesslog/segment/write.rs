//! Columns as a Parquet file.

use std::collections::HashSet;
use std::io::Write;
use std::sync::Arc;

use parquet::basic::{
    Compression, ConvertedType, Encoding, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel,
};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{ColumnDescPtr, ColumnPath, Type as Node, TypePtr};

use super::columns::Columns;
use super::counts::{self, Counts};
use super::dictionary::PART;
use super::encode::{Dictionary, Encoder, number};
use super::fences::{self, Fences};
use super::grams::{self, Grams};
use super::groups;
use super::interned::Interned;
use super::order;
use super::variable::{Type, Values, Variable};
use super::{FIELDS, FORMAT, LINE, Names, OWN, OWN_COLUMNS, VARIABLES};
use crate::accesslog::{Format, Level};

/// Values that are handed to the encoder at a time.
const BATCH: usize = 4096;

/// Rows of a page: what is read for one row. Fewer make files larger; in tests all questions shall meet several.
pub(super) const PAGE: usize = if cfg!(test) { 64 } else { 4096 };

/// A column whose texts are this much of its rows, or more bytes, is not worth a dictionary.
const DICTIONARY_BYTES: usize = 24 << 20;

/// Dictionaries of more values than that are in order. Of fewer all are read anyway, and in the order in which values came their
/// numbers are the smaller the more frequent they are, which compresses better.
const UNSORTED: usize = 4 * PART;

/// Between size and time: level 3 makes files 4 % smaller than level 1 and takes a third longer, higher ones give nothing.
pub(super) const ZSTD_LEVEL: i32 = 3;

/// Pages are compressed that become smaller than so much of their size; the others are quicker to read as they are.
const WORTH_COMPRESSING: f64 = 0.75;

/// How a column is stored.
struct Stored {
    name: String,
    physical: Physical,
    logical: Option<LogicalType>,
    converted: ConvertedType,
    optional: bool,
    encoding: Encoding,
    dictionary: bool,
}

/// Writes columns, and what the reader has to know of them, as one row group; more of the file's metadata as given.
pub(super) fn write(
    out: impl Write + Send,
    columns: &Columns,
    shapes: &[Names],
    metadata: Vec<KeyValue>,
) -> Result<(), ParquetError> {
    let names = variable_names(&columns.variables);
    let stored = stored(columns, &names);
    let schema = schema(&stored)?;
    let mut metadata = metadata;
    metadata.push(KeyValue::new(VARIABLES.to_owned(), Some(describe(&columns.variables, &names))));
    let properties = properties(&stored, metadata)?;
    let mut file = SerializedFileWriter::new(out, schema, Arc::new(properties))?;
    let (counts, fences) = write_columns(&mut file, columns, shapes, &stored)?;
    write_beside(&mut file, counts::KEY, &counts.finish()?)?;
    if !fences.is_empty() {
        write_beside(&mut file, fences::KEY, &fences::to_bytes(&fences)?)?;
    }
    if !columns.groups.is_empty() {
        write_beside(&mut file, groups::KEY, &groups::to_bytes(&columns.groups)?)?;
        if let Some(hashes) = groups::columns_to_bytes(&columns.groups) {
            write_beside(&mut file, groups::COLUMNS_KEY, &hashes?)?;
        }
    }
    let mut filters = Vec::new();
    for (variable, column) in columns.variables.iter().zip(OWN.len() + 3..) {
        if let Values::Texts(texts, _) = &variable.values
            && let Some(grams) = Grams::of(texts)
        {
            let (start, grams) = (file.bytes_written(), grams.to_bytes());
            file.write_all(&grams)?;
            filters.push(format!("{column}:{start}:{}", grams.len()));
        }
    }
    file.append_key_value_metadata(KeyValue::new(grams::KEY.to_owned(), Some(filters.join(" "))));
    file.close()?;
    Ok(())
}

/// Writes bytes beside the columns, and where they are into the metadata.
fn write_beside(
    file: &mut SerializedFileWriter<impl Write + Send>,
    key: &str,
    bytes: &[u8],
) -> Result<(), ParquetError> {
    let place = format!("{} {}", file.bytes_written(), bytes.len());
    file.write_all(bytes)?;
    file.append_key_value_metadata(KeyValue::new(key.to_owned(), Some(place)));
    Ok(())
}

/// Writes all columns as one row group; how often their values occur, and between what texts lie.
fn write_columns(
    file: &mut SerializedFileWriter<impl Write + Send>,
    columns: &Columns,
    shapes: &[Names],
    stored: &[Stored],
) -> Result<(Counts, Vec<(usize, Fences)>), ParquetError> {
    let descriptors = file.schema_descr().columns().to_vec();
    let (writer, encoder, counts) = (file.next_row_group()?, Encoder::new()?, Counts::default());
    let mut group = Group { writer, descriptors, encoder, counts, fences: Vec::new(), rows: columns.rows(), next: 0 };
    group.column::<Int64Type>(columns.seq.iter().copied(), None)?;
    group.column::<Int64Type>(columns.time.iter().copied(), None)?;
    own(&mut group, columns, shapes)?;
    verbatim(&mut group, columns)?;
    for (variable, stored) in columns.variables.iter().zip(&stored[OWN_COLUMNS..]) {
        let present = variable.presence.levels(columns.rows());
        let present = present.as_deref();
        match &variable.values {
            Values::Texts(interned, numbers) if stored.dictionary && interned.len() > UNSORTED => {
                sorted(&mut group, interned, numbers, present)?;
            }
            Values::Texts(interned, numbers) if stored.dictionary => {
                group.numbered(&Dictionary::of_interned(interned), numbers, present)?;
            }
            Values::Texts(interned, numbers) => texts(&mut group, interned, numbers, present)?,
            Values::Ints(ints) => {
                let (mut distinct, mut numbers) = number(ints.iter().copied());
                let is_sorted = distinct.len() > UNSORTED;
                if is_sorted {
                    order::sort_ints(&mut distinct, &mut numbers);
                }
                group.numbered(&Dictionary::of_ints(&distinct, is_sorted), &numbers, present)?;
            }
            Values::Doubles(doubles) => group.column::<DoubleType>(doubles.iter().copied(), present)?,
            Values::Bools(bools) => group.column::<BoolType>(bools.iter().copied(), present)?,
        }
    }
    let Group { writer, counts, fences, .. } = group;
    writer.close()?;
    Ok((counts, fences))
}

/// Writes texts that are so many that not all are read for each question, in their order.
fn sorted(
    group: &mut Group<'_, impl Write + Send>,
    interned: &Interned,
    numbers: &[u32],
    present: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let ascending = order::ascending(interned);
    let places = order::places(ascending.iter().copied());
    let numbers: Vec<u32> = numbers.iter().map(|number| places[*number as usize]).collect();
    let texts = ascending.iter().map(|number| interned.text(*number));
    group.fences.extend(Fences::of(texts.clone()).map(|fences| (group.next, fences)));
    group.numbered(&Dictionary::of_sorted(texts), &numbers, present)
}

/// What the columns behind the level say of an entry's shape.
const OF_SHAPES: [fn(&Names) -> &str; 4] =
    [|one| &one.instance, |one| &one.handler, |one| &one.rule, |one| format_name(one.format)];

/// The level, what belongs to the shape, and the layout.
fn own(group: &mut Group<'_, impl Write + Send>, columns: &Columns, shapes: &[Names]) -> Result<(), ParquetError> {
    let (levels, numbers) = number(columns.level.iter().copied());
    group.numbered(&Dictionary::of_texts(levels.iter().map(|level| level.name())), &numbers, None)?;
    for part in OF_SHAPES {
        // Shapes are numbered in the order in which they came, but some have the same names.
        let (names, of_shapes) = number(shapes.iter().map(part));
        let numbers: Vec<u32> = columns.shape.iter().map(|&shape| of_shapes[shape as usize]).collect();
        group.numbered(&Dictionary::of_texts(names.iter().copied()), &numbers, None)?;
    }
    group.numbered(&Dictionary::of_interned(&columns.layouts), &columns.layout, None)
}

/// A row group whose columns are written one after the other.
struct Group<'f, W: Write> {
    writer: SerializedRowGroupWriter<'f, W>,
    descriptors: Vec<ColumnDescPtr>,
    encoder: Encoder,
    counts: Counts,
    /// Of columns by their numbers.
    fences: Vec<(usize, Fences)>,
    rows: usize,
    /// The number of the next column.
    next: usize,
}

impl<W: Write + Send> Group<'_, W> {
    /// Writes the next column by the numbers of its values, and counts how often each occurs. `present` says for each row
    /// whether it has one of the values, here and below.
    fn numbered(
        &mut self,
        dictionary: &Dictionary,
        numbers: &[u32],
        present: Option<&[i16]>,
    ) -> Result<(), ParquetError> {
        let descriptor = &self.descriptors[self.next];
        let encoded = self.encoder.column(descriptor, dictionary, numbers, (self.rows, present))?;
        self.counts.add(numbers, dictionary.len());
        self.next += 1;
        self.writer.append_column(&encoded.chunk, encoded.close)
    }

    /// Writes the next column value by value; they are not counted.
    fn column<T: DataType>(
        &mut self,
        values: impl Iterator<Item = T::T>,
        present: Option<&[i16]>,
    ) -> Result<(), ParquetError> {
        self.counts.skip();
        self.next += 1;
        let missing = || ParquetError::General("there are too few columns".into());
        let mut writer = self.writer.next_column()?.ok_or_else(missing)?;
        let (mut values, mut batch) = (values, Vec::with_capacity(BATCH));
        if let Some(present) = present {
            for levels in present.chunks(BATCH) {
                let count = levels.iter().filter(|level| **level > 0).count();
                batch.clear();
                batch.extend(values.by_ref().take(count));
                writer.typed::<T>().write_batch(&batch, Some(levels), None)?;
            }
        } else {
            loop {
                batch.clear();
                batch.extend(values.by_ref().take(BATCH));
                if batch.is_empty() {
                    break;
                }
                writer.typed::<T>().write_batch(&batch, None, None)?;
            }
        }
        writer.close()
    }
}

/// A name for each variable's column: its own, or, where another has it, with its type and as many underscores as it takes.
/// Readers of Parquet often do not tell capitals, so names that differ in nothing else count as the same.
fn variable_names(variables: &[Variable]) -> Vec<String> {
    let mut taken: HashSet<String> =
        OWN.iter().chain(&[FORMAT, FIELDS, LINE]).map(|name| (*name).to_lowercase()).collect();
    let mut name = |variable: &Variable| {
        let mut name = variable.name.clone();
        if name.is_empty() || taken.contains(&name.to_lowercase()) {
            name = format!("{name}_{}", variable.kind.name());
        }
        while !taken.insert(name.to_lowercase()) {
            name.push('_');
        }
        name
    };
    variables.iter().map(&mut name).collect()
}

/// What the reader needs to make lines again: of each variable its column, name and type.
fn describe(variables: &[Variable], names: &[String]) -> String {
    let described: Vec<[&str; 3]> =
        variables.iter().zip(names).map(|(one, column)| [column.as_str(), &one.name, one.kind.name()]).collect();
    serde_json::json!(described).to_string()
}

fn stored(columns: &Columns, names: &[String]) -> Vec<Stored> {
    let text = |name: &str, optional, dictionary| Stored {
        name: name.to_owned(),
        physical: Physical::BYTE_ARRAY,
        logical: Some(LogicalType::String),
        converted: ConvertedType::UTF8,
        optional,
        encoding: Encoding::PLAIN,
        dictionary,
    };
    let number = |name: &str, logical, converted| Stored {
        name: name.to_owned(),
        physical: Physical::INT64,
        logical,
        converted,
        optional: false,
        encoding: Encoding::DELTA_BINARY_PACKED,
        dictionary: false,
    };
    let micros = Some(LogicalType::timestamp(true, TimeUnit::MICROS));
    let mut stored =
        vec![number(OWN[0], None, ConvertedType::NONE), number(OWN[1], micros, ConvertedType::TIMESTAMP_MICROS)];
    stored.extend(OWN[2..].iter().chain(&[FORMAT, FIELDS]).map(|name| text(name, false, true)));
    stored.push(text(LINE, true, false));
    for (variable, name) in columns.variables.iter().zip(names) {
        let rows = columns.rows();
        let optional = !variable.presence.is_full(rows);
        let one = match (&variable.values, variable.kind) {
            (Values::Texts(interned, numbers), kind) => {
                let pays = interned.len() <= numbers.len() / 2 + 1 && interned.bytes() <= DICTIONARY_BYTES;
                let one = text(name, optional, pays);
                match kind {
                    Type::Json => Stored { logical: Some(LogicalType::Json), converted: ConvertedType::JSON, ..one },
                    _ => one,
                }
            }
            (Values::Ints(_), _) => Stored { optional, dictionary: true, ..number(name, None, ConvertedType::NONE) },
            (values, _) => Stored {
                physical: if matches!(values, Values::Bools(_)) { Physical::BOOLEAN } else { Physical::DOUBLE },
                optional,
                encoding: Encoding::PLAIN,
                ..number(name, None, ConvertedType::NONE)
            },
        };
        stored.push(one);
    }
    stored
}

fn schema(stored: &[Stored]) -> Result<TypePtr, ParquetError> {
    let node = |one: &Stored| {
        let repetition = if one.optional { Repetition::OPTIONAL } else { Repetition::REQUIRED };
        let builder = Node::primitive_type_builder(&one.name, one.physical).with_repetition(repetition);
        let node = builder.with_logical_type(one.logical.clone()).with_converted_type(one.converted).build();
        node.map(Arc::new)
    };
    let fields = stored.iter().map(node).collect::<Result<Vec<_>, _>>()?;
    Ok(Arc::new(Node::group_type_builder("entry").with_fields(fields).build()?))
}

fn properties(stored: &[Stored], metadata: Vec<KeyValue>) -> Result<WriterProperties, ParquetError> {
    let mut builder = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_2_0)
        .set_created_by(concat!("egressctl ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        .set_data_page_v2_compression_ratio_threshold(WORTH_COMPRESSING)
        .set_dictionary_page_size_limit(2 * DICTIONARY_BYTES)
        .set_max_row_group_row_count(None)
        .set_data_page_row_count_limit(PAGE)
        .set_write_batch_size(BATCH)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_key_value_metadata(Some(metadata));
    for one in stored {
        let path = ColumnPath::from(vec![one.name.clone()]);
        builder =
            builder.set_column_encoding(path.clone(), one.encoding).set_column_dictionary_enabled(path, one.dictionary);
    }
    Ok(builder.build())
}

/// Texts of which most are different.
fn texts(
    group: &mut Group<'_, impl Write + Send>,
    interned: &Interned,
    numbers: &[u32],
    present: Option<&[i16]>,
) -> Result<(), ParquetError> {
    // One allocation for all texts; values are parts of it.
    let all = bytes::Bytes::from(interned.all().to_owned());
    let text = |number: &u32| ByteArray::from(all.slice(interned.range(*number)));
    group.column::<ByteArrayType>(numbers.iter().map(text), present)
}

fn verbatim(group: &mut Group<'_, impl Write + Send>, columns: &Columns) -> Result<(), ParquetError> {
    let mut present = vec![0; columns.rows()];
    for (row, _) in &columns.verbatim {
        present[*row] = 1;
    }
    let lines = columns.verbatim.iter().map(|(_, line)| ByteArray::from(line.as_bytes().to_vec()));
    group.column::<ByteArrayType>(lines, Some(&present))
}

pub(super) fn format_name(format: Format) -> &'static str {
    match format {
        Format::Json => "json",
        Format::Text => "text",
    }
}

/// The level of a name that was written; what is not known is an error's.
pub(crate) fn level_of(name: &str) -> Level {
    Level::ALL.into_iter().find(|level| level.name() == name).unwrap_or(Level::Error)
}
