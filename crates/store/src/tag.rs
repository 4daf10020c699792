//! What may be a tag or a note.

use pacemark_files::quoted;

/// Characters of a tag at most.
const LONGEST_TAG: usize = 64;

/// Bytes of a note at most.
pub const LONGEST_NOTE: usize = 4096;

/// A tag is one word: letters, digits and `._:/+-`, so that lists of tags need no quotes.
pub fn check_tag(tag: &str) -> Result<(), String> {
    let fits = |c: char| c.is_alphanumeric() || "._:/+-".contains(c);
    match tag.chars().count() {
        1..=LONGEST_TAG if tag.chars().all(fits) => Ok(()),
        _ => Err(format!(
            "{}: expected a tag of 1 to {LONGEST_TAG} letters, digits or ._:/+-",
            quoted(tag)
        )),
    }
}

/// A note is any text of bounded length.
pub fn check_note(note: &str) -> Result<(), String> {
    match note.len() {
        0..=LONGEST_NOTE => Ok(()),
        n => Err(format!("expected a note of at most {LONGEST_NOTE} bytes, found {n}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_words() {
        for fine in ["v1.2", "nightly", "größe", "a/b:c+d-e_f", &"x".repeat(64)] {
            assert_eq!(check_tag(fine), Ok(()), "{fine}");
        }
        for wrong in ["", "a b", "a,b", "a\n", "\u{1b}[31m", &"x".repeat(65)] {
            let error = check_tag(wrong).unwrap_err();
            assert!(error.contains("expected a tag") && !error.contains('\u{1b}'), "{error}");
        }
        assert!(check_note(&"x".repeat(4096)).is_ok() && check_note(&"x".repeat(4097)).is_err());
    }
}
