//! The lines that the columns of a pack make.

use super::{Packed, Variable};
use crate::accesslog::group::head;
use crate::accesslog::segment::variable::{Type, Value};
use crate::accesslog::{Level, line};

/// Values of a variable, handed out one after the other.
struct Next<'p> {
    lead: String,
    variable: &'p Variable<'p>,
    values: std::vec::IntoIter<i64>,
}

impl Next<'_> {
    /// Appends the name and the next value; nothing if there is none.
    fn write(&mut self, out: &mut String) -> Option<()> {
        let number = self.values.next()?;
        out.push_str(&self.lead);
        let value = match self.variable.kind {
            Type::Text => Value::Text(self.variable.texts.get(number as usize)?),
            Type::Json => Value::Json(self.variable.texts.get(number as usize)?),
            Type::Int => Value::Int(number),
            Type::Double => Value::Double(f64::from_bits(number as u64)),
            Type::Bool => Value::Bool(number == 1),
        };
        value.write(out);
        Some(())
    }
}

impl Packed<'_> {
    /// Writes all lines, one after the other, and the [`head`] of each; nothing if they are not what they were said to be.
    pub(in crate::accesslog) fn write_lines(&self, lines: &mut String, heads: &mut Vec<u8>) -> Option<()> {
        let (mut times, mut levels, mut shapes, mut layouts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        self.extend_times(&mut times);
        self.levels.extend(&mut levels, Level::from_code);
        self.shape.extend(&mut shapes, |place| place as usize);
        self.layout.extend(&mut layouts, |layout| layout as usize);
        let mut next: Vec<Next<'_>> = self.variables.iter().map(Variable::next).collect();
        let mut verbatim = self.verbatim.iter().peekable();
        for (row, time) in times.into_iter().enumerate() {
            let (level, shape, start) = (levels[row], shapes[row], lines.len());
            line::begin(lines, level, time, self.instances[shape]);
            self.layouts[layouts[row]].iter().try_for_each(|variable| next[*variable].write(lines))?;
            line::end(lines);
            // Of a line that is kept as a whole there are values too.
            if let Some((_, line)) = verbatim.next_if(|(of, _)| *of == row) {
                lines.truncate(start);
                lines.push_str(line);
            }
            if lines.len() > self.bytes {
                return None;
            }
            heads.extend_from_slice(&head(time, lines.len(), shape as u32, level as u8));
        }
        let are_used = next.iter().all(|next| next.values.len() == 0);
        (are_used && lines.len() == self.bytes).then_some(())
    }
}

impl Variable<'_> {
    fn next(&self) -> Next<'_> {
        let (mut lead, mut values) = (String::new(), Vec::new());
        line::name(&mut lead, self.name);
        self.values.extend(&mut values, |value| value);
        Next { lead, variable: self, values: values.into_iter() }
    }
}
