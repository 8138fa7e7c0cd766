//! Searching a line piece by piece: what a pattern has seen so far is a state, and a value of a column leads from one
//! state to another. So a value is searched once for all lines that have it.

use memchr::memmem::Finder;
use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::util::{primitives::StateID, start, syntax};
use regex_automata::{Anchored, nfa::thompson};

use crate::accesslog::segment::Texts;
use crate::expr::may_need_escape;

/// Bytes that a compiled pattern may take; a larger one searches whole lines.
const COMPILED: usize = 4 << 20;

/// Bytes that compiling may take.
const COMPILING: usize = 16 << 20;

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
    Spanning { dfa: Box<dense::DFA<Vec<u32>>>, start: State },
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
        let config = dense::Config::new()
            .start_kind(StartKind::Unanchored)
            .unicode_word_boundary(true)
            .dfa_size_limit(Some(COMPILED))
            .determinize_size_limit(Some(COMPILING));
        let dfa = dense::Builder::new()
            .configure(config)
            .syntax(syntax::Config::new().utf8(false).case_insensitive(ignore_case))
            .thompson(thompson::Config::new().utf8(false).nfa_size_limit(Some(COMPILING)))
            .build(expression)
            .ok()?;
        let first = dfa.start_state(&start::Config::new().anchored(Anchored::No)).ok()?;
        let start = state(&dfa, first);
        Some(Self::Spanning { dfa: Box::new(dfa), start })
    }

    /// The state before a line.
    pub(super) fn start(&self) -> State {
        match self {
            Self::Inside(_) => 0,
            Self::Spanning { start, .. } => *start,
        }
    }

    /// The state after more bytes.
    pub(super) fn run(&self, from: State, bytes: &[u8]) -> State {
        if is_final(from) {
            return from;
        }
        match self {
            Self::Inside(finder) => finder.find(bytes).map_or(0, |_| FOUND),
            Self::Spanning { dfa, .. } => {
                let mut at = id(from);
                for byte in bytes {
                    at = dfa.next_state(at, *byte);
                    if dfa.is_special_state(at) {
                        let state = state(dfa, at);
                        if is_final(state) {
                            return state;
                        }
                    }
                }
                at.as_u32()
            }
        }
    }

    /// Whether a line that ends in a state contains the pattern; nothing where that is not known.
    pub(super) fn finds(&self, at: State) -> Option<bool> {
        match (self, at) {
            (_, FOUND) => Some(true),
            (_, LOST) => Some(false),
            (_, UNKNOWN) => None,
            (Self::Inside(_), _) => Some(false),
            (Self::Spanning { dfa, .. }, _) => match state(dfa, dfa.next_eoi_state(id(at))) {
                FOUND => Some(true),
                UNKNOWN => None,
                _ => Some(false),
            },
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
            match self {
                // A text may be found in what is not known.
                Self::Inside(finder) => {
                    if finder.needle().iter().all(|byte| bytes.contains(byte)) && !states.contains(&FOUND) {
                        states.push(FOUND);
                    }
                }
                Self::Spanning { dfa, .. } => {
                    for byte in bytes {
                        let to = state(dfa, dfa.next_state(id(at), *byte));
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

    /// Where each text of a dictionary leads, each behind its escapes.
    pub(super) fn run_texts(&self, from: State, texts: &Texts, is_json: bool) -> Vec<State> {
        let mut states = vec![from; texts.len()];
        if is_final(from) {
            return states;
        }
        match (self, self.leaving(from)) {
            (Self::Inside(finder), _) => {
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
                            states[number] = self.run(from, texts.text(number as u32).as_bytes());
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
                    *state = self.run(from, texts.text(number as u32).as_bytes());
                }
            }
        }
        if is_json {
            return states;
        }
        let mut escaped = String::new();
        for number in texts.escaped() {
            escaped.clear();
            crate::expr::write_json_string(texts.text(number), &mut escaped);
            states[number as usize] = self.run(from, &escaped.as_bytes()[1..escaped.len() - 1]);
        }
        states
    }

    /// The bytes that lead away from a state, if there are at most three.
    fn leaving(&self, from: State) -> Option<Vec<u8>> {
        let Self::Spanning { dfa, .. } = self else { return None };
        let mut leaving = Vec::new();
        for byte in 0..=u8::MAX {
            if state(dfa, dfa.next_state(id(from), byte)) != from {
                leaving.push(byte);
                if leaving.len() > 3 {
                    return None;
                }
            }
        }
        Some(leaving)
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

fn id(state: State) -> StateID {
    StateID::new(state as usize).unwrap_or(StateID::ZERO)
}

fn state(dfa: &dense::DFA<Vec<u32>>, at: StateID) -> State {
    if dfa.is_match_state(at) {
        FOUND
    } else if dfa.is_dead_state(at) {
        LOST
    } else if dfa.is_quit_state(at) {
        UNKNOWN
    } else {
        at.as_u32()
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
            let end = pieces.iter().fold(automaton.start(), |at, piece| automaton.run(at, piece.as_bytes()));
            assert_eq!(automaton.finds(end), Some(expected), "{pattern} {pieces:?}");
        }
    }

    #[test]
    fn where_a_word_ends_is_not_known_of_other_letters() {
        let automaton = Automaton::of_expression(r"\bcnn\b", false).unwrap();
        let end = automaton.run(automaton.start(), "\u{fc}cnn".as_bytes());
        assert_eq!(automaton.finds(end), None);
    }
}
