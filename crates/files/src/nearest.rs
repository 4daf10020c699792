//! Which of the known names somebody may have meant.

/// What is looked at of a name: whoever asks may write one as long as he likes.
const LONGEST: usize = 64;

/// The known names, those most like `name` first.
pub fn by_likeness<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Vec<&'n str> {
    let mut names: Vec<&str> = known.into_iter().collect();
    names.sort_by_key(|known| distance(name, known));
    names
}

/// The known name that `name` is a slip of: at most two in five of its letters are others,
/// so that two that changed places are found in a word of five.
pub fn nearest<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let nearest = known.into_iter().min_by_key(|known| distance(name, known))?;
    let letters = name.chars().take(LONGEST).count().max(nearest.chars().count());
    (5 * distance(name, nearest) <= 2 * letters).then_some(nearest)
}

/// Letters to add, drop or change (Levenshtein, 1966).
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(LONGEST).collect();
    let mut row: Vec<usize> = (0..=a.len()).collect();
    for (i, b) in b.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, a) in a.iter().enumerate() {
            let changed = diagonal + usize::from(*a != b);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[a.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_by_hand() {
        assert_eq!(distance("recnt", "recent"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "ab"), 2);
    }

    #[test]
    fn a_slip_is_found_and_another_word_is_not() {
        let known = ["test_runs", "warmup_runs", "input_lengths"];
        assert_eq!(nearest("test_run", known), Some("test_runs"));
        assert_eq!(nearest("testruns", known), Some("test_runs"));
        assert_eq!(nearest("knwon", ["known"]), Some("known"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest("test_runs", []), None);
        assert_eq!(nearest(&"test_runs".repeat(1 << 16), known), None);
        assert_eq!(by_likeness("warmups", known)[0], "warmup_runs");
    }
}
