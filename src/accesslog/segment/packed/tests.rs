use super::*;
use crate::accesslog::group::HEAD;
use crate::accesslog::segment::columns::Source;
use crate::accesslog::{Level, line};

/// Numbers that are the same in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % below
    }

    fn of<'t>(&mut self, texts: &[&'t str]) -> &'t str {
        texts[self.below(texts.len())]
    }
}

const INSTANCES: [&str; 3] = ["access.logentry.istio-system", "b", "f\u{fc}r \"alle\""];

/// An entry as it is handed over.
struct Given {
    time: i64,
    level: Level,
    shape: u32,
    line: String,
}

/// Names, and values as lines spell them: some as we would, some otherwise.
const NAMES: [&str; 8] =
    [r#""a""#, r#""b""#, r#""c""#, r#""a\"b""#, r#""f\u00fcr""#, r#""fü""#, r#""""#, r#""long name""#];
const VALUES: [&str; 24] = [
    "1",
    "0",
    "-7",
    "300",
    "70000",
    "5000000000",
    "9223372036854775807",
    "-9223372036854775808",
    "1.5",
    "-0",
    "1e3",
    "07",
    "true",
    "false",
    "null",
    r#""x""#,
    r#""""#,
    r#""q\"uote""#,
    r#""\u0041""#,
    r#""für""#,
    r#"[1,{"a":"}"}]"#,
    "{}",
    r#""line\nbreak""#,
    "0.1",
];

fn given(random: &mut Random, count: usize) -> Vec<Given> {
    let kinds = 1 + random.below(3);
    let mut time = 1_500_000_000_000_000 + random.below(1 << 30) as i64;
    (0..count)
        .map(|_| {
            time += random.below(3000) as i64 - 100;
            let (level, shape) = (Level::ALL[random.below(3)], random.below(kinds));
            let mut text = String::new();
            line::begin(&mut text, level, time, INSTANCES[shape]);
            for name in &NAMES[..random.below(NAMES.len())] {
                if random.below(8) > 0 {
                    text.push(',');
                    text.push_str(name);
                    text.push(':');
                    text.push_str(random.of(&VALUES));
                }
            }
            line::end(&mut text);
            // Some are no lines of ours: of another begin, with a name twice, cut, or anything.
            match random.below(40) {
                0 => text.truncate(text.len() / 2 + usize::from(!text.is_char_boundary(text.len() / 2))),
                1 => text.insert(1, ' '),
                2 => text.insert_str(text.len() - 1, r#","a":1,"a":2"#),
                3 => text = random.of(&["", "{}", "no line", "\u{0}", "{\"level\":\"info\"}"]).to_owned(),
                _ => {}
            }
            Given { time, level, shape: shape as u32, line: text }
        })
        .collect()
}

fn packed(columns: &mut Columns, given: &[Given]) -> Vec<u8> {
    columns.clear();
    for (one, seq) in given.iter().zip(0..) {
        let Given { time, level, shape, line } = one;
        let instance = INSTANCES[*shape as usize];
        columns.add(&Source { seq, time: *time, level: *level, shape: *shape, instance, line });
    }
    let mut bytes = Vec::new();
    write(columns, &[(7, INSTANCES[0]), (1, INSTANCES[1]), (300, INSTANCES[2])], &mut bytes);
    bytes
}

/// Lines and heads that bytes give.
fn lines(bytes: &[u8], rows: usize) -> Option<(String, Vec<u8>)> {
    let (mut lines, mut heads) = Default::default();
    Packed::read(bytes, rows)?.write_lines(&mut lines, &mut heads)?;
    Some((lines, heads))
}

#[test]
fn every_line_comes_out_to_the_byte_as_it_was_recorded() {
    let (mut random, mut columns) = (Random(0x9E37_79B9_7F4A_7C15), Columns::default());
    for round in 0..300 {
        let count = 3 + random.below(if round % 50 == 0 { 4000 } else { 60 });
        let given = given(&mut random, count);
        let bytes = packed(&mut columns, &given);
        let (mut all, mut heads) = (String::new(), Vec::new());
        for one in &given {
            all.push_str(&one.line);
            heads.extend_from_slice(&crate::accesslog::group::head(one.time, all.len(), one.shape, one.level as u8));
        }
        let (lines, of_lines) = lines(&bytes, count).expect("what was written is read");
        assert_eq!(lines, all, "round {round}");
        assert!(of_lines == heads && heads.len() == count * HEAD, "round {round}");
        assert_eq!(Packed::read(&bytes, count).unwrap().shapes, [7, 1, 300]);
        assert!(Packed::read(&bytes, count + 1).is_none() && Packed::read(&bytes, count - 1).is_none());
    }
}

#[test]
fn columns_behind_columns_are_those_of_all_lines() {
    let (mut random, mut scratch) = (Random(77), Columns::default());
    for _ in 0..40 {
        let (mut whole, mut merged) = (Columns::default(), Columns::default());
        for _ in 0..4 {
            let count = 3 + random.below(100);
            let given = given(&mut random, count);
            let first = whole.rows() as i64 + 1;
            for (one, seq) in given.iter().zip(first..) {
                let Given { time, level, shape, line } = one;
                let instance = INSTANCES[*shape as usize];
                whole.add(&Source { seq, time: *time, level: *level, shape: *shape, instance, line });
            }
            let bytes = packed(&mut scratch, &given);
            merged.append(&Packed::read(&bytes, count).unwrap(), first, &[0, 1, 2]);
        }
        for (merged, whole) in shown(&merged).iter().zip(shown(&whole)) {
            assert!(*merged == whole, "{merged:.2000}\n{whole:.2000}");
        }
        assert_eq!(merged.variables.len(), whole.variables.len());
        assert_eq!(merged.bytes(), whole.bytes());
    }
}

/// All that a segment is made of, in an order that does not depend on the numbers of variables.
fn shown(columns: &Columns) -> Vec<String> {
    let Columns { seq, time, level, shape, layout, layouts, verbatim, variables, .. } = columns;
    let named = |number: usize| (&variables[number].name, variables[number].kind);
    let layouts = layout.iter().map(|layout| layout_of(layouts.text(*layout)).map(named).collect::<Vec<_>>());
    let layouts: Vec<_> = layouts.collect();
    let own = format!("{seq:?} {time:?} {level:?} {shape:?} {layouts:?} {verbatim:?}");
    let variables = variables.iter().map(|variable| {
        let values = match &variable.values {
            Values::Texts(texts, numbers) => {
                format!("{:?}", numbers.iter().map(|number| texts.text(*number)).collect::<Vec<_>>())
            }
            values => format!("{values:?}"),
        };
        let rows: Vec<_> = variable.presence.runs().flatten().collect();
        format!("{:?} {:?} {rows:?} {values}", variable.name, variable.kind)
    });
    let mut variables: Vec<String> = variables.collect();
    variables.sort();
    variables.push(own);
    variables
}

#[test]
fn bytes_that_were_changed_or_cut_do_no_harm() {
    let mut random = Random(5);
    for _ in 0..60 {
        let count = 3 + random.below(40);
        let bytes = packed(&mut Columns::default(), &given(&mut random, count));
        for _ in 0..200 {
            let mut bytes = bytes.clone();
            match random.below(4) {
                0 => bytes.truncate(random.below(bytes.len())),
                1 => bytes.insert(random.below(bytes.len()), random.below(256) as u8),
                2 => drop(bytes.remove(random.below(bytes.len()))),
                _ => {}
            }
            for _ in 0..random.below(4) {
                let (at, any) = (random.below(bytes.len().max(1)), random.below(256) as u8);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = if random.below(2) == 0 { 0xff } else { any };
                }
            }
            let _ = lines(&bytes, count);
            if let Some(packed) = Packed::read(&bytes, count) {
                let mut columns = Columns::default();
                columns.append(&packed, 1, &vec![0; packed.shapes.len()]);
                for variable in &columns.variables {
                    let rows: usize = variable.presence.runs().map(|run| run.len()).sum();
                    let values = match &variable.values {
                        Values::Texts(_, numbers) => numbers.len(),
                        Values::Ints(ints) => ints.len(),
                        Values::Doubles(doubles) => doubles.len(),
                        Values::Bools(bools) => bools.len(),
                    };
                    assert_eq!(rows, values);
                }
                assert!([columns.time.len(), columns.level.len(), columns.layout.len()] == [count; 3]);
            }
        }
    }
    assert!(Packed::read(&[], 0).is_none() && lines(&[0; 100], 0).is_none() && lines(&[0xff; 100], 1).is_none());
}
