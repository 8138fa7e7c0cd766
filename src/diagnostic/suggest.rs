//! The valid name that a mistyped one was meant to be.

/// Longest name that is compared, in characters; nobody mistypes more, and the work grows with the square.
const MAX_LENGTH: usize = 128;

/// The candidate that is most like `word`, if one is like enough to be what was meant.
///
/// Like enough is a third of the word's letters wrong, missing, superfluous or swapped with the next (optimal string
/// alignment distance); letter case counts as no mistake. Of equally near ones the first wins.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = folded(word)?;
    let allowed = (word.len() / 3).max(1);
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let letters = folded(candidate)?;
            let near_enough = letters.len().abs_diff(word.len()) <= allowed;
            near_enough.then(|| (distance(&word, &letters), candidate))
        })
        .filter(|&(distance, candidate)| distance <= allowed && distance < candidate.chars().count())
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// The letters in lower case; nothing for what is empty or too long to be compared.
fn folded(word: &str) -> Option<Vec<char>> {
    let letters: Vec<char> = word.chars().take(MAX_LENGTH + 1).flat_map(char::to_lowercase).collect();
    (1..=MAX_LENGTH).contains(&letters.len()).then_some(letters)
}

fn distance(a: &[char], b: &[char]) -> usize {
    let mut before = vec![0; b.len() + 1];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (row, &x) in a.iter().enumerate() {
        let mut line = vec![row + 1];
        for (column, &y) in b.iter().enumerate() {
            let replaced = above[column] + usize::from(x != y);
            let mut best = replaced.min(above[column + 1] + 1).min(line[column] + 1);
            if row > 0 && column > 0 && x == b[column - 1] && a[row - 1] == y {
                best = best.min(before[column - 1] + 1);
            }
            line.push(best);
        }
        before = std::mem::replace(&mut above, line);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAMES: &[&str] = &["request.host", "request.path", "request.url_path", "response.code", "size"];

    #[test]
    fn a_slip_finds_the_name_that_was_meant() {
        for (word, meant) in [
            ("request.hots", "request.host"),
            ("request.paht", "request.path"),
            ("reqest.path", "request.path"),
            ("Request.Path", "request.path"),
            ("request.urlpath", "request.url_path"),
            ("sizee", "size"),
        ] {
            assert_eq!(nearest(word, NAMES.iter().copied()), Some(meant), "{word}");
        }
    }

    #[test]
    fn an_unlike_word_finds_nothing() {
        for word in ["", "politics", "x", "contains", &"a".repeat(5_000)] {
            assert_eq!(nearest(word, NAMES.iter().copied()), None, "{word}");
        }
    }

    #[test]
    fn a_name_of_one_letter_is_not_the_meaning_of_another() {
        assert_eq!(nearest("b", ["a"]), None);
    }

    proptest! {
        #[test]
        fn any_words_are_compared_without_panic(word in ".{0,40}", candidates in prop::collection::vec(".{0,40}", 0..4)) {
            let _ = nearest(&word, candidates.iter().map(String::as_str));
        }
    }
}
