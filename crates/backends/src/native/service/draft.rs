//! Guesses at the next tokens: what followed the same few tokens earlier in the text (prompt
//! lookup; Saxena, 2023).

use pacemark_backend::TokenId;

/// Tokens that must agree: the longest first.
const LONGEST: usize = 4;
const SHORTEST: usize = 2;

/// Up to `n` tokens that followed the last tokens of `text` where they stood before, most recently.
pub(super) fn guess(text: &[TokenId], n: usize) -> Vec<TokenId> {
    for length in (SHORTEST..=LONGEST).rev() {
        let Some(start) = text.len().checked_sub(length).filter(|_| n > 0) else { continue };
        let last = &text[start..];
        // The end itself is no earlier place.
        if let Some(found) =
            text[..text.len() - 1].windows(length).rposition(|window| window == last)
        {
            let from = found + length;
            return text[from..text.len().min(from + n)].to_vec();
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_and_latest_agreement_is_followed() {
        assert_eq!(
            guess(&[1, 2, 3, 4, 9, 2, 3, 7, 1, 2, 3], 2),
            [4, 9],
            "three tokens agree before two do"
        );
        assert_eq!(guess(&[2, 3, 4, 9, 2, 3, 7, 1, 2, 3], 2), [7, 1], "the later of two places");
        assert_eq!(guess(&[5, 5, 5, 5, 5, 5], 3), [5], "no further than the text goes");
        assert!(guess(&[1, 2, 3], 4).is_empty());
        assert!(guess(&[1, 2, 1, 2], 0).is_empty());
        assert!(guess(&[], 4).is_empty());
    }
}
