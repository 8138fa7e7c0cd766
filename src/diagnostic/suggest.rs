//! The valid name that a wrong one was probably meant to be.

/// Words longer than this are not compared: no name of ours is that long, and the cost grows with the square.
const MAX_WORD: usize = 64;

/// The candidate nearest to `word`, if one is near enough to be worth suggesting: at most a third of its letters
/// differ. Letter case and `_` do not count. Of equals the first wins.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = folded(word);
    if word.is_empty() || word.len() > MAX_WORD {
        return None;
    }
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let other = folded(candidate);
            let distance = distance(&word, &other);
            (distance <= word.len().max(other.len()).div_ceil(3).min(3)).then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn folded(word: &str) -> Vec<char> {
    word.chars().filter(|c| *c != '_').flat_map(char::to_lowercase).take(MAX_WORD + 1).collect()
}

/// Edit distance with swaps of neighbours (optimal string alignment).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        let names = ["hosts", "ports", "resolution"];
        assert_eq!(nearest("portz", names), Some("ports"));
        assert_eq!(nearest("hsots", names), Some("hosts"));
        assert_eq!(nearest("Resolution", names), Some("resolution"));
    }

    #[test]
    fn something_quite_different_gets_no_suggestion() {
        assert_eq!(nearest("gateway", ["hosts", "ports"]), None);
        assert_eq!(nearest("", ["a"]), None);
    }
}
