//! Values with commas between them (RFC 4180).

use std::io::{self, Write};

/// Writes a record. What a spreadsheet would take for a formula is left as it is: the log is evidence.
pub(super) fn write<'a>(out: &mut dyn Write, values: impl Iterator<Item = &'a str>) -> io::Result<()> {
    for (place, value) in values.enumerate() {
        if place > 0 {
            out.write_all(b",")?;
        }
        if value.contains(['"', ',', '\n', '\r']) {
            write!(out, "\"{}\"", value.replace('"', "\"\""))?;
        } else {
            out.write_all(value.as_bytes())?;
        }
    }
    out.write_all(b"\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_taken_for_a_separator_is_quoted() {
        let mut out = Vec::new();
        write(&mut out, ["a", "b,c", "say \"x\"", ""].into_iter()).unwrap();
        assert_eq!(out, b"a,\"b,c\",\"say \"\"x\"\"\",\r\n");
    }
}
