//! The columns of a pack behind those of others.

use super::{Packed, Variable};
use crate::accesslog::Level;
use crate::accesslog::segment::columns::Columns;
use crate::accesslog::segment::variable::Values;

impl Columns {
    /// Adds the entries of a pack, of which the first has a certain number. `shapes` are the numbers of its shapes here. Of
    /// texts only the different ones are looked up.
    pub(in crate::accesslog) fn append(&mut self, packed: &Packed<'_>, first: i64, shapes: &[u32]) {
        let before = self.rows();
        self.seq.extend(first..first + packed.rows as i64);
        packed.extend_times(&mut self.time);
        packed.levels.extend(&mut self.level, Level::from_code);
        packed.shape.extend(&mut self.shape, |place| shapes[place as usize]);
        let variables: Vec<usize> =
            packed.variables.iter().map(|variable| self.append_variable(before, variable)).collect();
        let layouts: Vec<u32> = packed
            .layouts
            .iter()
            .map(|layout| self.layout_of(layout.iter().map(|number| variables[*number])))
            .collect();
        packed.layout.extend(&mut self.layout, |layout| layouts[layout as usize]);
        self.verbatim.extend(packed.verbatim.iter().map(|(row, line)| (before + row, (*line).to_owned())));
        self.count_bytes(packed.bytes);
    }

    /// Adds the values of a variable; its number here.
    fn append_variable(&mut self, before: usize, packed: &Variable<'_>) -> usize {
        let number = self.named_variable(packed.name, packed.kind);
        let variable = &mut self.variables[number];
        packed.runs.iter().for_each(|run| variable.presence.set_all(before + run.start..before + run.end));
        match &mut variable.values {
            Values::Texts(texts, numbers) => {
                let known: Vec<u32> = packed.texts.iter().map(|text| texts.number(text)).collect();
                packed.values.extend(numbers, |number| known[number as usize]);
            }
            Values::Ints(ints) => packed.values.extend(ints, |int| int),
            Values::Doubles(doubles) => packed.values.extend(doubles, |bits| f64::from_bits(bits as u64)),
            Values::Bools(bools) => packed.values.extend(bools, |bool| bool == 1),
        }
        number
    }
}
