//! Searching a line piece by piece: what a pattern has seen so far is a state, and a value of a column leads from one
//! state to another. So a value is searched once for all lines that have it.

use std::cell::RefCell;
use std::collections::HashMap;

use memchr::memmem::Finder;
use regex_automata::Anchored;
use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, Config, DFA};
use regex_automata::nfa::thompson;
use regex_automata::util::{start, syntax};

use crate::accesslog::segment::{Between, Fences, Texts};
use crate::expr::may_need_escape;

/// Bytes that the compiled pattern may take; a larger one searches whole lines.
const COMPILED: usize = 10 << 20;

/// Bytes that its states may take, in each segment anew.
const STATES: usize = 8 << 20;

/// What a pattern has seen.
pub(super) type State = u32;

/// The pattern was found; nothing leads away from here.
pub(super) const FOUND: State = u32::MAX;
/// The pattern cannot be found any more.
pub(super) const LOST: State = u32::MAX - 1;
/// It takes the whole line to tell.
pub(super) const UNKNOWN: State = u32::MAX - 2;

/// Whether nothing leads away from a state.
pub(super) fn is_final(state: State) -> bool {
    state >= UNKNOWN
}

/// A pattern that goes on from piece to piece.
#[derive(Debug)]
pub(super) enum Automaton {
    /// A text that can only lie inside one value, or inside what stands between values.
    Inside(Box<Finder<'static>>),
    /// Any other pattern.
    Spanning(Box<DFA>),
}

/// The states of an automaton that were met, for one segment.
#[derive(Debug)]
pub(super) struct Run<'a> {
    automaton: &'a Automaton,
    known: RefCell<Known>,
}

#[derive(Debug, Default)]
struct Known {
    cache: Option<Cache>,
    ids: Vec<LazyStateID>,
    /// The state before a line, and the bytes that lead away from it if they are few: most of a line is passed over there.
    start: Option<(LazyStateID, Vec<u8>)>,
    numbers: HashMap<LazyStateID, State, foldhash::fast::FixedState>,
    /// The one that was asked for last, as it mostly is again.
    last: Option<(LazyStateID, State)>,
}

impl Automaton {
    /// For a text. No value of a line that has quotes, colons, commas, braces, blanks or tabs around it lies beside another
    /// without one of them, so a text that has none lies inside one.
    pub(super) fn of_text(text: &str) -> Option<Self> {
        let parts = |byte: u8| matches!(byte, b'"' | b':' | b',' | b'{' | b'}' | b' ' | b'\t');
        // A backslash may be an escape's, and values are searched before they are escaped.
        if !text.is_empty() && text.bytes().all(|byte| !parts(byte) && byte != b'\\' && !may_need_escape(byte)) {
            return Some(Self::Inside(Box::new(Finder::new(text).into_owned())));
        }
        Self::of_expression(&regex::escape(text), false)
    }

    /// For a regular expression; nothing if the automaton would be too large.
    pub(super) fn of_expression(expression: &str, ignore_case: bool) -> Option<Self> {
        let config = Config::new()
            .unicode_word_boundary(true)
            .cache_capacity(STATES)
            // Numbers of states would mean others after the cache was cleared.
            .minimum_cache_clear_count(Some(0));
        let dfa = DFA::builder()
            .configure(config)
            .syntax(syntax::Config::new().utf8(false).case_insensitive(ignore_case))
            .thompson(thompson::Config::new().utf8(false).nfa_size_limit(Some(COMPILED)))
            .build(expression)
            .ok()?;
        Some(Self::Spanning(Box::new(dfa)))
    }

    /// Begins to search.
    pub(super) fn open(&self) -> Run<'_> {
        let cache = match self {
            Self::Inside(_) => None,
            Self::Spanning(dfa) => Some(dfa.create_cache()),
        };
        Run { automaton: self, known: RefCell::new(Known { cache, ..Known::default() }) }
    }
}

impl Known {
    /// The number of a state.
    fn number(&mut self, id: LazyStateID) -> State {
        if id.is_match() {
            return FOUND;
        } else if id.is_dead() {
            return LOST;
        } else if id.is_quit() {
            return UNKNOWN;
        }
        if let Some((_, number)) = self.last.filter(|(last, _)| *last == id) {
            return number;
        }
        let number = *self.numbers.entry(id).or_insert_with(|| {
            self.ids.push(id);
            self.ids.len() as State - 1
        });
        self.last = Some((id, number));
        number
    }

    fn run(&mut self, dfa: &DFA, from: State, bytes: &[u8]) -> State {
        let (Some(cache), Some(&first)) = (&mut self.cache, self.ids.get(from as usize)) else { return UNKNOWN };
        let (mut at, mut rest) = (first, bytes);
        while let Some((byte, behind)) = rest.split_first() {
            if let Some((start, leaving)) = &self.start
                && at == *start
            {
                let Some(next) = first_of(leaving, rest) else { break };
                rest = &rest[next..];
                let Ok(next) = dfa.next_state(cache, at, rest[0]) else { return UNKNOWN };
                (at, rest) = (next, &rest[1..]);
            } else {
                let Ok(next) = dfa.next_state(cache, at, *byte) else { return UNKNOWN };
                (at, rest) = (next, behind);
            }
            if at.is_match() || at.is_dead() || at.is_quit() {
                break;
            }
        }
        if at == first { from } else { self.number(at) }
    }
}

impl Run<'_> {
    /// The state before a line.
    pub(super) fn start(&self) -> State {
        let Automaton::Spanning(dfa) = self.automaton else { return 0 };
        let mut known = self.known.borrow_mut();
        let Some(cache) = &mut known.cache else { return UNKNOWN };
        let Ok(id) = dfa.start_state(cache, &start::Config::new().anchored(Anchored::No)) else { return UNKNOWN };
        let state = known.number(id);
        drop(known);
        if !is_final(state)
            && let Some(leaving) = self.leaving(state)
        {
            self.known.borrow_mut().start = Some((id, leaving));
        }
        state
    }

    /// The state after more bytes.
    pub(super) fn run(&self, from: State, bytes: &[u8]) -> State {
        match self.automaton {
            _ if is_final(from) => from,
            Automaton::Inside(finder) => finder.find(bytes).map_or(0, |_| FOUND),
            Automaton::Spanning(dfa) => self.known.borrow_mut().run(dfa, from, bytes),
        }
    }

    /// The text that is sought, where it can only lie inside of a value or of what stands between two.
    pub(super) fn inside(&self) -> Option<&[u8]> {
        match self.automaton {
            Automaton::Inside(finder) => Some(finder.needle()),
            Automaton::Spanning(_) => None,
        }
    }

    /// Whether a line that ends in a state contains the pattern; nothing where that is not known.
    pub(super) fn finds(&self, at: State) -> Option<bool> {
        match (self.automaton, at) {
            (_, FOUND) => Some(true),
            (_, LOST) => Some(false),
            (_, UNKNOWN) => None,
            (Automaton::Inside(_), _) => Some(false),
            (Automaton::Spanning(dfa), _) => {
                let mut known = self.known.borrow_mut();
                let id = *known.ids.get(at as usize)?;
                let end = dfa.next_eoi_state(known.cache.as_mut()?, id).ok()?;
                if end.is_quit() { None } else { Some(end.is_match()) }
            }
        }
    }

    /// All states to which texts of some bytes may lead, those from where they begin included; nothing if there are more
    /// than `most`.
    pub(super) fn closure(&self, from: &[State], bytes: &[u8], most: usize) -> Option<Vec<State>> {
        let mut states = from.to_vec();
        let mut next = 0;
        while next < states.len() {
            let at = states[next];
            next += 1;
            if is_final(at) {
                continue;
            }
            match self.automaton {
                // A text may be found in what is not known.
                Automaton::Inside(finder) => {
                    if finder.needle().iter().all(|byte| bytes.contains(byte)) && !states.contains(&FOUND) {
                        states.push(FOUND);
                    }
                }
                Automaton::Spanning(_) => {
                    for byte in bytes {
                        let to = self.run(at, &[*byte]);
                        if !states.contains(&to) {
                            states.push(to);
                        }
                    }
                }
            }
            if states.len() > most {
                return None;
            }
        }
        Some(states)
    }

    /// The one state to which all texts of some bytes lead, but for the empty one; nothing if there are several.
    pub(super) fn only(&self, from: State, bytes: &[u8]) -> Option<State> {
        if is_final(from) {
            return Some(from);
        }
        if let Automaton::Inside(_) = self.automaton {
            return self.closure(&[from], bytes, 1).map(|_| from);
        }
        let first = self.run(from, bytes.get(..1)?);
        let same = bytes.iter().all(|byte| self.run(from, &[*byte]) == first);
        (same && self.closure(&[first], bytes, 1).is_some()).then_some(first)
    }

    /// The state behind what all texts between two begin with, and a byte more where they go on; nothing if that is not the
    /// same for all of them.
    pub(super) fn behind(&self, from: State, between: Between<'_>, fences: &Fences) -> Option<State> {
        if let Automaton::Inside(_) = self.automaton {
            return None;
        }
        let Between { low, high } = between;
        let alike = low.iter().zip(high).take_while(|(low, high)| low == high).count();
        let at = self.run(from, &low[..alike]);
        if is_final(at) {
            return Some(at);
        }
        let (least, most) = (low.get(alike).copied(), high.get(alike).copied());
        // Where the least one ends so may a text.
        let mut behind = if least.is_none() { Some(at) } else { None };
        for byte in fences.bytes(least.unwrap_or(0), most.unwrap_or(u8::MAX)) {
            let next = self.run(at, &[byte]);
            if *behind.get_or_insert(next) != next {
                return None;
            }
        }
        behind
    }

    /// Whether all texts of a column lead from a state to itself.
    pub(super) fn keeps(&self, state: State, fences: &Fences) -> bool {
        is_final(state) || fences.bytes(0, u8::MAX).all(|byte| self.run(state, &[byte]) == state)
    }

    /// Where each text of a dictionary leads, each behind its escapes.
    pub(super) fn run_texts(&self, from: State, texts: &Texts, is_json: bool) -> Vec<State> {
        let mut states = vec![from; texts.len()];
        if is_final(from) {
            return states;
        }
        match (self.automaton, self.leaving(from)) {
            (Automaton::Inside(finder), _) => {
                for hit in finder.find_iter(texts.all()) {
                    mark(texts, hit, finder.needle().len(), |number| states[number] = FOUND);
                }
            }
            (_, Some(leaving)) => {
                // All other bytes lead from this state to itself.
                let mut seen = usize::MAX;
                let mut at = |hit| {
                    mark(texts, hit, 1, |number| {
                        if number != seen {
                            seen = number;
                            states[number] = self.run(from, texts.bytes(number as u32));
                        }
                    });
                };
                match leaving[..] {
                    [] => {}
                    [a] => memchr::memchr_iter(a, texts.all()).for_each(&mut at),
                    [a, b] => memchr::memchr2_iter(a, b, texts.all()).for_each(&mut at),
                    [a, b, c, ..] => memchr::memchr3_iter(a, b, c, texts.all()).for_each(&mut at),
                }
            }
            (_, None) => {
                for (number, state) in states.iter_mut().enumerate() {
                    *state = self.run(from, texts.bytes(number as u32));
                }
            }
        }
        if is_json {
            return states;
        }
        let mut escaped = String::new();
        for &number in texts.escaped() {
            escaped.clear();
            crate::expr::write_json_string(texts.text(number), &mut escaped);
            states[number as usize] = self.run(from, &escaped.as_bytes()[1..escaped.len() - 1]);
        }
        states
    }

    /// The bytes that lead away from a state, if there are at most three.
    fn leaving(&self, from: State) -> Option<Vec<u8>> {
        let Automaton::Spanning(_) = self.automaton else { return None };
        let mut leaving = Vec::new();
        for byte in 0..=u8::MAX {
            if self.run(from, &[byte]) != from {
                leaving.push(byte);
                if leaving.len() > 3 {
                    return None;
                }
            }
        }
        Some(leaving)
    }
}

/// Where the first of at most three bytes is.
fn first_of(wanted: &[u8], bytes: &[u8]) -> Option<usize> {
    match *wanted {
        [] => None,
        [a] => memchr::memchr(a, bytes),
        [a, b] => memchr::memchr2(a, b, bytes),
        [a, b, c, ..] => memchr::memchr3(a, b, c, bytes),
    }
}

/// Calls with the text in which some bytes lie, if they do not reach out of it.
fn mark(texts: &Texts, hit: usize, length: usize, take: impl FnOnce(usize)) {
    if let Some((number, end)) = texts.at(hit)
        && hit + length <= end
    {
        take(number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_goes_on_from_piece_to_piece() {
        for (pattern, pieces, expected) in [
            ("ab", &["xa", "bx"][..], true),
            ("ab$", &["xa", "bx"], false),
            ("ab$", &["xa", "", "b"], true),
            ("^ab", &["a", "b"], true),
            ("^ab", &["xa", "b"], false),
            ("", &[""], true),
            (r"\bcnn\b", &["x", "-cnn", ".x"], true),
            (r"\bcnn\b", &["x", "cnn", ".x"], false),
        ] {
            let automaton = Automaton::of_expression(pattern, false).unwrap();
            let run = automaton.open();
            let end = pieces.iter().fold(run.start(), |at, piece| run.run(at, piece.as_bytes()));
            assert_eq!(run.finds(end), Some(expected), "{pattern} {pieces:?}");
        }
    }

    #[test]
    fn where_a_word_ends_is_not_known_of_other_letters() {
        let automaton = Automaton::of_expression(r"\bcnn\b", false).unwrap();
        let run = automaton.open();
        let end = run.run(run.start(), "\u{fc}cnn".as_bytes());
        assert_eq!(run.finds(end), None);
    }

    #[test]
    fn what_is_said_of_a_part_holds_of_each_of_its_texts() {
        let mut said = 0;
        for round in 0..200_u64 {
            let mut state = round.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
            let mut random = |below: u64| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 33) % below
            };
            let mut text = || -> String {
                let letters = (0..random(9)).map(|_| ['a', 'a', 'a', 'b', '\u{e9}'][random(5) as usize]);
                letters.collect()
            };
            let mut texts: Vec<String> = (0..120).map(|_| text()).collect();
            texts.sort();
            texts.dedup();
            let fences = Fences::of(texts.iter().map(String::as_str)).unwrap();
            // Also such as one text meets, and those that begin with it do not.
            let of_one = |part| format!("x{}\"", std::str::from_utf8(fences.part(part).low).unwrap());
            let of_one = (0..fences.parts()).map(of_one);
            for pattern in of_one.chain(
                ["a\"", "ab*\"", "x[^\"]*\"", "xaa[^\"]*\"", "xa*\"", "b$", "(a|bb)+\"y", r"\bab\b", "^xaaa?\""]
                    .map(str::to_owned),
            ) {
                let automaton = Automaton::of_expression(&pattern, false).unwrap();
                let run = automaton.open();
                let from = run.run(run.start(), b"x");
                let mut rest = texts.as_slice();
                for (part, values) in fences.parts_of(texts.len()).enumerate() {
                    let (of_part, behind) = rest.split_at(values);
                    rest = behind;
                    let Some(told) = run.behind(from, fences.part(part), &fences) else { continue };
                    if run.keeps(told, &fences) {
                        said += 1;
                        let led = |text: &String| run.run(from, text.as_bytes());
                        assert!(of_part.iter().all(|text| led(text) == told), "{pattern}: {of_part:?}");
                    }
                }
            }
        }
        assert!(said > 1000, "{said}");
    }
}
