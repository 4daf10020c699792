//! A tokenizer that a few lines of any language are: what the tests of tasks encode with.

use pacemark_backend::TokenId;

/// Tokens are runs of letters or digits with a space before them where there is one, and all other
/// characters one by one; a token's number is made of its characters, above 99.
pub(super) fn toy(text: &str) -> Vec<TokenId> {
    let chars: Vec<char> = text.chars().collect();
    let (mut tokens, mut from) = (Vec::new(), 0);
    while from < chars.len() {
        let mut to = from + usize::from(chars[from] == ' ');
        while to < chars.len() && chars[to].is_ascii_alphanumeric() {
            to += 1;
        }
        to = to.max(from + 1);
        let hash = |hash: u32, c: &char| (hash * 31 + *c as u32) % 100_003;
        tokens.push(chars[from..to].iter().fold(7, hash) + 100);
        from = to;
    }
    tokens
}
