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
use parquet::schema::types::{ColumnPath, Type as Node, TypePtr};

use super::columns::{Columns, Type, Values, Variable};
use super::counts::{self, Counts};
use super::grams::{self, Grams};
use super::interned::Interned;
use super::{FIELDS, FORMAT, LINE, Names, OWN, VARIABLES};
use crate::accesslog::{Format, Level};

/// Values that are handed to the encoder at a time.
const BATCH: usize = 4096;

/// Rows of a page: what is read for one row. Fewer make files larger.
const PAGE: usize = 4096;

/// A column whose texts are this much of its rows, or more bytes, is not worth a dictionary.
const DICTIONARY_BYTES: usize = 24 << 20;

/// Between size and time: level 3 makes files 4 % smaller than level 1 and takes a third longer, higher ones give nothing.
const ZSTD_LEVEL: i32 = 3;

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
    let mut group = file.next_row_group()?;
    column::<Int64Type>(&mut group, columns.seq.iter().copied(), None)?;
    column::<Int64Type>(&mut group, columns.time.iter().copied(), None)?;
    column::<ByteArrayType>(
        &mut group,
        columns.level.iter().map(|level| ByteArray::from(bytes::Bytes::from_static(level.name().as_bytes()))),
        None,
    )?;
    for part in OF_SHAPES {
        let texts: Vec<ByteArray> = shapes.iter().map(|one| ByteArray::from(part(one).as_bytes().to_vec())).collect();
        column::<ByteArrayType>(&mut group, columns.shape.iter().map(|&shape| texts[shape as usize].clone()), None)?;
    }
    texts(&mut group, &columns.layouts, &columns.layout, None)?;
    verbatim(&mut group, columns)?;
    for variable in &columns.variables {
        let mut present = variable.present.clone();
        present.resize(columns.rows(), 0);
        let present = Some(present.as_slice()).filter(|present| present.contains(&0));
        match &variable.values {
            Values::Texts(interned, numbers) => texts(&mut group, interned, numbers, present)?,
            Values::Ints(ints) => column::<Int64Type>(&mut group, ints.iter().copied(), present)?,
            Values::Doubles(doubles) => column::<DoubleType>(&mut group, doubles.iter().copied(), present)?,
            Values::Bools(bools) => column::<BoolType>(&mut group, bools.iter().copied(), present)?,
        }
    }
    group.close()?;
    let (start, counts) = (file.bytes_written(), counts(columns, shapes).finish()?);
    file.write_all(&counts)?;
    file.append_key_value_metadata(KeyValue::new(counts::KEY.to_owned(), Some(format!("{start} {}", counts.len()))));
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

/// How often the values of each column occur.
fn counts(columns: &Columns, shapes: &[Names]) -> Counts {
    let mut counts = Counts::default();
    // Sequence numbers and times are all different.
    counts.skip();
    counts.skip();
    counts.add(columns.level.iter());
    for part in OF_SHAPES {
        counts.add(columns.shape.iter().map(|&shape| part(&shapes[shape as usize])));
    }
    counts.add(columns.layout.iter());
    counts.skip();
    for variable in &columns.variables {
        match &variable.values {
            Values::Texts(_, numbers) => counts.add(numbers.iter()),
            Values::Ints(ints) => counts.add(ints.iter()),
            Values::Doubles(_) | Values::Bools(_) => counts.skip(),
        }
    }
    counts
}

/// What the columns behind the level say of an entry's shape.
const OF_SHAPES: [fn(&Names) -> &str; 4] =
    [|one| &one.instance, |one| &one.handler, |one| &one.rule, |one| format_name(one.format)];

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
        let optional = variable.present.len() < rows || variable.present.contains(&0);
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

/// Writes the next column; `present` says for each row whether it has one of the values.
fn column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, impl Write + Send>,
    values: impl Iterator<Item = T::T>,
    present: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let mut writer = group.next_column()?.ok_or_else(|| ParquetError::General("there are too few columns".into()))?;
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

fn texts(
    group: &mut SerializedRowGroupWriter<'_, impl Write + Send>,
    interned: &Interned,
    numbers: &[u32],
    present: Option<&[i16]>,
) -> Result<(), ParquetError> {
    // One allocation for all texts; values are parts of it.
    let all = bytes::Bytes::from(interned.all().to_owned());
    let text = |number: &u32| ByteArray::from(all.slice(interned.range(*number)));
    column::<ByteArrayType>(group, numbers.iter().map(text), present)
}

fn verbatim(
    group: &mut SerializedRowGroupWriter<'_, impl Write + Send>,
    columns: &Columns,
) -> Result<(), ParquetError> {
    let mut present = vec![0; columns.rows()];
    for (row, _) in &columns.verbatim {
        present[*row] = 1;
    }
    let lines = columns.verbatim.iter().map(|(_, line)| ByteArray::from(line.as_bytes().to_vec()));
    column::<ByteArrayType>(group, lines, Some(&present))
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
