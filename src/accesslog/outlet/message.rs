//! An entry as Fluentd's Forward protocol has it: `[tag, time, record]` in MessagePack.

use std::convert::Infallible;

use rmp::encode::{self as pack, ByteBuf, ValueWriteError};
use serde_json::Value;

use super::{Entry, line};
use crate::expr::Timestamp;

/// Variable that is the tag instead of the instance's name.
const TAG: &str = "tag";
/// Variable that then holds the instance's name.
const NAME: &str = "name";
/// Fields that every line begins with; they are no variables.
const HEAD: usize = 3;
/// The extension type of an EventTime, and its length in bytes.
const EVENT_TIME: (i8, u32) = (0, 8);

/// Appends an entry. The tag is the instance's name, or the variable `tag`, in whose place the record then has the name
/// as `name`. The time is that of the line, as EventTime.
pub(super) fn encode(entry: &Entry, out: &mut Vec<u8>) {
    // A line that its handler did not write well is sent without variables rather than not at all.
    let fields = line::fields(&entry.line).unwrap_or_default();
    let time = fields.iter().find(|(name, _)| name == "time").and_then(|(_, time)| time.as_str());
    let time = time.and_then(Timestamp::parse_rfc3339).unwrap_or_else(|| Timestamp::from_micros(entry.time));
    let mut variables: Vec<(String, Value)> = fields.into_iter().skip(HEAD).collect();
    let instance = entry.shape.instance.as_str();
    let mut tag = instance.to_owned();
    if let Some(position) = variables.iter().position(|(name, _)| name == TAG) {
        let (_, value) = variables.remove(position);
        tag = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        variables.retain(|(name, _)| name != NAME);
        variables.push((NAME.to_owned(), instance.into()));
    }
    let mut buffer = ByteBuf::from_vec(std::mem::take(out));
    write(&tag, time, &variables, &mut buffer).expect("memory takes whatever is written to it");
    *out = buffer.into_vec();
}

type Written = Result<(), ValueWriteError<Infallible>>;

fn write(tag: &str, time: Timestamp, variables: &[(String, Value)], out: &mut ByteBuf) -> Written {
    pack::write_array_len(out, 3)?;
    pack::write_str(out, tag)?;
    match u32::try_from(time.seconds) {
        Ok(seconds) => {
            pack::write_ext_meta(out, EVENT_TIME.1, EVENT_TIME.0)?;
            out.as_mut_vec().extend_from_slice(&seconds.to_be_bytes());
            out.as_mut_vec().extend_from_slice(&time.nanos.to_be_bytes());
        }
        // Before 1970 and after 2106 there are only whole seconds.
        Err(_) => {
            pack::write_sint(out, time.seconds)?;
        }
    }
    pack::write_map_len(out, length(variables.len()))?;
    for (name, value) in variables {
        pack::write_str(out, name)?;
        write_value(value, out)?;
    }
    Ok(())
}

fn write_value(value: &Value, out: &mut ByteBuf) -> Written {
    match value {
        Value::Null => pack::write_nil(out).map_err(ValueWriteError::InvalidMarkerWrite),
        Value::Bool(truth) => pack::write_bool(out, *truth).map_err(ValueWriteError::InvalidMarkerWrite),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => pack::write_sint(out, number).map(drop),
            (None, Some(number)) => pack::write_uint(out, number).map(drop),
            (None, None) => pack::write_f64(out, number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => pack::write_str(out, text),
        Value::Array(items) => {
            pack::write_array_len(out, length(items.len()))?;
            items.iter().try_for_each(|item| write_value(item, out))
        }
        Value::Object(fields) => {
            pack::write_map_len(out, length(fields.len()))?;
            fields.iter().try_for_each(|(name, value)| {
                pack::write_str(out, name)?;
                write_value(value, out)
            })
        }
    }
}

fn length(length: usize) -> u32 {
    u32::try_from(length).expect("a line in memory has fewer than four billion values")
}
